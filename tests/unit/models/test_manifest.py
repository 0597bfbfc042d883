"""The manifest and the check of every file against it."""

import shutil
import tomllib
from pathlib import Path

import pytest

from blinkd.errors import ModelError
from blinkd.models.calibration import Calibration
from blinkd.models.choice import INT8_MAX_TAR_LOSS
from blinkd.models.manifest import MANIFEST_FILE, Manifest, default_models_dir
from blinkd.models.packages import package


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A copy of the models folder that a test may damage."""
    target = tmp_path / "models"
    shutil.copytree(default_models_dir(), target, ignore=shutil.ignore_patterns("sface.onnx", "*.ort"))
    return target


def test_every_committed_file_is_the_one_the_manifest_names() -> None:
    manifest = Manifest.load(default_models_dir())
    for entry in manifest.models.values():
        for precision, file in entry.files.items():
            if file.committed:
                model = manifest.verified(entry.name, precision)
                assert len(model.content) == file.size
                assert model.path.name == file.path


def test_a_file_too_large_for_the_repository_stays_out_of_wheels_and_history() -> None:
    root = default_models_dir().parent
    excluded = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"]
    ignored = (root / "models" / ".gitignore").read_text().splitlines()
    left_out = {
        file.path for entry in Manifest.load(default_models_dir()).models.values() for file in entry.files.values() if not file.committed
    }
    assert left_out == {"sface.onnx"}
    assert left_out <= set(excluded)
    assert left_out <= set(ignored)


def test_sources_are_those_that_the_program_pins() -> None:
    for entry in Manifest.load(default_models_dir()).models.values():
        pinned = package(entry.source.package)
        assert (pinned.version, pinned.sha256, pinned.registry) == (
            entry.source.version,
            entry.source.archive_sha256,
            entry.source.registry,
        )


@pytest.mark.parametrize("name", ["mobilefacenet", "sface"])
def test_int8_is_measured_beside_fp32_and_holds(name: str) -> None:
    measured = Manifest.load(default_models_dir()).entry(name).measured
    assert abs(measured["int8"].accuracy - measured["fp32"].accuracy) <= 0.002
    assert measured["fp32"].tar["1e-3"] - measured["int8"].tar["1e-3"] <= INT8_MAX_TAR_LOSS


def test_clahe_is_measured_to_cost_accuracy() -> None:
    fp32 = Manifest.load(default_models_dir()).entry("mobilefacenet").measured["fp32"]
    assert fp32.clahe_accuracy is not None
    assert fp32.clahe_accuracy < fp32.accuracy


@pytest.mark.parametrize("name", ["mobilefacenet", "sface"])
def test_the_calibration_covers_its_network(name: str) -> None:
    manifest = Manifest.load(default_models_dir())
    entry = manifest.entry(name)
    assert entry.calibration is not None
    calibration = Calibration.load(manifest.models_dir / entry.calibration)
    assert calibration.crops >= 200
    assert all(low < high for low, high in calibration.ranges.values())


def test_thresholds_belong_to_the_model_and_a_simulated_one_takes_those_it_stands_in_for() -> None:
    manifest = Manifest.load(default_models_dir())
    assert (manifest.thresholds_of("mobilefacenet").match, manifest.thresholds_of("mobilefacenet").uncertain) == (0.60, 0.40)
    assert manifest.thresholds_of("simulated-mobilefacenet") == manifest.thresholds_of("mobilefacenet")
    with pytest.raises(ModelError, match="has no thresholds"):
        manifest.thresholds_of("face_landmarker")


def test_a_torn_file_is_refused_by_name(models_dir: Path) -> None:
    path = models_dir / "mobilefacenet_int8.onnx"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        ModelError, match=r"mobilefacenet_int8\.onnx: torn or swapped: .* bytes found; run: blinkd models build mobilefacenet"
    ):
        Manifest.load(models_dir).verified("mobilefacenet", "int8")


def test_a_file_with_one_changed_bit_is_refused_with_both_hashes(models_dir: Path) -> None:
    path = models_dir / "mobilefacenet.onnx"
    content = bytearray(path.read_bytes())
    content[1_000_000] ^= 1
    path.write_bytes(content)
    manifest = Manifest.load(models_dir)
    expected = manifest.entry("mobilefacenet").files["fp32"].sha256
    with pytest.raises(ModelError, match=rf"mobilefacenet\.onnx: .*{expected} expected, [0-9a-f]{{64}} found; run: blinkd models build"):
        manifest.verified("mobilefacenet", "fp32")


def test_a_missing_file_is_named_with_its_remedy(models_dir: Path) -> None:
    (models_dir / "face_landmarker.task").unlink()
    with pytest.raises(ModelError, match=r"face_landmarker\.task: .* missing; run: blinkd models build face_landmarker"):
        Manifest.load(models_dir).verified("face_landmarker")


def test_an_unknown_model_or_precision_is_refused_with_what_there_is() -> None:
    manifest = Manifest.load(default_models_dir())
    with pytest.raises(ModelError, match=r"no model 'facenet'.*mobilefacenet"):
        manifest.entry("facenet")
    with pytest.raises(ModelError, match="has no int8 form; it has: fp16"):
        manifest.path("face_landmarker", "int8")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('path = "mobilefacenet.onnx"', 'path = "../mobilefacenet.onnx"', "model.4.files.fp32.path"),
        ("dimension = 192", "", "needs dimension"),
        ("match = 0.60", "match = 0.10", "match must not be below"),
        ('default_embedder = "mobilefacenet"', 'default_embedder = "face_landmarker"', "is no embedder"),
        ("version = 1", "version = ", "not valid TOML"),
        ('name = "sface"', 'name = "mobilefacenet"', "same name"),
    ],
)
def test_a_broken_manifest_is_refused_with_the_place(models_dir: Path, before: str, after: str, complaint: str) -> None:
    path = models_dir / MANIFEST_FILE
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(ModelError, match=complaint) as caught:
        Manifest.load(models_dir)
    assert str(path) in str(caught.value)


def test_a_folder_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.toml: no such file"):
        Manifest.load(tmp_path)
