"""Builds the MiniFASNet texture networks as ONNX from their published weights.

The structure is read off the names and shapes of the tensors: convolutions with batch normalisation (folded into them, which is exact)
and PReLU, bottlenecks with a residual path where the weights' names put them into a group, some with squeeze-and-excitation, one
wide depthwise convolution over what is left, and two linear layers. Needs the `build` extra.
"""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError
from blinkd.models.prelu import rewrite_prelu
from blinkd.models.torchfile import Tensors, read_tensors

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Floats = npt.NDArray[np.float32]

INPUT_NAME, OUTPUT_NAME = "input", "probabilities"
SIDE = 80  # pixels of the square input
BN_EPSILON = 1e-5  # of the training framework
OPSET, IR_VERSION = 13, 8
STAGES = ("conv_23", "conv_3", "conv_34", "conv_4", "conv_45", "conv_5")  # between the stem and the head, in order
HALVING = ("conv_23", "conv_34", "conv_45")  # these have stride 2 and no residual path


def read_minifasnet(content: bytes) -> "ModelProto":
    """Convert the bytes of a .pth file to ONNX: `input` float32 (N,3,80,80) BGR 0..255, `probabilities` float32 (N,3), the second is `live`.

    Equal bytes give an equal model. Raises ModelError when the file holds another network.
    """
    tensors = read_tensors(content)
    try:
        model = _Builder(tensors).build()
    except KeyError as error:
        raise ModelError(f"no MiniFASNet: the tensor {error} is missing; use the pinned package") from error
    return rewrite_prelu(model)


class _Builder:
    """Adds nodes in the order of the data; each method returns the name of the tensor that it makes."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._nodes: list[NodeProto] = []
        self._weights: dict[str, Floats] = {}

    def build(self) -> "ModelProto":
        import onnx  # noqa: PLC0415 (build extra)
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

        x = self._activated("conv1", INPUT_NAME, stride=2)
        x = self._activated("conv2_dw", x)
        for stage in STAGES:
            if stage in HALVING:
                x = self._bottleneck(stage, x, stride=2)
                continue
            for block in self._blocks(stage):
                short = x
                x = self._bottleneck(block, x)
                if f"{block}.se_module.fc1.weight" in self._tensors:
                    x = self._excited(f"{block}.se_module", x)
                x = self._node("Add", [short, x], f"{block}.sum")
        x = self._activated("conv_6_sep", x)
        x = self._convolution("conv_6_dw.conv", "conv_6_dw.bn", x, padding=0)
        x = self._node("Flatten", [x], "flat")
        scale, shift = self._normalisation("bn")
        self._weights["linear"] = (self._tensors["linear.weight"] * scale[:, None]).T
        self._weights["linear_shift"] = shift
        x = self._node("Gemm", [x, "linear", "linear_shift"], "features")
        self._weights["classes"] = self._tensors["prob.weight"].T
        x = self._node("MatMul", [x, "classes"], "logits")
        self._node("Softmax", [x], OUTPUT_NAME, axis=1)
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "minifasnet",
                [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
                [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["N", self._tensors["prob.weight"].shape[0]])],
                [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in self._weights.items()],
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="blinkd",
        )
        onnx.checker.check_model(model)
        return model

    def _blocks(self, stage: str) -> list[str]:
        numbers = {int(found[1]) for name in self._tensors if (found := re.match(rf"{stage}\.model\.(\d+)\.", name))}
        return [f"{stage}.model.{number}" for number in sorted(numbers)]

    def _bottleneck(self, name: str, x: str, stride: int = 1) -> str:
        x = self._activated(f"{name}.conv", x, padding=0)
        x = self._activated(f"{name}.conv_dw", x, stride=stride)
        return self._convolution(f"{name}.project.conv", f"{name}.project.bn", x, padding=0)

    def _activated(self, name: str, x: str, stride: int = 1, padding: int = 1) -> str:
        """Convolution, normalisation and PReLU; a 1x1 kernel takes no padding."""
        kernel = self._tensors[f"{name}.conv.weight"].shape[-1]
        x = self._convolution(f"{name}.conv", f"{name}.bn", x, stride, padding if kernel > 1 else 0)
        slope = f"{name}.slope"
        self._weights[slope] = self._tensors[f"{name}.prelu.weight"].reshape(-1, 1, 1)
        return self._node("PRelu", [x, slope], f"{name}.activated")

    def _excited(self, name: str, x: str) -> str:
        """Squeeze and excitation: the channels weighted by what their means say."""
        pooled = self._node("GlobalAveragePool", [x], f"{name}.means")
        small = self._node("Relu", [self._convolution(f"{name}.fc1", f"{name}.bn1", pooled, padding=0)], f"{name}.small")
        gate = self._node("Sigmoid", [self._convolution(f"{name}.fc2", f"{name}.bn2", small, padding=0)], f"{name}.gate")
        return self._node("Mul", [x, gate], f"{name}.weighted")

    def _convolution(self, name: str, norm: str, x: str, stride: int = 1, padding: int = 1) -> str:
        kernel = self._tensors[f"{name}.weight"]
        scale, shift = self._normalisation(norm)
        self._weights[f"{name}.kernel"], self._weights[f"{name}.shift"] = kernel * scale[:, None, None, None], shift
        group = kernel.shape[0] if kernel.shape[1] == 1 else 1
        return self._node(
            "Conv",
            [x, f"{name}.kernel", f"{name}.shift"],
            f"{name}.out",
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            pads=[padding] * 4,
            group=group,
        )

    def _normalisation(self, name: str) -> tuple[Floats, Floats]:
        """Batch normalisation as y = scale * x + shift."""
        part = {key: self._tensors[f"{name}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
        scale = part["weight"] / np.sqrt(part["running_var"] + np.float32(BN_EPSILON))
        return scale, part["bias"] - part["running_mean"] * scale

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:  # noqa: ANN401  as make_node takes them
        from onnx import helper  # noqa: PLC0415 (build extra)

        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output
