"""Static INT8 in the QDQ form: QuantizeLinear and DequantizeLinear around every convolution and addition but the first few.

Activations are unsigned 8 bit with one scale each, weights signed 8 bit with one scale for each output channel, biases 32 bit. (Signed
activations run at half the speed of FP32 on x86, one scale for a whole kernel destroys the embedding.) The work is done here rather
than by a library's quantiser, because the bytes that come out have to be the same next year: the manifest names their sha256.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError
from blinkd.models.graph import GraphView

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Floats = npt.NDArray[np.float32]
Ranges = Mapping[str, tuple[float, float]]

U8_STEPS, S8_LIMIT = 255, 127
SMALLEST_SCALE = 1e-12  # of a kernel that is zero all over


def activation_names(model: "ModelProto", float_nodes: int = 0) -> list[str]:
    """The tensors whose ranges `quantize` needs: the input and what each node hands on, where a Relu stands the tensor behind it.

    float_nodes: so many nodes at the beginning stay in FP32; only what the last of them hands on counts.
    """
    view = GraphView.of(model)
    names = [] if float_nodes else [model.graph.input[0].name]
    for node in model.graph.node[max(0, float_nodes - 1) :]:
        if node.op_type in ("Conv", "Add", "Relu") and not _only_relu_reads(view, node.output[0]):
            names.append(node.output[0])
    return names


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
    """Return the INT8 form of a model of Conv, Relu, Add and Flatten; ranges: smallest and largest of each of `activation_names`.

    float_nodes: so many nodes at the beginning stay in FP32; together they have one output.

    Raises ModelError when a range is missing or the model holds another operator.
    """
    return _Quantizer(model, ranges).result(float_nodes)


def _only_relu_reads(view: GraphView, name: str) -> bool:
    readers = view.consumers.get(name, [])
    return len(readers) == 1 and readers[0].op_type == "Relu"


class _Quantizer:
    """One pass over the nodes in order; `_readable` says under which name a tensor's quantised value is read."""

    def __init__(self, model: "ModelProto", ranges: Ranges) -> None:
        self._view = GraphView.of(model)
        self._ranges = ranges
        self._nodes: list[NodeProto] = []
        self._readable: dict[str, str] = {}
        self._constants: dict[str, npt.NDArray[np.generic]] = {}
        self._scales: dict[str, np.float32] = {}

    def result(self, float_nodes: int) -> "ModelProto":
        import onnx  # noqa: PLC0415 (build extra)

        graph = self._view.model.graph
        for node in graph.node[:float_nodes]:
            self._in_float(node)
        first = graph.node[float_nodes - 1].output[0] if float_nodes else graph.input[0].name
        self._round_trip(first, first)
        for node in graph.node[float_nodes:]:
            if node.op_type == "Conv":
                self._convolution(node)
            elif node.op_type == "Relu":
                # U8 with zero point 0 cuts off what is negative: the rounding of the tensor behind it is the Relu
                if not _only_relu_reads(self._view, node.input[0]):
                    raise ModelError(f"node '{node.name}': a Relu must be the only reader of its input; rewrite PReLU first")
                self._round_trip(node.input[0], node.output[0])
            elif node.op_type == "Add":
                self._keep(node, [self._readable[name] for name in node.input])
            elif node.op_type == "Flatten":
                self._keep(node, [self._readable[node.input[0]]])
            else:
                raise ModelError(f"node '{node.name}': {node.op_type} has no INT8 form here; rewrite PReLU first")
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
        kernel = self._view.weights[node.input[1]]
        scales = weight_scales(kernel)
        rounded = np.clip(np.rint(kernel / scales.reshape(-1, 1, 1, 1)), -S8_LIMIT, S8_LIMIT).astype(np.int8)
        weight = self._dequantized(f"{output}_weight", rounded, scales)
        inputs = [self._readable[node.input[0]], weight]
        if len(node.input) > 2:
            bias_scales = (scales * self._scales[node.input[0]]).astype(np.float32)
            bias = self._view.weights[node.input[2]].astype(np.float64) / bias_scales
            limit = np.iinfo(np.int32).max
            inputs.append(self._dequantized(f"{output}_bias", np.clip(np.rint(bias), -limit, limit).astype(np.int32), bias_scales))
        new = helper.make_node("Conv", inputs, [output], name=node.name)
        new.attribute.extend(node.attribute)
        self._nodes.append(new)
        if not _only_relu_reads(self._view, output):
            self._round_trip(output, output)

    def _in_float(self, node: "NodeProto") -> None:
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
            self._round_trip(node.output[0], node.output[0])

    def _round_trip(self, source: str, name: str) -> None:
        """Quantise the tensor `source` by the range of `name` and dequantise it again; readers of `name` read that."""
        from onnx import helper  # noqa: PLC0415 (build extra)

        if name not in self._ranges:
            raise ModelError(f"calibration: no range for tensor '{name}'; run: blinkd models quantize")
        scale, zero = activation_scale(*self._ranges[name])
        self._scales[name] = scale
        parameters = self._constant(f"{name}_scale", np.asarray(scale)), self._constant(f"{name}_zero", np.asarray(zero))
        stored, read = f"{name}_u8", f"{name}_read"
        self._nodes.append(helper.make_node("QuantizeLinear", [source, *parameters], [stored], name=stored))
        self._nodes.append(helper.make_node("DequantizeLinear", [stored, *parameters], [read], name=read))
        self._readable[name] = read

    def _dequantized(self, name: str, values: npt.NDArray[np.generic], scales: Floats) -> str:
        from onnx import helper  # noqa: PLC0415 (build extra)

        zeros = np.zeros(len(scales), values.dtype)
        inputs = [self._constant(name, values), self._constant(f"{name}_scale", scales), self._constant(f"{name}_zero", zeros)]
        self._nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_read"], name=f"{name}_read", axis=0))
        return f"{name}_read"

    def _constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self._constants[name] = value
        return name
