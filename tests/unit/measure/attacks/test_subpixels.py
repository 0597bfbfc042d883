import numpy as np
import pytest

from blinkd.measure.attacks.geometry import Lens, Matrix, Plane
from blinkd.measure.attacks.subpixels import ROW, STRIPE, STRIPE_PHASES, Sampling, SubPixels

LENS = Lens(width=240, height=60)
PITCH = 0.00025


def facing(cycles: float) -> Matrix:
    """A screen that faces the camera, with so many display pixels on one of the frame."""
    scale = cycles * PITCH
    return np.array([[scale, 0, 0.1], [0, scale, 0.1], [0, 0, 1]])


def fringes(light: Plane) -> Plane:
    """The green channel along the middle row, without its mean."""
    row = light[30, :, 1]
    return np.asarray(row - row.mean(), np.float32)


def test_a_grid_that_fits_the_pixels_exactly_shows_no_fringes() -> None:
    light = SubPixels(PITCH).seen(facing(2.0), LENS, Sampling(0.25, 0.1))
    assert np.ptp(light[:, :, 1]) < 1e-3


@pytest.mark.parametrize("missed", [0.02, 0.05])
def test_fringes_are_as_wide_as_the_beat_of_grid_and_pixels(missed: float) -> None:
    light = SubPixels(PITCH).seen(facing(2 + missed), LENS, Sampling(0.25, 0.1))
    power = np.abs(np.fft.rfft(fringes(light)))
    assert np.argmax(power) / 240 == pytest.approx(missed, abs=1 / 240)
    assert np.ptp(fringes(light)) > 0.2


def test_a_full_aperture_averages_a_fine_grid_away() -> None:
    light = SubPixels(PITCH).seen(facing(12.3), LENS, Sampling(1.0, 0.2))
    assert np.ptp(light) < 1e-3
    assert light.mean() == pytest.approx(1.0, abs=1e-3)


def test_red_and_blue_fringes_are_shifted_against_each_other() -> None:
    light = SubPixels(PITCH).seen(facing(1.02), LENS, Sampling(0.5, 0.1))
    assert np.corrcoef(light[30, :, 0], light[30, :, 2])[0, 1] < 0.5


def test_the_series_agrees_with_averaging_the_stripes_themselves_under_each_aperture() -> None:
    cycles, aperture = 1.03, 0.5
    light = SubPixels(PITCH).seen(facing(cycles), LENS, Sampling(aperture, 0.0))
    start = 0.1 / PITCH
    taps = (np.arange(400) + 0.5) / 400 - 0.5
    u = start + cycles * (np.arange(240)[:, None] + aperture * taps[None, :])
    v = start + cycles * (30 + aperture * taps)
    lit = np.abs((u - STRIPE_PHASES[0] + 0.5) % 1 - 0.5) < STRIPE / 2
    row = (np.abs((v + 0.5) % 1 - 0.5) < ROW / 2).mean() / ROW
    wanted = lit.mean(axis=1) / STRIPE * row
    assert np.abs(light[30, :, 0] - wanted).mean() < 0.08
    assert np.corrcoef(light[30, :, 0], wanted)[0, 1] > 0.99
