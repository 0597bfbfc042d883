"""Reads MobileFaceNet.tflite into ONNX: convolutions, PReLU, residual additions and the final reshape; nothing else occurs in it.

Needs the `build` extra (onnx, tflite); a terminal that only runs the networks does not.
"""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Floats = npt.NDArray[np.float32]

INPUT_NAME, OUTPUT_NAME = "input", "embedding"
OPSET, IR_VERSION = 13, 8  # old enough for every onnxruntime since 1.8
PARTS_OF_PRELU = ("RELU", "ABS", "SUB", "MUL")  # how the file spells a PReLU, up to the ADD that joins them


def read_mobilefacenet(content: bytes) -> "ModelProto":
    """Convert the .tflite bytes to an ONNX model.

    Input `input` float32 (N, 3, 112, 112), output `embedding` float32 (N, D), not normalised. The conversion is a plain copy of
    weights, so equal bytes give an equal model. Raises ModelError when the file holds anything unexpected.
    """
    try:
        import onnx  # noqa: PLC0415

        tflite = importlib.import_module("tflite")  # untyped: so mypy asks for no stubs
    except ImportError as error:
        raise ModelError(f"converting models needs {error.name}; install the extra: pip install 'blinkd[build]'") from error
    return _Reader(content, onnx, tflite).convert()


class _Reader:
    """One conversion: walks the operators in order and notes what each tensor is called in ONNX."""

    def __init__(self, content: bytes, onnx: Any, tflite: Any) -> None:  # noqa: ANN401 (modules)
        self._onnx, self._tflite = onnx, tflite
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self._graph = self._model.Subgraphs(0)
        self._code_names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
        self._operators = [self._graph.Operators(index) for index in range(self._graph.OperatorsLength())]
        self._producer = {operator.Outputs(0): operator for operator in self._operators}
        self._names: dict[int, str] = {self._graph.Inputs(0): INPUT_NAME}
        self._nodes: list[NodeProto] = []
        self._weights: list[Any] = []

    def convert(self) -> "ModelProto":
        handlers: dict[str, Callable[[Any, str], None]] = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._convolution,
            "ADD": self._addition,
            "RESHAPE": self._flatten,
        }
        for index, operator in enumerate(self._operators):
            code = self._code(operator)
            if code in PARTS_OF_PRELU:
                continue
            if code not in handlers:
                raise ModelError(f"MobileFaceNet.tflite: operator {index} is {code}, which this network does not have; use the pinned file")
            handlers[code](operator, f"t{index}")
        helper = self._onnx.helper
        side, dimension = self._shape(self._graph.Inputs(0))[1], self._shape(self._graph.Outputs(0))[1]
        graph = helper.make_graph(
            self._nodes,
            "mobilefacenet",
            [helper.make_tensor_value_info(INPUT_NAME, self._onnx.TensorProto.FLOAT, ["N", 3, side, side])],
            [helper.make_tensor_value_info(OUTPUT_NAME, self._onnx.TensorProto.FLOAT, ["N", dimension])],
            self._weights,
        )
        model: ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="blinkd"
        )
        self._onnx.checker.check_model(model)
        return model

    def _convolution(self, operator: Any, output: str) -> None:  # noqa: ANN401 (flatbuffer accessors have no types)
        depthwise = self._code(operator) == "DEPTHWISE_CONV_2D"
        options = (self._tflite.DepthwiseConv2DOptions if depthwise else self._tflite.Conv2DOptions)()
        options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        if options.FusedActivationFunction() != self._tflite.ActivationFunctionType.NONE or options.DilationHFactor() != 1:
            raise ModelError("MobileFaceNet.tflite: a fused activation or dilation was not expected; use the pinned file")
        source, kernel_index, bias_index = operator.InputsAsNumpy()
        kernel = self._constant(kernel_index)
        # tflite: depthwise (1, h, w, C), plain (O, h, w, I); ONNX wants (C, 1, h, w) and (O, I, h, w)
        kernel = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
        stride, taps = options.StrideH(), kernel.shape[2]
        before = after = 0
        if options.Padding() == self._tflite.Padding.SAME:
            size_in, size_out = self._shape(source)[1], self._shape(operator.Outputs(0))[1]
            total = max((size_out - 1) * stride + taps - size_in, 0)
            before, after = total // 2, total - total // 2  # TensorFlow's SAME: the odd pixel goes to the end
        self._add(
            "Conv",
            [self._names[source], self._weight(kernel), self._weight(self._constant(bias_index))],
            operator,
            output,
            kernel_shape=[taps, taps],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=kernel.shape[0] if depthwise else 1,
        )

    def _addition(self, operator: Any, output: str) -> None:  # noqa: ANN401
        inputs = operator.InputsAsNumpy()
        parts = {self._code(self._producer[index]): self._producer[index] for index in inputs if index in self._producer}
        if "MUL" not in parts:
            self._add("Add", [self._names[index] for index in inputs], operator, output)
            return
        # relu(x) + c (x - |x|) is PReLU(x) with slope 2c
        half_slope = next(self._constant(index) for index in parts["MUL"].InputsAsNumpy() if self._is_constant(index))
        slope = self._weight(2 * half_slope.reshape(-1, 1, 1))
        self._add("PRelu", [self._names[parts["RELU"].Inputs(0)], slope], operator, output)

    def _flatten(self, operator: Any, _output: str) -> None:  # noqa: ANN401
        self._add("Flatten", [self._names[operator.Inputs(0)]], operator, OUTPUT_NAME, axis=1)

    def _add(self, kind: str, inputs: list[str], operator: Any, output: str, **attributes: object) -> None:  # noqa: ANN401
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [output], name=f"{kind.lower()}_{output}", **attributes))
        self._names[operator.Outputs(0)] = output

    def _weight(self, values: Floats) -> str:
        name = f"w{len(self._weights)}"
        self._weights.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def _code(self, operator: Any) -> str:  # noqa: ANN401
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        return str(self._code_names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())])

    def _shape(self, tensor: int) -> list[int]:
        return [int(size) for size in self._graph.Tensors(tensor).ShapeAsNumpy()]

    def _is_constant(self, tensor: int) -> bool:
        return bool(self._model.Buffers(self._graph.Tensors(tensor).Buffer()).DataLength())

    def _constant(self, tensor: int) -> Floats:
        described = self._graph.Tensors(tensor)
        if described.Type() != self._tflite.TensorType.FLOAT32 or not self._is_constant(tensor):
            raise ModelError(f"MobileFaceNet.tflite: tensor {tensor} should be a float32 constant; use the pinned file")
        raw = self._model.Buffers(described.Buffer()).DataAsNumpy().tobytes()
        return np.frombuffer(raw, np.float32).reshape(described.ShapeAsNumpy())
