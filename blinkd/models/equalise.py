"""Channel equalisation: makes the channels of a tensor alike in range, so that one INT8 scale serves them all.

PReLU is positively homogeneous, PReLU(q x) = q PReLU(x) for q > 0: a channel may be scaled before it and divided out in the convolutions
that follow, and the network stays the same function. The factor of a channel is (largest range / its range) ** exponent. A depthwise
convolution reads each channel with its own kernel and bears more of it than a pointwise one, whose kernels mix all channels and would
take over the spread into their own weights.

Factors are powers of two: scaling by them is exact in floating point, and a calibration on another processor, whose last digits differ,
gives the same ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blinkd.models.graph import GraphView
from blinkd.models.ranges import run_tensors

if TYPE_CHECKING:
    from onnx import ModelProto

Floats = npt.NDArray[np.float32]

RANGE_QUANTILE = 0.999  # of a channel's absolute values in one crop: single outliers do not count
SILENT_CHANNEL = 1e-3  # of the largest range; below it a channel is treated as if it had this range


@dataclass(frozen=True, slots=True)
class Exponents:
    """How far channels are made alike, 0 (left as they are) to 1 (all of one range), by the convolution that reads them."""

    before_depthwise: float
    before_pointwise: float


def equalising_steps(model: "ModelProto", tensors: Sequence[Floats], exponents: Exponents) -> dict[str, list[int]]:
    """Measure the channels after each PRelu of `model` on input tensors (1, 3, 112, 112).

    Returns for each PRelu output the powers of two, one a channel, by which its channels are to be scaled.
    """
    view = GraphView.of(model)
    nodes = view.of_kind("PRelu")
    names = [node.output[0] for node in nodes]
    totals = {name: np.zeros(1) for name in names}
    for values in run_tensors(model, names, tensors):
        for name, value in values.items():
            channels = np.abs(value).reshape(value.shape[1], -1)
            totals[name] = totals[name] + np.quantile(channels, RANGE_QUANTILE, axis=1)
    steps = {}
    for node in nodes:
        _, after = view.convolutions_around(node)
        exponent = exponents.before_depthwise if view.is_depthwise(after[0]) else exponents.before_pointwise
        ranges = np.maximum(totals[node.output[0]], SILENT_CHANNEL * totals[node.output[0]].max())
        steps[node.output[0]] = [int(step) for step in np.rint(exponent * np.log2(ranges.max() / ranges))]
    return steps


def equalise(model: "ModelProto", steps: Mapping[str, Sequence[int]]) -> "ModelProto":
    """Return the same function with each PRelu's channels scaled by 2 ** steps. Raises ModelError when the graph does not allow it."""
    view = GraphView.of(model)
    for node in view.of_kind("PRelu"):
        if node.output[0] in steps:
            view.scale_channels(node, np.ldexp(np.float32(1), np.asarray(steps[node.output[0]])).astype(np.float32))
    return view.rebuilt(list(model.graph.node))
