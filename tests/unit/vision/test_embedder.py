"""Embeddings, and which network gives them."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, VerifiedModel, default_models_dir
from blinkd.models.media import fetch_media
from blinkd.models.processor import Processor
from blinkd.settings import VisionSettings
from blinkd.vision.align import align
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.embedder import OnnxEmbedder, SimulatedEmbedder, open_embedder
from blinkd.vision.preprocess import LowLight


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    target = tmp_path / "models"
    shutil.copytree(default_models_dir(), target, ignore=shutil.ignore_patterns("sface.onnx", "*.ort", "*.task", "*.tflite"))
    return target


def some_crops(count: int = 3) -> list[np.ndarray]:
    """Smooth random pictures: blobs of light rather than noise, which no embedder has seen."""
    import cv2

    chance = np.random.default_rng(9)
    small = chance.integers(0, 256, (count, 7, 7, 3), dtype=np.uint8)
    return [cv2.resize(picture, (112, 112), interpolation=cv2.INTER_CUBIC) for picture in small]


@pytest.mark.parametrize("precision", ["int8", "fp32", "simulated"])
def test_embeddings_are_unit_length_and_do_not_depend_on_their_neighbours(precision: str) -> None:
    embedder = open_embedder(Manifest.load(default_models_dir()), VisionSettings(precision=precision))
    assert embedder.precision == precision
    crops = some_crops()
    together = embedder.embed(crops)
    assert together.shape == (3, embedder.dimension) == (3, 192)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.array_equal(together, np.concatenate([embedder.embed([crop]) for crop in crops]))
    assert embedder.embed([]).shape == (0, 192)


def test_int8_and_fp32_agree_on_real_faces_and_share_their_model_id() -> None:
    # measured on 3,073 LFW pictures: similarity of the two forms 0.987 in the mean, 0.953 at the least
    import cv2

    manifest = Manifest.load(default_models_dir())
    picture = cv2.imread(str(fetch_media() / "multi_face.jpg"))
    crops = [align(picture, face.points5) for face in FaceAnalyser(manifest, VisionSettings()).faces(picture)]
    assert len(crops) >= 3
    int8, fp32 = (open_embedder(manifest, VisionSettings(precision=precision)) for precision in ("int8", "fp32"))
    assert int8.model_id == fp32.model_id == "mobilefacenet"
    a, b = int8.embed(crops), fp32.embed(crops)
    assert np.sum(a * b, axis=1).min() > 0.95
    assert np.abs(a @ a.T - b @ b.T).max() < 0.1


@pytest.mark.parametrize(("instruction", "precision"), [("asimddp", "int8"), ("asimd", "fp32")])
def test_auto_goes_by_the_processor_until_bench_has_timed_both(instruction: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = Processor("board", True, frozenset({instruction}))
    monkeypatch.setattr("blinkd.vision.embedder.read_processor", lambda: processor)
    manifest = Manifest.load(default_models_dir())
    assert open_embedder(manifest, VisionSettings()).precision == precision
    for faster, slower in (("int8", "fp32"), ("fp32", "int8")):
        speeds = {("mobilefacenet", faster): 3.0, ("mobilefacenet", slower): 5.0}
        assert open_embedder(manifest, VisionSettings(), speeds).precision == faster


def test_auto_takes_the_embedder_that_was_chosen_for_the_gallery_and_a_named_one_stands() -> None:
    manifest = Manifest.load(default_models_dir())
    assert open_embedder(manifest, VisionSettings(), name="sface").model_id == "sface"
    assert open_embedder(manifest, VisionSettings(embedder="mobilefacenet"), name="sface").model_id == "mobilefacenet"
    assert open_embedder(manifest, VisionSettings()).model_id == manifest.default_embedder


def test_sface_knows_a_face_turned_to_grey_again_and_tells_it_from_others() -> None:
    import cv2

    manifest = Manifest.load(default_models_dir())
    picture = cv2.imread(str(fetch_media() / "multi_face.jpg"))
    crops = [align(picture, face.points5) for face in FaceAnalyser(manifest, VisionSettings()).faces(picture)]
    grey = [cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR) for crop in crops]
    embedder = open_embedder(manifest, VisionSettings(embedder="sface", precision="int8"))
    assert embedder.dimension == 128
    alike = embedder.embed(crops) @ embedder.embed(grey).T
    match = manifest.thresholds_of("sface").match
    assert np.diag(alike).min() > match
    assert (alike - 2 * np.eye(len(crops))).max() < match


def test_auto_falls_through_to_fp32_with_a_warning_when_int8_is_missing(models_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    (models_dir / "mobilefacenet_int8.onnx").unlink()
    with caplog.at_level(logging.WARNING):
        embedder = open_embedder(Manifest.load(models_dir), VisionSettings())
    assert embedder.precision == "fp32"
    assert "mobilefacenet_int8.onnx is missing" in caplog.text


def test_a_torn_or_swapped_int8_is_refused_rather_than_passed_over(models_dir: Path) -> None:
    path = models_dir / "mobilefacenet_int8.onnx"
    shutil.copy(models_dir / "mobilefacenet.onnx", path)
    with pytest.raises(ModelError, match=r"mobilefacenet_int8\.onnx: torn or swapped"):
        open_embedder(Manifest.load(models_dir), VisionSettings())


@pytest.mark.parametrize("precision", ["auto", "int8", "fp32"])
def test_without_any_file_it_is_an_error_and_never_a_simulation(models_dir: Path, precision: str) -> None:
    (models_dir / "mobilefacenet_int8.onnx").unlink()
    (models_dir / "mobilefacenet.onnx").unlink()
    with pytest.raises(ModelError, match="run: blinkd models build mobilefacenet"):
        open_embedder(Manifest.load(models_dir), VisionSettings(precision=precision))


def test_the_simulated_embedder_says_so_and_is_the_same_every_time(caplog: pytest.LogCaptureFixture) -> None:
    manifest = Manifest.load(default_models_dir())
    with caplog.at_level(logging.WARNING):
        first = open_embedder(manifest, VisionSettings(precision="simulated"))
    assert "simulated" in caplog.text
    assert first.model_id == "simulated-mobilefacenet"
    crops = some_crops()
    vectors = first.embed(crops)
    assert np.array_equal(vectors, SimulatedEmbedder("mobilefacenet", 192, LowLight()).embed(crops))
    assert (vectors @ vectors.T)[0, 1] < 0.5


def test_a_network_that_is_no_embedder_is_refused() -> None:
    with pytest.raises(ModelError, match="'face_landmarker' is a landmarks network"):
        open_embedder(Manifest.load(default_models_dir()), VisionSettings(embedder="face_landmarker"))
    with pytest.raises(ModelError, match="no model 'facenet'"):
        open_embedder(Manifest.load(default_models_dir()), VisionSettings(embedder="facenet"))


def test_bytes_that_the_runtime_refuses_are_named() -> None:
    entry = Manifest.load(default_models_dir()).entry("mobilefacenet")
    with pytest.raises(ModelError, match=r"broken\.onnx: onnxruntime cannot load it"):
        OnnxEmbedder(VerifiedModel(entry, "fp32", Path("broken.onnx"), b"no network"), LowLight(), 1)


def test_embedding_writes_nothing_into_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    program = (
        "import numpy as np\n"
        "from blinkd.models.manifest import Manifest, default_models_dir\n"
        "from blinkd.settings import VisionSettings\n"
        "from blinkd.vision.embedder import open_embedder\n"
        "embedder = open_embedder(Manifest.load(default_models_dir()), VisionSettings())\n"
        "print(embedder.embed([np.full((112, 112, 3), 90, np.uint8)]).shape)\n"
    )
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_", "BLINKD_"))}
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        env={**keep, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 192)"
    assert list(home.rglob("*")) == []


def test_importing_the_embedder_does_not_load_onnxruntime() -> None:
    program = "import sys, blinkd.vision.embedder, blinkd.cli.models; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"
