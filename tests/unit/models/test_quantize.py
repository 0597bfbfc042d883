"""Our INT8 quantiser: scales, zero points and the whole network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from blinkd.errors import ModelError
from blinkd.models.prelu import rewrite_prelu
from blinkd.models.quantize import activation_names, activation_scale, quantize, weight_scales
from blinkd.models.ranges import min_max
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
    model = rewrite_prelu(small_network([0.25, 0.1, 1.5, -0.5][:CHANNELS], 7))
    chance = np.random.default_rng(5)
    tensors = [chance.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32) for _ in range(20)]
    ranges = min_max(model, activation_names(model), tensors)
    quantised = quantize(model, ranges)
    expected, found = np.stack([run(model, t) for t in tensors]), np.stack([run(quantised, t) for t in tensors])
    assert 0 < np.abs(expected - found).max() < 0.05 * np.abs(expected).max()
    kinds = {item.name: numpy_helper.to_array(item).dtype for item in quantised.graph.initializer}
    assert kinds["a_weight"] == np.int8
    assert kinds["a_bias"] == np.int32
    assert kinds["input_zero"] == np.uint8
    again = quantize(rewrite_prelu(small_network([0.25, 0.1, 1.5, -0.5][:CHANNELS], 7)), ranges)
    assert again.SerializeToString(deterministic=True) == quantised.SerializeToString(deterministic=True)


def test_a_tensor_without_a_range_is_named() -> None:
    with pytest.raises(ModelError, match="no range for tensor 'a'"):
        quantize(rewrite_prelu(small_network([0.25] * CHANNELS, 7)), {"input": (-1.0, 1.0)})


def test_a_network_that_still_has_prelu_is_refused() -> None:
    model = small_network([0.25] * CHANNELS, 7)
    ranges = dict.fromkeys(["input", "a", "b", "c", "d", "output"], (-1.0, 1.0))
    with pytest.raises(ModelError, match="PRelu has no INT8 form"):
        quantize(model, ranges)
