"""Times the forms of embedders against each other, in one run and alternating, because a box that gets warm slows down."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, Precision
from blinkd.models.runtime import Session, open_session

WARM_UP = 5
TIMED: tuple[Precision, ...] = ("int8", "fp32")


class Timer(Protocol):
    """A clock in seconds that never goes back, as time.perf_counter."""

    def __call__(self) -> float:
        """Seconds since some moment."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds for one crop: median and 95th percentile."""

    model: str
    precision: Precision
    median_ms: float
    p95_ms: float


def time_forms(manifest: Manifest, names: Sequence[str], rounds: int, threads: int, timer: Timer = time.perf_counter) -> list[Timing]:
    """Time every INT8 and FP32 form of the named embedders that is there, `rounds` runs each, taking turns.

    Raises ModelError when a model is no embedder, a file is torn, or one of the models has no file.
    """
    sessions: dict[tuple[str, Precision], tuple[Session, npt.NDArray[np.float32]]] = {}
    crop = np.random.default_rng(0).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    for name in names:
        entry = manifest.entry(name)
        if entry.kind != "embedder":
            raise ModelError(f"model '{name}' is a {entry.kind} network, no embedder; name one: blinkd models list")
        forms = [precision for precision in TIMED if precision in entry.files and manifest.path(name, precision).exists()]
        if not forms:
            raise ModelError(f"model '{name}' has no INT8 or FP32 file to time; run: blinkd models build {name}")
        tensor = ((crop - np.float32(entry.mean)) / np.float32(entry.scale)).astype(np.float32)
        for precision in forms:
            model = manifest.verified(name, precision)
            sessions[name, precision] = open_session(model.path, model.content, threads), tensor
    spent: dict[tuple[str, Precision], list[float]] = {form: [] for form in sessions}
    for turn in range(WARM_UP + rounds):
        for form, (session, tensor) in sessions.items():
            feed = {session.get_inputs()[0].name: tensor}
            begun = timer()
            session.run(None, feed)
            if turn >= WARM_UP:
                spent[form].append((timer() - begun) * 1000)
    return [Timing(name, precision, _percentile(times, 50), _percentile(times, 95)) for (name, precision), times in spent.items()]


def _percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(np.asarray(values), share))
