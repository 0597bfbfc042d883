"""What a technician asks: doctor, bench, the networks; and a network that somebody swapped."""

import shutil
from pathlib import Path

import pytest

from blinkd.models.manifest import default_models_dir
from tests.integration.faces.commands import blinkd


@pytest.fixture
def tampered(tmp_path: Path) -> Path:
    """The models with one byte of the embedder flipped."""
    folder = tmp_path / "models"
    shutil.copytree(default_models_dir(), folder, ignore=shutil.ignore_patterns("sface.onnx", "*.ort"))
    path = folder / "mobilefacenet_int8.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return folder


def test_doctor_looks_at_everything_and_is_content_when_a_recording_stands_in_for_the_camera(state: Path, media: Path) -> None:
    more = {"BLINKD_CAMERA__DRIVER": "file", "BLINKD_CAMERA__PATH": str(media / "single_face.mp4")}
    done = blinkd("doctor", "--json", state=state, **more)
    report = done.json
    assert set(report) == {"ok", "checks"}
    assert {"state", "store", "models", "embedder", "camera", "clock"} <= {check["name"] for check in report["checks"]}
    for check in report["checks"]:
        assert set(check) == {"name", "status", "detail", "fix"}
        assert check["status"] in ("ok", "warn", "fail")
        assert check["detail"]
        assert (check["fix"] == "") == (check["status"] == "ok"), check
    assert report["ok"] == all(check["status"] != "fail" for check in report["checks"])
    assert report["ok"], report
    assert done.code == 0


def test_doctor_fails_with_a_remedy_when_the_camera_is_missing_and_goes_on_with_the_rest(state: Path) -> None:
    done = blinkd("doctor", "--json", state=state, BLINKD_CAMERA__DRIVER="v4l2", BLINKD_CAMERA__DEVICE="/dev/video-missing")
    assert done.code == 1
    report = done.json
    assert report["ok"] is False
    (camera,) = [check for check in report["checks"] if check["name"] == "camera"]
    assert camera["status"] == "fail"
    assert "/dev/video-missing" in camera["detail"]
    assert camera["fix"]
    assert "clock" in {check["name"] for check in report["checks"]}


@pytest.mark.slow
def test_bench_times_every_stage(empty: Path) -> None:
    done = blinkd("bench", "--repeats", "5", "--json", state=empty)
    assert done.code == 0, done.err
    report = done.json
    assert {"detect_ms", "track_ms", "crop_ms", "embed_ms"} <= set(report["stages"])
    for timing in report["stages"].values():
        assert 0 < timing["p50"] <= timing["p95"]
    assert set(report["search"]) == set(report["reading"]) == set(report["search_ratio"]) == {"10000", "100000"}
    assert 0 < report["search"]["10000"] < report["search"]["100000"]
    assert report["frame_ms"] > 0
    assert 50 < report["rss_mb"] < 3000
    assert report["model_precision"] == "int8"


def test_models_are_listed_and_verified(empty: Path) -> None:
    listed = blinkd("models", "list", "--json", state=empty).json
    assert {"mobilefacenet", "face_landmarker", "face_detection_full_range"} <= {model["name"] for model in listed}
    assert [model["name"] for model in listed if model["default"]] == ["mobilefacenet"]
    verified = blinkd("models", "verify", "--json", state=empty)
    assert verified.code == 0
    assert verified.json["ok"] is True


@pytest.mark.parametrize("command", ["identify", "embed"])
def test_a_swapped_network_is_refused_by_name(command: str, tampered: Path, media: Path, empty: Path) -> None:
    done = blinkd(command, media / "single_face.jpg", "--json", state=empty, BLINKD_MODELS_DIR=str(tampered))
    assert (done.code, done.out) == (1, "")
    assert "mobilefacenet_int8.onnx" in done.err
    assert "torn or swapped" in done.err
    assert "Traceback" not in done.err


def test_verify_and_doctor_point_at_the_swapped_network(tampered: Path, empty: Path) -> None:
    verified = blinkd("models", "verify", "--json", state=empty, BLINKD_MODELS_DIR=str(tampered))
    assert verified.code == 1
    bad = [file for file in verified.json["files"] if file["status"] == "torn"]
    assert [Path(file["path"]).name for file in bad] == ["mobilefacenet_int8.onnx"]
    checks = {check["name"]: check for check in blinkd("doctor", "--json", state=empty, BLINKD_MODELS_DIR=str(tampered)).json["checks"]}
    assert checks["models"]["status"] == "fail"
    assert "mobilefacenet_int8.onnx" in checks["models"]["detail"]


def test_the_swapped_form_harms_nobody_who_uses_the_other(tampered: Path, media: Path, empty: Path) -> None:
    done = blinkd(
        "embed",
        media / "single_face.jpg",
        "--json",
        state=empty,
        BLINKD_MODELS_DIR=str(tampered),
        BLINKD_VISION__PRECISION="fp32",
    )
    assert (done.code, done.json["model_precision"]) == (0, "fp32")


def test_demo_leaves_nothing_behind(empty: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = blinkd("demo", "--json", state=empty, TMPDIR=str(scratch))
    assert done.code == 0
    assert len(done.events("punch")) == 1
    assert not empty.exists()
