"""SFace's normalisations go into its convolutions, and the network stays the same function."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from blinkd.errors import ModelError
from blinkd.models.runtime import import_onnxruntime
from blinkd.models.sface import read_sface

CHANNELS, OUTPUTS, PLANE = 4, 3, 7


def published(seed: int) -> ModelProto:
    """Built as OpenCV's zoo has it: normalisation around each part, a shift before a convolution with padding, Gemm at the end."""
    chance = np.random.default_rng(seed)
    weights: list[TensorProto] = []

    def weight(name: str, values: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def normal(name: str, *shape: int) -> str:
        return weight(name, chance.normal(size=shape))

    def normalisation(source: str, target: str, count: int, epsilon: float) -> object:
        parts = [normal(f"{target}_{part}", count) for part in ("gamma", "beta", "mean")]
        variance = weight(f"{target}_variance", chance.uniform(0.1, 3, count))
        return helper.make_node("BatchNormalization", [source, *parts, variance], [target], epsilon=epsilon)

    nodes = [
        helper.make_node("Sub", ["data", weight("shift", np.array([127.5]))], ["shifted"]),
        helper.make_node("Mul", ["shifted", weight("factor", np.array([1 / 128]))], ["scaled"]),
        helper.make_node("Conv", ["scaled", normal("w1", CHANNELS, 3, 3, 3)], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        normalisation("a", "b", CHANNELS, 1e-3),
        helper.make_node("PRelu", ["b", normal("slope", CHANNELS, 1, 1)], ["c"]),
        normalisation("c", "d", CHANNELS, 2e-5),
        helper.make_node("Dropout", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", normal("w2", OUTPUTS, CHANNELS * PLANE**2), normal("b2", OUTPUTS)], ["g"], transB=1),
        normalisation("g", "fc1", OUTPUTS, 2e-5),
    ]
    graph = helper.make_graph(
        nodes,
        "published",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, PLANE, PLANE])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, OUTPUTS])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def run(model: ModelProto, tensor: np.ndarray) -> np.ndarray:
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["fc1"], {"data": tensor})[0]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_folded_network_is_the_same_function_also_along_the_padded_border(seed: int) -> None:
    model = published(seed)
    tensor = np.random.default_rng(seed).uniform(0, 255, (1, 3, PLANE, PLANE)).astype(np.float32)
    folded = read_sface(model.SerializeToString())
    assert [node.op_type for node in folded.graph.node] == ["Sub", "Mul", "Conv", "PRelu", "Conv", "Flatten"]
    expected = run(model, tensor)
    assert np.allclose(run(folded, tensor), expected, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


def test_another_operator_is_refused_by_name() -> None:
    model = published(1)
    model.graph.node[6].op_type = "Sigmoid"
    with pytest.raises(ModelError, match="is Sigmoid, which this network does not have"):
        read_sface(model.SerializeToString())


def test_a_network_that_does_not_end_as_sface_does_is_refused() -> None:
    model = published(1)
    del model.graph.node[8:]
    model.graph.output[0].name = "f"
    with pytest.raises(ModelError, match="does not end in a Gemm"):
        read_sface(model.SerializeToString())
