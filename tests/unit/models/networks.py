"""A network small enough to run in a blink, built like MobileFaceNet."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from blinkd.models.runtime import import_onnxruntime

CHANNELS = 4


def small_network(slope: list[float], seed: int) -> ModelProto:
    """conv - PRelu - depthwise conv - PRelu - pointwise conv, as in MobileFaceNet."""
    chance = np.random.default_rng(seed)

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(chance.normal(size=shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["input", "w1", "b1"], ["a"], kernel_shape=[3, 3]),
        helper.make_node("PRelu", ["a", "slope"], ["b"]),
        helper.make_node("Conv", ["b", "w2", "b2"], ["c"], kernel_shape=[3, 3], group=CHANNELS),
        helper.make_node("PRelu", ["c", "slope2"], ["d"]),
        helper.make_node("Conv", ["d", "w3", "b3"], ["output"], kernel_shape=[1, 1]),
    ]
    weights = [
        weight("w1", CHANNELS, 3, 3, 3),
        weight("b1", CHANNELS),
        weight("w2", CHANNELS, 1, 3, 3),
        weight("b2", CHANNELS),
        weight("w3", 2, CHANNELS, 1, 1),
        weight("b3", 2),
        *(numpy_helper.from_array(np.array(slope, np.float32).reshape(-1, 1, 1), name) for name in ("slope", "slope2")),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2, 4, 4])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def run(model: ModelProto, tensor: np.ndarray) -> np.ndarray:
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": tensor})[0]
