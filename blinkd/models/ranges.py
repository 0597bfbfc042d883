"""Runs a model and looks inside: the values of named tensors, and the bounds that they usually keep."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blinkd.models.runtime import Session, import_onnxruntime, session_options

if TYPE_CHECKING:
    from onnx import ModelProto

Floats = npt.NDArray[np.float32]

# Of the inputs: the outliers of the rest are cut off, for all others are then rounded more finely. By the cosine to FP32's embeddings
# (mean over 512 LFW crops) with the share 1: 0.9919 MobileFaceNet, 0.9923 SFace; 0.98: 0.9934, 0.9941; 0.9: 0.9939, 0.9948;
# 0.75: 0.9938, 0.9954; 0.5: 0.9929, 0.9953.
RANGE_SHARE = 0.9
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


def usual_ranges(model: "ModelProto", names: Sequence[str], tensors: Sequence[Floats]) -> dict[str, tuple[float, float]]:
    """For each named tensor the bounds that RANGE_SHARE of the inputs keep below, and above, rounded to SIGNIFICANT_DIGITS."""
    low: dict[str, list[float]] = {name: [] for name in names}
    high: dict[str, list[float]] = {name: [] for name in names}
    for values in run_tensors(model, names, tensors):
        for name, value in values.items():
            low[name].append(float(value.min()))
            high[name].append(float(value.max()))
    return {name: (_rounded(np.quantile(low[name], 1 - RANGE_SHARE)), _rounded(np.quantile(high[name], RANGE_SHARE))) for name in names}


def _rounded(value: float | np.float64) -> float:
    return float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")
