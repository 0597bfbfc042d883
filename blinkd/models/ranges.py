"""Runs a model and looks inside: the values of named tensors, and their smallest and largest over many inputs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blinkd.models.runtime import Session, import_onnxruntime, session_options

if TYPE_CHECKING:
    from onnx import ModelProto

Floats = npt.NDArray[np.float32]

SIGNIFICANT_DIGITS = 4  # to which ranges are kept: far finer than a step of 1/255


def run_tensors(model: "ModelProto", names: Sequence[str], tensors: Sequence[Floats]) -> Iterator[dict[str, Floats]]:
    """Yield the named tensors for each input, one input at a time and on one thread, so that the order of sums never changes."""
    import onnx  # noqa: PLC0415 (build extra)

    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    present = {item.name for item in opened.graph.output}
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    onnxruntime = import_onnxruntime()
    options = session_options(threads=1)
    # without the optimiser every named tensor still exists and means the same
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session: Session = onnxruntime.InferenceSession(opened.SerializeToString(), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0].name
    for tensor in tensors:
        yield dict(zip(names, session.run(list(names), {source: tensor}), strict=True))


def min_max(model: "ModelProto", names: Sequence[str], tensors: Sequence[Floats]) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of each named tensor over all inputs, rounded to SIGNIFICANT_DIGITS."""
    low = dict.fromkeys(names, np.inf)
    high = dict.fromkeys(names, -np.inf)
    for values in run_tensors(model, names, tensors):
        for name, value in values.items():
            low[name], high[name] = min(low[name], float(value.min())), max(high[name], float(value.max()))
    return {name: (_rounded(low[name]), _rounded(high[name])) for name in names}


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
