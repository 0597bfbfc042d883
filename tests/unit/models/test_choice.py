"""What auto takes, and why."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.models.choice import GOOD_ENOUGH_TAR, INT8_MAX_TAR_LOSS, VISIT_EMBEDDINGS, choose, choose_precision, tar_at
from blinkd.models.manifest import MANIFEST_FILE, Manifest, default_models_dir
from blinkd.models.processor import Processor

TABLE = {"1e-2": 0.99, "1e-3": 0.98, "1e-4": 0.95, "1e-5": 0.90}
VNNI = Processor("x86", False, frozenset({"avx2", "avx_vnni"}))
CORTEX_A72 = Processor("Pi 4", True, frozenset({"asimd"}))
SPEEDS = {("mobilefacenet", "int8"): 3.0, ("mobilefacenet", "fp32"): 5.0, ("sface", "int8"): 6.0}
BOTH = {"mobilefacenet", "sface"}
BUDGET_MS = 400


@pytest.fixture
def manifest() -> Manifest:
    return Manifest.load(default_models_dir())


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str], Manifest]:
    """A manifest with one text replaced, its first occurrence, beside files that are there but empty."""

    def change(before: str, after: str) -> Manifest:
        text = (default_models_dir() / MANIFEST_FILE).read_text()
        assert before in text
        (tmp_path / MANIFEST_FILE).write_text(text.replace(before, after, 1))
        for name in ("mobilefacenet.onnx", "mobilefacenet_int8.onnx", "sface_int8.onnx"):
            (tmp_path / name).touch()
        return Manifest.load(tmp_path)

    return change


def test_tar_is_read_between_points_over_the_logarithm_and_continued_below() -> None:
    assert tar_at(TABLE, 1e-3) == pytest.approx(0.98)
    assert tar_at(TABLE, 10**-3.5) == pytest.approx(0.965)
    assert tar_at(TABLE, 1e-6) == pytest.approx(0.85)
    assert tar_at(TABLE, 0.5) == pytest.approx(0.99)
    assert tar_at(TABLE, 1e-300) == 0
    assert tar_at({}, 1e-3) == tar_at({"1e-3": 0.98}, 1e-4) == 0


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.floats(-12, 0))
def test_below_the_table_tar_is_never_above_its_last_point(values: list[float], exponent: float) -> None:
    table = dict(zip(TABLE, values, strict=True))
    found = tar_at(table, 10**exponent)
    assert 0 <= found <= (max(values) if exponent >= -5 else values[-1])


def test_the_verdict_of_bench_decides_about_precision(manifest: Manifest) -> None:
    assert choose_precision(manifest, "mobilefacenet", SPEEDS, CORTEX_A72)[0] == "int8"
    slow = {**SPEEDS, ("mobilefacenet", "int8"): 7.0}
    precision, reason = choose_precision(manifest, "mobilefacenet", slow, VNNI)
    assert precision == "fp32"
    assert "models bench" in reason


def test_without_a_verdict_the_processor_decides(manifest: Manifest) -> None:
    assert choose_precision(manifest, "mobilefacenet", {}, VNNI)[0] == "int8"
    assert choose_precision(manifest, "mobilefacenet", {}, CORTEX_A72)[0] == "fp32"
    assert choose_precision(manifest, "mobilefacenet", {}, None)[0] == "int8"
    half = {("mobilefacenet", "int8"): 3.0}  # one form alone says nothing about the other
    assert choose_precision(manifest, "mobilefacenet", half, CORTEX_A72)[0] == "fp32"


def test_int8_whose_measured_accuracy_does_not_hold_is_not_taken_however_fast(changed: Callable[[str, str], Manifest]) -> None:
    worse = round(0.9843 - INT8_MAX_TAR_LOSS - 0.0005, 4)
    precision, reason = choose_precision(changed('"1e-3" = 0.9829', f'"1e-3" = {worse}'), "mobilefacenet", SPEEDS, VNNI)
    assert precision == "fp32"
    assert "int8 loses more than" in reason


def test_a_missing_file_gives_way_to_the_other_form_with_a_warning(
    changed: Callable[[str, str], Manifest], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert choose_precision(changed("version = 1", "version = 1"), "sface", {}, CORTEX_A72)[0] == "int8"
    assert "sface.onnx is missing" in caplog.text
    assert "blinkd models build sface" in caplog.text


def test_without_a_gallery_the_default_is_taken(manifest: Manifest) -> None:
    choice = choose(manifest, SPEEDS, None, BUDGET_MS, BOTH, VNNI)
    assert (choice.name, choice.precision) == ("mobilefacenet", "int8")


def test_a_small_gallery_is_left_to_the_cheaper_model_and_a_large_one_to_the_more_accurate(manifest: Manifest) -> None:
    assert choose(manifest, SPEEDS, 1e-5, BUDGET_MS, BOTH, VNNI).name == "mobilefacenet"
    large = choose(manifest, SPEEDS, 1e-6, BUDGET_MS, BOTH, VNNI)
    assert (large.name, large.precision) == ("sface", "int8")
    assert "cheapest" in large.reason
    assert tar_at(manifest.entry("mobilefacenet").measured["int8"].tar, 1e-6) < GOOD_ENOUGH_TAR


def test_when_none_is_good_enough_the_most_accurate_is_taken(manifest: Manifest) -> None:
    choice = choose(manifest, SPEEDS, 1e-14, BUDGET_MS, BOTH, VNNI)
    assert choice.name == "sface"
    assert "most accurate" in choice.reason


def test_what_the_budget_does_not_allow_is_not_taken(manifest: Manifest) -> None:
    assert choose(manifest, SPEEDS, 1e-6, VISIT_EMBEDDINGS * 6.0, BOTH, VNNI).name == "sface"
    assert choose(manifest, SPEEDS, 1e-6, VISIT_EMBEDDINGS * 6.0 - 0.1, BOTH, VNNI).name == "mobilefacenet"


def test_a_model_for_which_somebody_is_not_enrolled_is_not_taken(manifest: Manifest) -> None:
    assert choose(manifest, SPEEDS, 1e-6, BUDGET_MS, {"mobilefacenet"}, VNNI).name == "mobilefacenet"
    assert choose(manifest, SPEEDS, 1e-6, BUDGET_MS, {"sface"}, VNNI).name == "sface"


def test_what_was_never_timed_here_is_not_taken_and_the_reason_says_so(manifest: Manifest) -> None:
    choice = choose(manifest, {}, 1e-6, BUDGET_MS, BOTH, VNNI)
    assert choice.name == "mobilefacenet"
    assert "not timed here: sface (run: blinkd models bench)" in choice.reason


def test_a_model_without_any_file_is_not_taken(tmp_path: Path) -> None:
    shutil.copytree(default_models_dir(), tmp_path / "models", ignore=shutil.ignore_patterns("sface*.onnx"))
    assert choose(Manifest.load(tmp_path / "models"), SPEEDS, 1e-6, BUDGET_MS, BOTH, VNNI).name == "mobilefacenet"
