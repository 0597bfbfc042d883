"""Rewrites PReLU so that onnxruntime can run it fast; the network stays the same function.

onnxruntime's PRelu kernel takes half of MobileFaceNet's FP32 time and has no INT8 form. For a slope s <= 1

    PReLU(x) = max(x, s x) = x + Relu((s - 1) x).

FP32 takes the second form: a 1x1 depthwise convolution, a Relu and an addition, which onnxruntime fuses with their neighbours. INT8 takes
the first (`quantize`). Where s > 1, PReLU(x) = min(x, s x), and the convolutions on both sides help: for FP32 the channel changes its
sign, for -PReLU(x) = max(-x, -s x) is the same form of -x. For INT8, where a PReLU must not leave the range of its input, it becomes one
of slope 1/s: with v = -s x, -PReLU(x) = max(v, v/s).
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blinkd.models.graph import GraphView

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def turn_steep_channels(model: "ModelProto") -> "ModelProto":
    """The same function with no slope above 1. Raises ModelError when a channel with s > 1 does not stand between convolutions."""
    view = GraphView.of(model)
    for node in view.of_kind("PRelu"):
        slope = view.weights[node.input[1]].reshape(-1)
        steep = slope > 1
        if bool(steep.any()):
            view.scale_channels(node, np.where(steep, np.float32(-1), np.float32(1)))
            before, _ = view.convolutions_around(node)
            factors = np.where(steep, slope, np.float32(1))
            for name in before.input[1:]:
                view.weights[name] *= factors.reshape(-1, *[1] * (view.weights[name].ndim - 1))
            view.weights[node.input[1]] /= (factors * factors).reshape(view.weights[node.input[1]].shape)
    return view.rebuilt(list(model.graph.node))


def rewrite_prelu(model: "ModelProto") -> "ModelProto":
    """Return the model without PRelu nodes, in the FP32 form. Raises ModelError as `turn_steep_channels` does."""
    view = GraphView.of(model)
    replaced: dict[str, list[NodeProto]] = {}
    for node in view.of_kind("PRelu"):
        slope = view.weights[node.input[1]]
        if bool((slope > 1).any()):
            view.scale_channels(node, np.where(slope.reshape(-1) > 1, np.float32(-1), np.float32(1)))
        replaced[node.output[0]], weight, kernel = rewritten(node, slope)
        view.weights[weight] = kernel
    return view.rebuilt([new for node in model.graph.node for new in replaced.get(node.output[0], [node])])


def rewritten(node: "NodeProto", slope: npt.NDArray[np.float32]) -> tuple[list["NodeProto"], str, npt.NDArray[np.float32]]:
    """The three nodes for max(x, s x) in place of a PRelu of slopes (C, 1, 1), and name and values of the weight that they need."""
    from onnx import helper  # noqa: PLC0415 (build extra)

    source, target = node.input[0], node.output[0]
    weight, scaled, clipped = f"{target}_slope", f"{target}_scaled", f"{target}_clipped"
    kernel = (slope.reshape(-1, 1, 1, 1) - 1).astype(np.float32)
    nodes = [
        helper.make_node("Conv", [source, weight], [scaled], name=scaled, kernel_shape=[1, 1], group=len(kernel)),
        helper.make_node("Relu", [scaled], [clipped], name=clipped),
        helper.make_node("Add", [source, clipped], [target], name=f"{target}_joined"),
    ]
    return nodes, weight, kernel
