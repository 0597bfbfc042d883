import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.capture.transform import upright
from tests.unit.capture.recordings import noise


@given(st.sampled_from([0, 90, 180, 270]), st.booleans(), st.integers(1, 40), st.integers(1, 40))
def test_rotation_is_clockwise_then_mirrored(rotation: int, mirror: bool, width: int, height: int) -> None:
    image = noise(1, (width, height))
    expected = np.rot90(image, -rotation // 90)
    if mirror:
        expected = expected[:, ::-1]
    result = upright(image, rotation, mirror)
    assert np.array_equal(result, expected)
    assert result.flags.c_contiguous
    assert result.dtype == np.uint8


def test_nothing_is_copied_when_nothing_is_turned() -> None:
    image = noise(1)
    assert upright(image, 0, mirror=False) is image


def test_the_source_picture_is_left_as_it_was() -> None:
    image = noise(1)
    before = image.copy()
    upright(image, 90, mirror=True)
    assert np.array_equal(image, before)


def test_other_angles_are_refused() -> None:
    with pytest.raises(ValueError, match="45"):
        upright(noise(1), 45, mirror=False)
