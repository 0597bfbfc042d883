"""The PReLU rewrite and the channel scaling leave the function of a network as it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from blinkd.errors import ModelError
from blinkd.models.equalise import Exponents, equalise, equalising_steps
from blinkd.models.prelu import rewrite_prelu, turn_steep_channels
from tests.unit.models.networks import CHANNELS, run, small_network

slopes = st.lists(st.floats(-2, 3, width=32), min_size=CHANNELS, max_size=CHANNELS)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25)
@given(slope=slopes, seed=seeds)
def test_rewritten_prelu_is_the_same_function_for_every_slope(slope: list[float], seed: int) -> None:
    model = small_network(slope, seed)
    tensor = np.random.default_rng(seed).normal(size=(1, 3, 8, 8)).astype(np.float32)
    rewritten = rewrite_prelu(model)
    assert "PRelu" not in {node.op_type for node in rewritten.graph.node}
    expected = run(model, tensor)
    assert np.allclose(run(rewritten, tensor), expected, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


@settings(max_examples=25)
@given(slope=slopes, seed=seeds)
def test_turned_network_has_no_slope_above_one_and_is_the_same_function(slope: list[float], seed: int) -> None:
    model = small_network(slope, seed)
    tensor = np.random.default_rng(seed).normal(size=(1, 3, 8, 8)).astype(np.float32)
    turned = turn_steep_channels(model)
    weights = {item.name: numpy_helper.to_array(item) for item in turned.graph.initializer}
    assert max(weights["slope"].max(), weights["slope2"].max()) <= 1
    expected = run(model, tensor)
    assert np.allclose(run(turned, tensor), expected, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


@settings(max_examples=15)
@given(slope=slopes, seed=seeds, steps=st.lists(st.integers(-3, 6), min_size=CHANNELS, max_size=CHANNELS))
def test_scaling_channels_by_powers_of_two_is_the_same_function(slope: list[float], seed: int, steps: list[int]) -> None:
    model = small_network(slope, seed)
    tensor = np.random.default_rng(seed).normal(size=(1, 3, 8, 8)).astype(np.float32)
    expected = run(model, tensor)
    scaled = run(equalise(model, {"b": steps, "d": steps}), tensor)
    assert np.allclose(scaled, expected, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(expected).max())))


def test_a_quiet_channel_is_scaled_up_and_the_loudest_is_left() -> None:
    model = small_network([0.25] * CHANNELS, 1)
    weights = {item.name: item for item in model.graph.initializer}
    loud = numpy_helper.to_array(weights["w1"]).copy()
    loud[0] /= 64
    bias = numpy_helper.to_array(weights["b1"]).copy()
    bias[0] /= 64
    weights["w1"].CopyFrom(numpy_helper.from_array(loud, "w1"))
    weights["b1"].CopyFrom(numpy_helper.from_array(bias, "b1"))
    chance = np.random.default_rng(3)
    steps = equalising_steps(model, [chance.normal(size=(1, 3, 8, 8)).astype(np.float32) for _ in range(4)], Exponents(0.5, 0.25))
    assert steps["b"][0] >= 2
    assert min(steps["b"]) == 0


def test_prelu_whose_input_has_other_readers_is_refused_where_a_sign_must_change() -> None:
    model = small_network([2.0] * CHANNELS, 1)
    model.graph.output.append(helper.make_tensor_value_info("e", TensorProto.FLOAT, None))
    model.graph.node.append(helper.make_node("Relu", ["a"], ["e"]))
    with pytest.raises(ModelError, match="not between convolutions alone"):
        rewrite_prelu(model)
