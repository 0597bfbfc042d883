"""`models bench`: every embedder that is here, both forms, and the verdict that auto goes by."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blinkd.cli.models import app
from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, default_models_dir
from blinkd.models.processor import read_processor
from blinkd.models.speeds import SPEED_FILE, Machine, fitting_speeds
from blinkd.settings import VisionSettings


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    target = tmp_path / "models"
    shutil.copytree(default_models_dir(), target, ignore=shutil.ignore_patterns("sface.onnx", "*.ort", "*.task", "*.tflite"))
    return target


def bench(models_dir: Path, state_dir: Path, *arguments: str) -> Result:
    settings: Any = SimpleNamespace(models_dir=models_dir, state_dir=state_dir, vision=VisionSettings())
    return CliRunner().invoke(app, ["bench", "--rounds", "2", *arguments], obj=settings)


def test_bench_times_what_is_here_and_shows_measured_accuracy_beside_it(models_dir: Path, tmp_path: Path) -> None:
    report = json.loads(bench(models_dir, tmp_path, "--json").stdout)
    by_name = {model["model"]: model for model in report["models"]}
    assert {name: set(model["forms"]) for name, model in by_name.items()} == {"mobilefacenet": {"int8", "fp32"}, "sface": {"int8"}}
    for model in by_name.values():
        for form in model["forms"].values():
            assert 0 < form["median_ms"] <= form["p95_ms"]
            assert 0.99 < form["accuracy"] < 1
            assert form["tar"]["1e-3"] > form["tar"]["1e-5"] > 0.8
        assert model["auto"]["precision"] in model["forms"]
        assert model["auto"]["reason"]
    forms = by_name["mobilefacenet"]["forms"]
    assert by_name["mobilefacenet"]["int8_over_fp32"] == pytest.approx(forms["int8"]["median_ms"] / forms["fp32"]["median_ms"], rel=0.01)
    assert by_name["sface"]["int8_over_fp32"] is None
    assert [row["templates"] for row in report["auto"]] == [10, 100, 1_000, 10_000]


def test_the_verdict_is_kept_and_fits_this_machine(models_dir: Path, tmp_path: Path) -> None:
    report = json.loads(bench(models_dir, tmp_path, "--json").stdout)
    assert report["verdict"] == str(tmp_path / SPEED_FILE)
    manifest = Manifest.load(models_dir)
    speeds = fitting_speeds(tmp_path, manifest, Machine.at_hand(read_processor(), threads=1))
    timed = {(model["model"], precision): form["median_ms"] for model in report["models"] for precision, form in model["forms"].items()}
    assert speeds == timed


def test_a_state_folder_that_cannot_be_written_is_said_and_the_times_are_shown_all_the_same(models_dir: Path, tmp_path: Path) -> None:
    result = bench(models_dir, tmp_path / "none")
    assert result.exit_code == 0
    assert "the verdict is not kept" in result.stderr
    assert "mobilefacenet" in result.stdout
    assert "embedder auto, 1000 templates" in result.stdout


def test_one_named_model_is_timed_alone_and_leaves_the_verdict_as_it_is(models_dir: Path, tmp_path: Path) -> None:
    report = json.loads(bench(models_dir, tmp_path, "sface", "--json").stdout)
    assert [model["model"] for model in report["models"]] == ["sface"]
    assert report["verdict"] is None
    assert not (tmp_path / SPEED_FILE).exists()


def test_what_cannot_be_timed_is_refused_with_the_remedy(models_dir: Path, tmp_path: Path) -> None:
    (models_dir / "sface_int8.onnx").unlink()
    for name, complaint in (("sface", "blinkd models build sface"), ("face_landmarker", "no embedder")):
        error = bench(models_dir, tmp_path, name).exception
        assert isinstance(error, ModelError)
        assert complaint in str(error)
