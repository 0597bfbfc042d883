"""Reads SFace as OpenCV's zoo publishes it, and brings it into the form that the rewriting steps know: Conv, PRelu and one Flatten.

The published network is Sub, Mul, 27 times (Conv, BatchNormalization, PRelu), BatchNormalization, Dropout, Flatten, Gemm,
BatchNormalization. At inference a normalisation is a factor and a shift for each channel,

    y = gamma (x - mean) / sqrt(variance + epsilon) + beta,

which the convolution before it takes into kernel and bias. The one after the last PRelu goes into the Gemm behind it, which no padding
separates from it, and the Gemm is a convolution over the whole 7x7 plane. Sub and Mul stay: the first convolution pads with zeros that
stand for (127.5 - 127.5) / 128, so a shift taken into its kernel would be wrong along the border.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError
from blinkd.models.graph import GraphView

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPSET, IR_VERSION = 13, 8  # as MobileFaceNet: the first opset whose DequantizeLinear has scales for each channel
LAST_PLANE = 7  # height and width in front of the Gemm

Doubles = npt.NDArray[np.float64]


def read_sface(content: bytes) -> "ModelProto":
    """The same function from the published file, without normalisations, and with the input and output names that it has there.

    Raises ModelError when the network is built in another way.
    """
    import onnx  # noqa: PLC0415 (build extra)

    published = onnx.load_model_from_string(content)
    folded = _Folder(GraphView.of(published))
    nodes = folded.nodes()
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes,
            "sface",
            [item for item in published.graph.input if item.name == nodes[0].input[0]],
            list(published.graph.output),
            [onnx.numpy_helper.from_array(values, name) for name, values in folded.weights.items()],
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="blinkd",
    )
    onnx.checker.check_model(model)
    return model


class _Folder:
    """One pass over the nodes in order; sums are taken in double precision and rounded once."""

    def __init__(self, view: GraphView) -> None:
        self._view = view
        self._nodes: list[NodeProto] = []
        self._kernels: dict[str, tuple[Doubles, Doubles]] = {}  # kernel and bias of each convolution, by the name of its output
        self._pending: dict[str, tuple[Doubles, Doubles]] = {}  # factor and shift that the reader of this tensor must take in
        self._same_as: dict[str, str] = {}  # tensors that are gone, and the one to read instead
        self.weights: dict[str, npt.NDArray[np.float32]] = {}

    def nodes(self) -> list["NodeProto"]:
        """The new nodes; `weights` is complete after it."""
        handlers = {
            "Sub": self._keep,
            "Mul": self._keep,
            "PRelu": self._keep,
            "Conv": self._convolution,
            "BatchNormalization": self._normalisation,
            "Dropout": self._skip,
            "Flatten": self._skip,
            "Gemm": self._gemm,
        }
        for node in self._view.model.graph.node:
            if node.op_type not in handlers:
                raise ModelError(f"SFace: node '{node.name}' is {node.op_type}, which this network does not have; use the pinned file")
            handlers[node.op_type](node)
        self._flatten_the_last()
        for name, (kernel, bias) in self._kernels.items():
            self.weights[f"{name}_kernel"] = kernel.astype(np.float32)
            self.weights[f"{name}_bias"] = bias.astype(np.float32)
        return self._nodes

    def _read(self, name: str) -> str:
        return self._same_as.get(name, name)

    def _keep(self, node: "NodeProto") -> None:
        from onnx import helper  # noqa: PLC0415 (build extra)

        constant = node.input[1]
        self.weights[constant] = self._view.weights[constant]
        self._nodes.append(helper.make_node(node.op_type, [self._read(node.input[0]), constant], list(node.output), name=node.name))

    def _skip(self, node: "NodeProto") -> None:
        """Dropout does nothing at inference; the Flatten moves behind the Gemm, which becomes a convolution."""
        source = self._read(node.input[0])
        self._same_as[node.output[0]] = source

    def _convolution(self, node: "NodeProto") -> None:
        kernel = self._view.weights[node.input[1]].astype(np.float64)
        bias = self._view.weights[node.input[2]].astype(np.float64) if len(node.input) > 2 else np.zeros(len(kernel))
        self._add(node, kernel, bias)

    def _gemm(self, node: "NodeProto") -> None:
        weight = self._view.weights[node.input[1]].astype(np.float64)  # (outputs, channels * 49): the model stores it transposed
        kernel = weight.reshape(len(weight), -1, LAST_PLANE, LAST_PLANE)
        bias = self._view.weights[node.input[2]].astype(np.float64)
        factor, shift = self._pending.pop(self._read(node.input[0]), (np.ones(kernel.shape[1]), np.zeros(kernel.shape[1])))
        bias = bias + np.einsum("ochw,c->o", kernel, shift)
        self._add(node, kernel * factor.reshape(1, -1, 1, 1), bias)

    def _add(self, node: "NodeProto", kernel: Doubles, bias: Doubles) -> None:
        from onnx import helper  # noqa: PLC0415 (build extra)

        output = node.output[0]
        new = helper.make_node("Conv", [self._read(node.input[0]), f"{output}_kernel", f"{output}_bias"], [output], name=node.name)
        if node.op_type == "Conv":
            new.attribute.extend(node.attribute)
        else:
            new.attribute.append(helper.make_attribute("kernel_shape", list(kernel.shape[2:])))
        self._kernels[output] = kernel, bias
        self._nodes.append(new)

    def _normalisation(self, node: "NodeProto") -> None:
        gamma, beta, mean, variance = (self._view.weights[name].astype(np.float64) for name in node.input[1:5])
        epsilon = next(attribute.f for attribute in node.attribute if attribute.name == "epsilon")
        factor = gamma / np.sqrt(variance + epsilon)
        shift = beta - mean * factor
        source = self._read(node.input[0])
        if source in self._kernels:
            kernel, bias = self._kernels[source]
            self._kernels[source] = kernel * factor.reshape(-1, 1, 1, 1), bias * factor + shift
        else:
            self._pending[source] = factor, shift
        self._same_as[node.output[0]] = source

    def _flatten_the_last(self) -> None:
        from onnx import helper  # noqa: PLC0415 (build extra)

        output = self._view.model.graph.output[0].name
        if self._pending or self._read(output) not in self._kernels:
            raise ModelError("SFace: the network does not end in a Gemm and its normalisation; use the pinned file")
        self._nodes.append(helper.make_node("Flatten", [self._read(output)], [output], name=output, axis=1))
