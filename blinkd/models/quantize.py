"""Static INT8 in the QDQ form: QuantizeLinear and DequantizeLinear around every convolution and addition but the first few.

Activations are unsigned 8 bit with one scale each, weights signed 8 bit with one scale for each output channel, biases 32 bit. (Signed
activations run at half the speed of FP32 on x86, one scale for a whole kernel destroys the embedding.) PReLU(x) = max(x, s x) becomes a
1x1 depthwise convolution by s, whose output is rounded to the steps of x, and a maximum of two unsigned bytes: nothing is rounded a
second time where x is positive. (As x + Relu((s - 1) x), the form that suits FP32, MobileFaceNet took 8 % longer, and its embeddings
lay further from those of FP32.) The work is done here rather than by a library's quantiser, because the bytes that come out have to be
the same next year: the manifest names their sha256.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError
from blinkd.models.graph import GraphView
from blinkd.models.prelu import rewritten

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Floats = npt.NDArray[np.float32]
Ranges = Mapping[str, tuple[float, float]]

U8_STEPS, S8_LIMIT = 255, 127
SMALLEST_SCALE = 1e-12  # of a kernel that is zero all over


def activation_names(model: "ModelProto", float_nodes: int = 0) -> list[str]:
    """The tensors whose ranges `quantize` needs: what enters the INT8 part, and what each convolution and addition in it hands on.

    float_nodes: so many nodes at the beginning stay in FP32; only what the last of them hands on counts.
    """
    nodes = model.graph.node
    entering = nodes[float_nodes - 1].output[0] if float_nodes else model.graph.input[0].name
    return [entering, *(node.output[0] for node in nodes[float_nodes:] if node.op_type in ("Conv", "Add"))]


def activation_scale(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Scale and zero point of U8 for values between low and high; zero is always represented exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32(max((high - low) / U8_STEPS, SMALLEST_SCALE))
    return scale, np.uint8(np.clip(np.rint(-low / float(scale)), 0, U8_STEPS))


def weight_scales(kernel: Floats) -> Floats:
    """Scale of S8 for each output channel (C,) of a kernel (C, ...)."""
    largest = np.abs(kernel).reshape(len(kernel), -1).max(axis=1)
    return np.asarray(np.maximum(largest / S8_LIMIT, SMALLEST_SCALE), np.float32)


def quantize(model: "ModelProto", ranges: Ranges, float_nodes: int = 0) -> "ModelProto":
    """Return the INT8 form of a model of Conv, PRelu (slopes at most 1), Add and Flatten.

    ranges: smallest and largest of each of `activation_names`; float_nodes: so many nodes at the beginning stay in FP32, where other
    operators may stand too; together they have one output.

    Raises ModelError when a range is missing, a slope is above 1 or the INT8 part holds another operator.
    """
    return _Quantizer(model, ranges).result(float_nodes)


class _Quantizer:
    """One pass over the nodes in order; `_readable` says under which name a tensor's quantised value is read."""

    def __init__(self, model: "ModelProto", ranges: Ranges) -> None:
        self._view = GraphView.of(model)
        self._ranges = ranges
        self._nodes: list[NodeProto] = []
        self._readable: dict[str, str] = {}
        self._constants: dict[str, npt.NDArray[np.generic]] = {}
        self._scales: dict[str, np.float32] = {}
        self._steps: dict[str, str] = {}  # the tensor whose scale and zero point this one has

    def result(self, float_nodes: int) -> "ModelProto":
        import onnx  # noqa: PLC0415 (build extra)

        graph = self._view.model.graph
        for node in graph.node[:float_nodes]:
            self._in_float(node)
        self._round_trip(graph.node[float_nodes - 1].output[0] if float_nodes else graph.input[0].name)
        for node in graph.node[float_nodes:]:
            if node.op_type == "Conv":
                self._convolution(node)
            elif node.op_type == "PRelu":
                self._prelu(node)
            elif node.op_type == "Add":
                self._keep(node, [self._readable[name] for name in node.input])
            elif node.op_type == "Flatten":
                self._keep(node, [self._readable[node.input[0]]])
            else:
                raise ModelError(f"node '{node.name}': {node.op_type} has no INT8 form here; use the pinned file")
        model = onnx.ModelProto()
        model.CopyFrom(self._view.model)
        del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
        model.graph.node.extend(self._nodes)
        model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in self._constants.items())
        onnx.checker.check_model(model)
        return model

    def _convolution(self, node: "NodeProto") -> None:
        from onnx import helper  # noqa: PLC0415 (build extra)

        output = node.output[0]
        weight, scales = self._kernel(f"{output}_weight", self._view.weights[node.input[1]])
        inputs = [self._readable[node.input[0]], weight]
        if len(node.input) > 2:
            bias_scales = (scales * self._scales[node.input[0]]).astype(np.float32)
            bias = self._view.weights[node.input[2]].astype(np.float64) / bias_scales
            limit = np.iinfo(np.int32).max
            inputs.append(self._dequantized(f"{output}_bias", np.clip(np.rint(bias), -limit, limit).astype(np.int32), bias_scales))
        new = helper.make_node("Conv", inputs, [output], name=node.name)
        new.attribute.extend(node.attribute)
        self._nodes.append(new)
        self._round_trip(output)

    def _prelu(self, node: "NodeProto") -> None:
        from onnx import helper  # noqa: PLC0415 (build extra)

        source, output = node.input[0], node.output[0]
        slope = self._view.weights[node.input[1]].reshape(-1, 1, 1, 1)
        if bool((slope > 1).any()):
            raise ModelError(f"node '{node.name}': a slope above 1 has no INT8 form; turn the steep channels first")
        scaled, stored, read = f"{output}_scaled", f"{output}_u8", f"{output}_read"
        weight, _ = self._kernel(f"{output}_slope", slope)
        self._nodes.append(
            helper.make_node("Conv", [self._readable[source], weight], [scaled], name=scaled, kernel_shape=[1, 1], group=len(slope))
        )
        steps = f"{self._steps[source]}_scale", f"{self._steps[source]}_zero"
        self._nodes.append(helper.make_node("QuantizeLinear", [scaled, *steps], [f"{scaled}_u8"], name=f"{scaled}_u8"))
        # onnxruntime's quantiser knows no Max; bytes of one scale and zero point can be compared as they are
        self._nodes.append(helper.make_node("Max", [f"{source}_u8", f"{scaled}_u8"], [stored], name=stored))
        self._nodes.append(helper.make_node("DequantizeLinear", [stored, *steps], [read], name=read))
        self._readable[output], self._scales[output], self._steps[output] = read, self._scales[source], self._steps[source]

    def _in_float(self, node: "NodeProto") -> None:
        if node.op_type == "PRelu":
            nodes, weight, kernel = rewritten(node, self._view.weights[node.input[1]])
            self._nodes += nodes
            self._constant(weight, kernel)
            return
        self._nodes.append(node)
        for name in node.input:
            if name in self._view.weights:
                self._constant(name, self._view.weights[name])

    def _keep(self, node: "NodeProto", inputs: list[str]) -> None:
        from onnx import helper  # noqa: PLC0415 (build extra)

        new = helper.make_node(node.op_type, inputs, list(node.output), name=node.name)
        new.attribute.extend(node.attribute)
        self._nodes.append(new)
        if node.op_type == "Add":
            self._round_trip(node.output[0])

    def _round_trip(self, name: str) -> None:
        """Quantise a tensor by its range and dequantise it again; readers of `name` read that."""
        from onnx import helper  # noqa: PLC0415 (build extra)

        if name not in self._ranges:
            raise ModelError(f"calibration: no range for tensor '{name}'; run: blinkd models quantize")
        scale, zero = activation_scale(*self._ranges[name])
        self._scales[name], self._steps[name] = scale, name
        parameters = self._constant(f"{name}_scale", np.asarray(scale)), self._constant(f"{name}_zero", np.asarray(zero))
        stored, read = f"{name}_u8", f"{name}_read"
        self._nodes.append(helper.make_node("QuantizeLinear", [name, *parameters], [stored], name=stored))
        self._nodes.append(helper.make_node("DequantizeLinear", [stored, *parameters], [read], name=read))
        self._readable[name] = read

    def _kernel(self, name: str, kernel: Floats) -> tuple[str, Floats]:
        """Name under which the rounded kernel is read, and the scale of each of its output channels."""
        scales = weight_scales(kernel)
        rounded = np.clip(np.rint(kernel / scales.reshape(-1, 1, 1, 1)), -S8_LIMIT, S8_LIMIT).astype(np.int8)
        return self._dequantized(name, rounded, scales), scales

    def _dequantized(self, name: str, values: npt.NDArray[np.generic], scales: Floats) -> str:
        from onnx import helper  # noqa: PLC0415 (build extra)

        zeros = np.zeros(len(scales), values.dtype)
        inputs = [self._constant(name, values), self._constant(f"{name}_scale", scales), self._constant(f"{name}_zero", zeros)]
        self._nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_read"], name=f"{name}_read", axis=0))
        return f"{name}_read"

    def _constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self._constants[name] = value
        return name
