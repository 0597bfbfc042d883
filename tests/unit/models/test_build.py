"""Building the committed networks again, and the commands around them."""

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from blinkd.cli.models import app
from blinkd.errors import ModelError
from blinkd.models.build import build, record, requantize
from blinkd.models.manifest import Manifest, ModelEntry, default_models_dir
from blinkd.models.packages import write_atomically
from blinkd.settings import VisionSettings


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    target = tmp_path / "models"
    shutil.copytree(default_models_dir(), target, ignore=shutil.ignore_patterns("sface.onnx", "*.ort"))
    return target


def invoke(models_dir: Path, *arguments: str) -> tuple[int, str, BaseException | None]:
    settings = SimpleNamespace(models_dir=models_dir, vision=VisionSettings())
    result = CliRunner().invoke(app, list(arguments), obj=settings)
    return result.exit_code, result.stdout, result.exception


@pytest.mark.sources
@pytest.mark.parametrize("name", ["mobilefacenet", "sface"])
def test_the_pinned_package_gives_the_bytes_of_the_manifest_again(models_dir: Path, name: str) -> None:
    manifest = Manifest.load(models_dir)
    for file in manifest.entry(name).files.values():
        (models_dir / file.path).unlink(missing_ok=True)
    built = build(manifest, name)
    assert [file.written for file in built] == [True, True]
    assert [file.written for file in build(manifest, name)] == [False, False]
    for file in built:
        assert hashlib.sha256(file.path.read_bytes()).hexdigest() == manifest.entry(name).files[file.precision].sha256
    committed = manifest.entry(name).files["int8"].path
    assert (models_dir / committed).read_bytes() == (default_models_dir() / committed).read_bytes()


@pytest.mark.sources
@pytest.mark.parametrize("name", ["minifasnet_v2", "minifasnet_v1se"])
def test_the_texture_networks_come_out_of_their_package_as_they_are_committed(models_dir: Path, name: str) -> None:
    manifest = Manifest.load(models_dir)
    path = manifest.path(name, "fp32")
    path.unlink(missing_ok=True)
    (built,) = build(manifest, name)
    assert built.written
    assert path.read_bytes() == (default_models_dir() / path.name).read_bytes()


@pytest.mark.sources
def test_a_build_that_comes_out_different_leaves_the_file_alone(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = Manifest.load(models_dir)
    monkeypatch.setattr("blinkd.models.build.source_bytes", lambda _entry, _cache: b"something else")
    before = (models_dir / "face_landmarker.task").read_bytes()
    with pytest.raises(ModelError, match=r"face_landmarker\.task: .* expected, but the build gave .*; nothing was written"):
        build(manifest, "face_landmarker")
    assert (models_dir / "face_landmarker.task").read_bytes() == before


@pytest.mark.sources
def test_a_torn_file_is_mended_by_build(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = models_dir / "face_detection_full_range.tflite"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])

    def from_package(entry: ModelEntry, _cache: Path | None) -> bytes:
        assert entry.name == "face_detection_full_range"
        return whole

    monkeypatch.setattr("blinkd.models.build.source_bytes", from_package)
    code, _, error = invoke(models_dir, "build", "face_detection_full_range")
    assert (code, error) == (0, None)
    assert path.read_bytes() == whole


@pytest.mark.sources
def test_a_new_quantisation_is_recorded_so_that_it_verifies(models_dir: Path) -> None:
    chance = np.random.default_rng(1)
    crops = [chance.integers(0, 256, (112, 112, 3), dtype=np.uint8) for _ in range(3)]
    (changed,) = requantize(Manifest.load(models_dir), "mobilefacenet", crops)
    assert changed.written
    manifest = Manifest.load(models_dir)
    assert hashlib.sha256(manifest.verified("mobilefacenet", "int8").content).hexdigest() == changed.sha256
    assert [file.written for file in build(manifest, "mobilefacenet")] == [False, False]


def test_a_model_without_int8_form_is_not_quantised(models_dir: Path) -> None:
    with pytest.raises(ModelError, match=r"no INT8 form.*mobilefacenet, sface"):
        requantize(Manifest.load(models_dir), "face_landmarker", [])


def test_recording_changes_two_lines_of_the_manifest_and_nothing_else(models_dir: Path) -> None:
    path = models_dir / "manifest.toml"
    before = path.read_text().splitlines()
    record(models_dir, Manifest.load(models_dir).entry("mobilefacenet").files["int8"], b"new")
    after = path.read_text().splitlines()
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [
        f'sha256 = "{hashlib.sha256(b"new").hexdigest()}"',
        "size = 3",
    ]


def test_an_interrupted_write_leaves_the_old_content_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.onnx"
    write_atomically(target, b"old")

    def power_cut(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("blinkd.models.packages.os.fsync", power_cut)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, b"new content")
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert target.read_bytes() == b"old"


def test_verify_reports_every_file_and_fails_for_a_swapped_one(models_dir: Path) -> None:
    code, out, _ = invoke(models_dir, "verify", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["ok"] is True
    assert {file["status"] for file in report["files"]} == {"ok", "not built"}
    shutil.copy(models_dir / "mobilefacenet.onnx", models_dir / "mobilefacenet_int8.onnx")
    (models_dir / "face_landmarker.task").unlink()
    code, out, _ = invoke(models_dir, "verify", "--json")
    assert code == 1
    states = {Path(file["path"]).name: file["status"] for file in json.loads(out)["files"]}
    assert states["mobilefacenet_int8.onnx"] == "torn"
    assert states["face_landmarker.task"] == "missing"
    code, out, _ = invoke(models_dir, "verify")
    assert code == 1
    assert "blinkd models build mobilefacenet" in out


def test_list_shows_sources_licences_and_what_is_not_built(models_dir: Path) -> None:
    code, out, _ = invoke(models_dir, "list", "--json")
    assert code == 0
    by_name = {entry["name"]: entry for entry in json.loads(out)}
    assert by_name["sface"]["files"]["fp32"]["state"] == "not built"
    assert by_name["mobilefacenet"]["default"] is True
    assert all(entry["licence"] and entry["source"]["archive_sha256"] for entry in by_name.values())
    code, out, _ = invoke(models_dir, "list")
    assert code == 0
    assert "not built" in out


def test_an_exported_network_gives_the_same_embeddings(models_dir: Path) -> None:
    from blinkd.models.runtime import open_session

    code, out, _ = invoke(models_dir, "export-ort", "--precision", "fp32", "--json")
    assert code == 0
    path = Path(json.loads(out)["path"])
    assert path.suffix == ".ort"
    tensor = np.random.default_rng(0).uniform(-1, 1, (1, 3, 112, 112)).astype(np.float32)
    original = models_dir / "mobilefacenet.onnx"
    ours, exported = (open_session(p, p.read_bytes(), 1).run(None, {"input": tensor})[0] for p in (original, path))
    assert np.allclose(ours, exported, atol=1e-4)


def test_wrong_usage_is_exit_code_2_and_a_refusal_is_an_error_of_ours(models_dir: Path) -> None:
    assert invoke(models_dir, "export-ort", "--precision", "fp8")[0] == 2
    _, _, error = invoke(models_dir, "export-ort", "--out", str(models_dir / "none" / "a.ort"))
    assert isinstance(error, ModelError)
    assert "a.ort: cannot be written" in str(error)
