"""What the rewriting steps need to know of an ONNX graph: weights by name, who makes a tensor and who reads it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GraphView:
    """A model taken apart; `weights` are copies that a step may change before it calls `rebuilt`."""

    model: "ModelProto"
    weights: dict[str, Floats]
    producers: dict[str, "NodeProto"]
    consumers: dict[str, list["NodeProto"]]

    @staticmethod
    def of(model: "ModelProto") -> "GraphView":
        """Take a model apart; the model itself is left as it is."""
        from onnx import numpy_helper  # noqa: PLC0415 (build extra)

        consumers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                consumers.setdefault(name, []).append(node)
        return GraphView(
            model,
            {item.name: numpy_helper.to_array(item).copy() for item in model.graph.initializer},
            {name: node for node in model.graph.node for name in node.output},
            consumers,
        )

    def of_kind(self, kind: str) -> list["NodeProto"]:
        """All nodes of one operator, in the graph's order."""
        return [node for node in self.model.graph.node if node.op_type == kind]

    def convolutions_around(self, node: "NodeProto") -> tuple["NodeProto", list["NodeProto"]]:
        """The convolution that alone feeds `node`, and those that read it. Raises ModelError when others take part."""
        before = self.producers.get(node.input[0])
        after = self.consumers.get(node.output[0], [])
        if (
            before is None
            or before.op_type != "Conv"
            or len(self.consumers[node.input[0]]) != 1
            or not after
            or any(reader.op_type != "Conv" for reader in after)
        ):
            raise ModelError(
                f"node '{node.name}': stands not between convolutions alone, so its channels cannot be scaled; use the pinned file"
            )
        return before, after

    def scale_channels(self, node: "NodeProto", factors: Floats) -> None:
        """Multiply the channels of `node` (which must be homogeneous) by factors (C,) and divide them out in the readers."""
        before, after = self.convolutions_around(node)
        self.weights[before.input[1]] *= factors.reshape(-1, 1, 1, 1)
        if len(before.input) > 2:
            self.weights[before.input[2]] *= factors
        for reader in after:
            kernel = self.weights[reader.input[1]]
            kernel /= factors.reshape((-1, 1, 1, 1) if self.is_depthwise(reader) else (1, -1, 1, 1))

    def is_depthwise(self, convolution: "NodeProto") -> bool:
        """Whether each output channel of the convolution reads its own input channel only."""
        kernel = self.weights[convolution.input[1]]
        group = next((attribute.i for attribute in convolution.attribute if attribute.name == "group"), 1)
        return bool(kernel.shape[1] == 1 and group == kernel.shape[0])

    def rebuilt(self, nodes: list["NodeProto"]) -> "ModelProto":
        """A new model of `nodes` and the weights they use, checked."""
        import onnx  # noqa: PLC0415 (build extra)

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        used = {name for node in nodes for name in node.input}
        del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in self.weights.items() if name in used
        )
        onnx.checker.check_model(model)
        return model
