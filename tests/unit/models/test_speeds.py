"""The verdict of `models bench`: kept whole, and believed only where it was made."""

import dataclasses
import json
import logging
from pathlib import Path

import pytest

from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, default_models_dir
from blinkd.models.speeds import SPEED_FILE, Machine, Speed, fitting_speeds, write_verdict

MACHINE = Machine("a processor", "1.32.0", 1)


def rows(manifest: Manifest) -> list[Speed]:
    files = manifest.entry("mobilefacenet").files
    return [Speed("mobilefacenet", "int8", 3.0, files["int8"].sha256), Speed("mobilefacenet", "fp32", 5.0, files["fp32"].sha256)]


def test_a_verdict_comes_back_as_it_was_written_and_leaves_no_litter(tmp_path: Path) -> None:
    manifest = Manifest.load(default_models_dir())
    write_verdict(tmp_path, MACHINE, rows(manifest))
    assert write_verdict(tmp_path, MACHINE, rows(manifest)) == tmp_path / SPEED_FILE
    assert fitting_speeds(tmp_path, manifest, MACHINE) == {("mobilefacenet", "int8"): 3.0, ("mobilefacenet", "fp32"): 5.0}
    assert [path.name for path in tmp_path.iterdir()] == [SPEED_FILE]


@pytest.mark.parametrize("other", [{"processor": "another"}, {"onnxruntime": "1.40.0"}, {"threads": 4}])
def test_a_verdict_of_another_processor_runtime_or_thread_count_does_not_count(tmp_path: Path, other: dict[str, object]) -> None:
    manifest = Manifest.load(default_models_dir())
    write_verdict(tmp_path, MACHINE, rows(manifest))
    assert fitting_speeds(tmp_path, manifest, dataclasses.replace(MACHINE, **other)) == {}


def test_a_file_that_has_changed_since_is_left_out_and_so_is_an_unknown_one(tmp_path: Path) -> None:
    manifest = Manifest.load(default_models_dir())
    int8, fp32 = rows(manifest)
    strangers = [Speed("facenet", "int8", 1.0, int8.sha256), dataclasses.replace(fp32, precision="fp16")]
    write_verdict(tmp_path, MACHINE, [dataclasses.replace(int8, sha256="0" * 64), fp32, *strangers])
    assert fitting_speeds(tmp_path, manifest, MACHINE) == {("mobilefacenet", "fp32"): 5.0}


@pytest.mark.parametrize(
    "content", ["", "[]", '{"processor": 1}', '{"processor":"a processor","onnxruntime":"1.32.0","threads":1,"speeds":[{}]}']
)
def test_a_damaged_verdict_is_passed_over_with_a_warning(tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / SPEED_FILE).write_text(content)
    with caplog.at_level(logging.WARNING):
        assert fitting_speeds(tmp_path, Manifest.load(default_models_dir()), MACHINE) == {}
    assert "run it again: blinkd models bench" in caplog.text


def test_without_a_verdict_nothing_is_known_and_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert fitting_speeds(tmp_path, Manifest.load(default_models_dir()), MACHINE) == {}
    assert caplog.text == ""


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"none/{SPEED_FILE}: cannot be written: .*BLINKD_STATE_DIR"):
        write_verdict(tmp_path / "none", MACHINE, [])


def test_the_verdict_says_what_it_depends_on(tmp_path: Path) -> None:
    path = write_verdict(tmp_path, MACHINE, rows(Manifest.load(default_models_dir())))
    data = json.loads(path.read_text())
    assert set(data) == {"processor", "onnxruntime", "threads", "speeds"}
    assert all(set(row) == {"model", "precision", "ms", "sha256"} for row in data["speeds"])
