"""The embedder: aligned crops in, unit vectors out whose dot product is the similarity of two faces."""

import logging
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.errors import ModelError
from blinkd.models.choice import choose_precision
from blinkd.models.manifest import SIMULATED_PREFIX, Manifest, VerifiedModel
from blinkd.models.processor import read_processor
from blinkd.models.runtime import open_session
from blinkd.models.speeds import Speeds
from blinkd.settings import VisionSettings
from blinkd.vision.preprocess import InputForm, LowLight, preprocess

Embeddings = npt.NDArray[np.float32]
EmbedderPrecision = Literal["int8", "fp32", "simulated"]

SIMULATED_SEED = 42
SIMULATED_SIDE = 28  # the crop is shrunk to it, so that the projection matrix stays at a few MB and small shifts change little
SMALLEST_NORM = 1e-12

log = logging.getLogger(__name__)


class Embedder(Protocol):
    """What the rest of the program knows of a face network. Vectors of different `model_id` must never be compared."""

    @property
    def model_id(self) -> str:
        """Name of the weights, stored with every template; a simulated one says so."""

    @property
    def dimension(self) -> int:
        """Length of the vectors."""

    @property
    def precision(self) -> EmbedderPrecision:
        """Which form of the network runs."""

    def embed(self, crops: Sequence[Image]) -> Embeddings:
        """Return float32 (N, dimension), each row of length 1, for crops uint8 (112, 112, 3) BGR made by `align`."""


class OnnxEmbedder:
    """A network under onnxruntime. INT8 and FP32 of one model share their model_id: their vectors may be compared."""

    def __init__(self, model: VerifiedModel, low_light: LowLight, threads: int) -> None:
        entry = model.entry
        if model.precision not in ("int8", "fp32") or entry.dimension is None:
            raise ModelError(f"model '{entry.name}' ({entry.kind}, {model.precision}) is no embedder; name one: blinkd models list")
        self._model_id = entry.name
        self._dimension = entry.dimension
        self._precision: EmbedderPrecision = model.precision
        self._low_light = low_light
        self._form = InputForm(entry.mean, entry.scale, entry.colour_order)
        self._session = open_session(model.path, model.content, threads)
        self._input = str(self._session.get_inputs()[0].name)

    @property
    def model_id(self) -> str:
        """The model's name in the manifest."""
        return self._model_id

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._dimension

    @property
    def precision(self) -> EmbedderPrecision:
        """int8 or fp32."""
        return self._precision

    def embed(self, crops: Sequence[Image]) -> Embeddings:
        """Return float32 (N, dimension) of unit length; crops are run one by one, so a vector never depends on its neighbours."""
        rows = np.empty((len(crops), self.dimension), np.float32)
        for row, crop in zip(rows, crops, strict=True):
            (output,) = self._session.run(None, {self._input: preprocess(crop, self._low_light, self._form)})
            row[:] = output.reshape(-1)
        return unit(rows)


class SimulatedEmbedder:
    """A fixed random projection in place of a network, for demo and tests: equal crops give equal vectors, and it knows no faces."""

    def __init__(self, stands_in_for: str, dimension: int, low_light: LowLight) -> None:
        self._model_id = SIMULATED_PREFIX + stands_in_for
        self._dimension = dimension
        self._low_light = low_light
        chance = np.random.default_rng(SIMULATED_SEED)
        self._projection = chance.standard_normal((3 * SIMULATED_SIDE**2, dimension)).astype(np.float32)

    @property
    def model_id(self) -> str:
        """Says that it is simulated, and which model it stands in for."""
        return self._model_id

    @property
    def dimension(self) -> int:
        """Length of the vectors, that of the model it stands in for."""
        return self._dimension

    @property
    def precision(self) -> EmbedderPrecision:
        """Always simulated."""
        return "simulated"

    def embed(self, crops: Sequence[Image]) -> Embeddings:
        """Return float32 (N, dimension) of unit length."""
        rows = np.empty((len(crops), self._dimension), np.float32)
        for row, crop in zip(rows, crops, strict=True):
            pixels = preprocess(crop, self._low_light, InputForm(), SIMULATED_SIDE).reshape(-1)
            row[:] = (pixels - pixels.mean()) @ self._projection  # without its mean: crops of equal light are not all alike
        return unit(rows)


def unit(rows: Embeddings) -> Embeddings:
    """Rows scaled to length 1."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), SMALLEST_NORM), np.float32)


def open_embedder(manifest: Manifest, settings: VisionSettings, speeds: Speeds | None = None, name: str | None = None) -> Embedder:
    """Open the embedder that the settings ask for: `embedder`, `precision`, `low_light*` and `threads`.

    embedder: a name in the manifest; auto takes `name`, what `choose` has found for the gallery, and without it the manifest's default.
    precision: auto takes what `choose_precision` says of `speeds` (the fitting verdict of `models bench`) and the processor; a file that
    is there but is not the one the manifest names is never passed over. The simulated one must be asked for by name.
    Raises ModelError naming the file and the remedy.
    """
    entry = manifest.entry((name or manifest.default_embedder) if settings.embedder == "auto" else settings.embedder)
    if entry.kind != "embedder" or entry.dimension is None:
        raise ModelError(f"model '{entry.name}' is a {entry.kind} network, no embedder; name one: blinkd models list")
    low_light = LowLight.from_settings(settings)
    if settings.precision == "simulated":
        log.warning("embeddings are simulated: nobody is recognised by them")
        return SimulatedEmbedder(entry.name, entry.dimension, low_light)
    if settings.precision == "auto":
        chosen, _ = choose_precision(manifest, entry.name, speeds or {}, read_processor())
    else:
        chosen = settings.precision
    return OnnxEmbedder(manifest.verified(entry.name, chosen), low_light, settings.threads)
