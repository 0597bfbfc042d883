"""Times the forms of a network against each other, in one run and alternating, because a box that gets warm slows down."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, Precision
from blinkd.models.runtime import import_onnxruntime, open_session, session_options

WARM_UP = 5
TIMED: tuple[Precision, ...] = ("int8", "fp32")


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds for one crop: median and 95th percentile."""

    precision: Precision
    median_ms: float
    p95_ms: float


def time_forms(manifest: Manifest, name: str, rounds: int, threads: int) -> list[Timing]:
    """Time every INT8 and FP32 form that is there, `rounds` runs each, taking turns. Raises ModelError when none is there."""
    entry = manifest.entry(name)
    forms = [precision for precision in TIMED if precision in entry.files and manifest.path(name, precision).exists()]
    if not forms:
        raise ModelError(f"model '{name}' has no INT8 or FP32 file to time; run: blinkd models build {name}")
    sessions = {}
    for precision in forms:
        model = manifest.verified(name, precision)
        sessions[precision] = open_session(model.path, model.content, threads)
    tensor = np.random.default_rng(0).uniform(-1, 1, (1, 3, 112, 112)).astype(np.float32)
    spent: dict[Precision, list[float]] = {precision: [] for precision in forms}
    for turn in range(WARM_UP + rounds):
        for precision, session in sessions.items():
            feed = {session.get_inputs()[0].name: tensor}
            begun = time.perf_counter()
            session.run(None, feed)
            if turn >= WARM_UP:
                spent[precision].append((time.perf_counter() - begun) * 1000)
    return [Timing(precision, _percentile(times, 50), _percentile(times, 95)) for precision, times in spent.items()]


def export_ort(manifest: Manifest, name: str, precision: Precision, target: Path) -> None:
    """Write onnxruntime's own format to `target`, optimised for this very machine; atomically. Raises ModelError.

    It starts faster and needs no ONNX parser; it is worth nothing on another kind of processor or release of onnxruntime.
    """
    model = manifest.verified(name, precision)
    if model.path.suffix != ".onnx":
        raise ModelError(f"{model.path}: only .onnx networks can be exported; name one: blinkd models list")
    try:
        with tempfile.TemporaryDirectory(prefix="tmp-", dir=target.parent) as folder:
            made = Path(folder) / target.name
            options = session_options(threads=1)
            options.optimized_model_filepath = str(made)
            options.add_session_config_entry("session.save_model_format", "ORT")
            import_onnxruntime().InferenceSession(model.content, options, providers=["CPUExecutionProvider"])
            made.replace(target)
    except OSError as error:
        raise ModelError(f"{target}: cannot be written: {error.strerror}; name another place with --out") from error


def _percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(np.asarray(values), share))
