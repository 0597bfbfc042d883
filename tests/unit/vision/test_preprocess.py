"""The input tensor of the embedder: range, order of channels and axes, low light."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blinkd.settings import VisionSettings
from blinkd.vision.preprocess import InputForm, LowLight, equalised_locally, lit, preprocess

OFF = LowLight("off")
crops = arrays(np.uint8, (112, 112, 3), elements=st.integers(0, 255), fill=st.integers(0, 255))


@given(crops)
def test_every_crop_gives_a_finite_contiguous_tensor_in_range(crop: np.ndarray) -> None:
    tensor = preprocess(crop, LowLight("gain"), InputForm())
    assert tensor.shape == (1, 3, 112, 112)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert tensor.min() >= -127.5 / 128
    assert tensor.max() <= 127.5 / 128


def test_blue_green_red_becomes_red_green_blue_unless_the_network_wants_it_so() -> None:
    crop = np.zeros((112, 112, 3), np.uint8)
    crop[:] = (10, 20, 30)
    assert preprocess(crop, OFF, InputForm())[0, :, 0, 0].tolist() == [(v - 127.5) / 128 for v in (30, 20, 10)]
    assert preprocess(crop, OFF, InputForm(0, 1, "BGR"))[0, :, 0, 0].tolist() == [10, 20, 30]


def test_rows_stay_rows() -> None:
    crop = np.zeros((112, 112, 3), np.uint8)
    crop[5, 70] = 255
    tensor = preprocess(crop, OFF, InputForm())
    assert np.argwhere(tensor[0, 0] > 0).tolist() == [[5, 70]]


def test_another_size_is_averaged_down() -> None:
    board = np.indices((224, 224)).sum(axis=0) % 2 * 255
    tensor = preprocess(np.repeat(board[..., None], 3, axis=2).astype(np.uint8), OFF, InputForm())
    assert np.abs(tensor).max() < 0.01


def test_gain_brings_a_dark_crop_to_the_target_and_leaves_others_alone() -> None:
    chance = np.random.default_rng(0)
    dark = chance.integers(5, 25, (112, 112, 3), dtype=np.uint8)
    assert lit(dark, LowLight("gain", 60, 110)).mean() == pytest.approx(110, abs=3)
    bright = chance.integers(60, 200, (112, 112, 3), dtype=np.uint8)
    assert lit(bright, LowLight("gain", 60, 110)) is bright
    assert lit(bright, LowLight("clahe", 60, 110)) is bright
    assert lit(dark, OFF) is dark


def test_a_black_crop_stays_black() -> None:
    assert lit(np.zeros((112, 112, 3), np.uint8), LowLight("gain")).max() == 0


def test_clahe_raises_the_contrast_of_a_dark_crop() -> None:
    dark = np.random.default_rng(0).integers(20, 40, (112, 112, 3), dtype=np.uint8)
    assert equalised_locally(dark).std() > 1.5 * dark.std()
    assert np.array_equal(lit(dark, LowLight("clahe")), equalised_locally(dark))


def test_options_come_from_the_settings() -> None:
    settings = VisionSettings(low_light="clahe", low_light_mean=50, low_light_target=100)
    assert LowLight.from_settings(settings) == LowLight("clahe", 50, 100)
