"""Our INT8 quantiser: scales, zero points and the whole network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from blinkd.errors import ModelError
from blinkd.models.prelu import turn_steep_channels
from blinkd.models.quantize import activation_names, activation_scale, quantize, weight_scales
from blinkd.models.ranges import usual_ranges
from tests.unit.models.networks import CHANNELS, run, small_network

bounds = st.floats(-1e4, 1e4, allow_nan=False)


@given(a=bounds, b=bounds)
def test_every_value_in_range_comes_back_within_one_step_and_zero_exactly(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    scale, zero = activation_scale(low, high)
    for value in (low, high, (low + high) / 2, 0.0):
        code = np.clip(np.rint(value / float(scale)) + int(zero), 0, 255)
        assert abs((code - int(zero)) * float(scale) - value) <= 1.001 * float(scale)
    assert (int(zero) - int(zero)) * float(scale) == 0.0
    assert 0 <= int(zero) <= 255


def test_weights_are_scaled_for_each_channel_and_fill_eight_bits() -> None:
    kernel = np.stack([np.full((3, 3, 3), 0.001), np.full((3, 3, 3), -50.0)]).astype(np.float32)
    scales = weight_scales(kernel)
    assert np.allclose(np.rint(kernel / scales.reshape(-1, 1, 1, 1)).reshape(2, -1)[:, 0], [127, -127])


def test_quantised_network_stays_near_the_float_one_and_is_reproduced_to_the_byte() -> None:
    model = turn_steep_channels(small_network([0.25, 0.1, 1.5, -0.5][:CHANNELS], 7))
    chance = np.random.default_rng(5)
    tensors = [chance.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32) for _ in range(20)]
    ranges = usual_ranges(model, activation_names(model), tensors)
    quantised = quantize(model, ranges)
    expected, found = np.stack([run(model, t) for t in tensors]), np.stack([run(quantised, t) for t in tensors])
    assert 0 < np.abs(expected - found).mean() < 0.02 * np.abs(expected).max()  # single outliers of random weights are cut off
    kinds = {item.name: numpy_helper.to_array(item).dtype for item in quantised.graph.initializer}
    assert kinds["a_weight"] == np.int8
    assert kinds["a_bias"] == np.int32
    assert kinds["input_zero"] == np.uint8
    again = quantize(turn_steep_channels(small_network([0.25, 0.1, 1.5, -0.5][:CHANNELS], 7)), ranges)
    assert again.SerializeToString(deterministic=True) == quantised.SerializeToString(deterministic=True)


def test_a_tensor_without_a_range_is_named() -> None:
    with pytest.raises(ModelError, match="no range for tensor 'a'"):
        quantize(turn_steep_channels(small_network([0.25] * CHANNELS, 7)), {"input": (-1.0, 1.0)})


def test_prelu_in_bytes_takes_the_larger_of_x_and_the_slope_times_x() -> None:
    # one channel a pixel row: conv by 1 hands x on, so what comes out is PReLU of the input to within the rounding of x
    slope = [0.25, -0.5, 0.0, 1.0]
    nodes = [
        helper.make_node("Conv", ["input", "one"], ["x"], kernel_shape=[1, 1], group=CHANNELS),
        helper.make_node("PRelu", ["x", "slope"], ["y"]),
        helper.make_node("Conv", ["y", "one"], ["output"], kernel_shape=[1, 1], group=CHANNELS),
    ]
    shape = [1, CHANNELS, 1, 64]
    graph = helper.make_graph(
        nodes,
        "prelu",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(np.ones((CHANNELS, 1, 1, 1), np.float32), "one"),
            numpy_helper.from_array(np.array(slope, np.float32).reshape(-1, 1, 1), "slope"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    values = np.tile(np.linspace(-2, 2, 64, dtype=np.float32), (CHANNELS, 1)).reshape(shape)
    found = run(quantize(model, dict.fromkeys(["input", "x", "output"], (-2.0, 2.0))), values)
    expected = np.where(values > 0, values, values * np.array(slope, np.float32).reshape(1, -1, 1, 1))
    assert np.abs(found - expected).max() <= 2 * 4 / 255  # at most half a step at each of four roundings
    assert np.abs(found - expected).max() > 0


def test_a_slope_above_one_is_refused_until_its_channel_is_turned() -> None:
    model = small_network([0.25, 1.5, 0.25, 0.25], 7)
    ranges = dict.fromkeys(activation_names(model), (-1.0, 1.0))
    with pytest.raises(ModelError, match="a slope above 1 has no INT8 form"):
        quantize(model, ranges)
    kinds = [node.op_type for node in quantize(turn_steep_channels(model), ranges).graph.node]
    assert kinds.count("Max") == 2


def test_an_operator_without_int8_form_is_refused_behind_the_float_part_and_kept_within_it() -> None:
    model = small_network([0.25] * CHANNELS, 7)
    model.graph.node[1].op_type = "Sigmoid"
    del model.graph.node[1].input[1]
    ranges = dict.fromkeys(["input", "a", "b", "c", "output"], (-1.0, 1.0))
    with pytest.raises(ModelError, match="Sigmoid has no INT8 form"):
        quantize(model, ranges)
    assert [node.op_type for node in quantize(model, ranges, float_nodes=2).graph.node][:2] == ["Conv", "Sigmoid"]


def test_a_range_is_what_nine_inputs_in_ten_keep_and_leaves_the_outlier_out() -> None:
    model = small_network([0.25] * CHANNELS, 7)
    usual = [np.full((1, 3, 8, 8), value, np.float32) for value in np.linspace(-1, 1, 40)]
    outlier = np.full((1, 3, 8, 8), 500, np.float32)
    low, high = usual_ranges(model, ["input"], [*usual, outlier])["input"]
    assert -1 <= low < -0.7
    assert 0.7 < high <= 1
