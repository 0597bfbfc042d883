import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.measure.attacks.camera import EXPOSED_LEVEL, Camera, Sensor, to_light
from blinkd.measure.attacks.motion import DRIFT_M, glide, hand
from blinkd.measure.attacks.room import room

SIZE = (160, 120)


def camera(sensor: Sensor) -> Camera:
    return Camera(sensor, SIZE, 25, np.random.default_rng(3))


@given(st.integers(20, 235))
def test_what_a_fixed_camera_shoots_of_a_picture_is_the_picture(grey: int) -> None:
    picture = np.full((120, 160, 3), grey, np.uint8)
    taken = camera(Sensor(0.3, 0.0, 0.0, 0.0, fixed=True)).shoot(to_light(picture), 0.0)
    assert np.abs(taken.astype(int) - grey).max() <= 1


def test_noise_has_the_strength_that_is_asked_for_and_is_new_in_each_frame() -> None:
    noisy = camera(Sensor(0.3, 2.5, 0.0, 0.0, fixed=True))
    grey = to_light(np.full((120, 160, 3), 128, np.uint8))
    first, second = noisy.shoot(grey.copy(), 0.0), noisy.shoot(grey.copy(), 0.04)
    assert first.std() == pytest.approx(2.5, rel=0.1)
    assert (first != second).mean() > 0.5


@pytest.mark.parametrize("level", [0.05, 0.22, 0.9])
def test_auto_exposure_brings_dark_and_bright_scenes_to_the_same_level(level: float) -> None:
    taken = camera(Sensor(0.3, 0.0, 0.0, 0.0)).shoot(np.full((120, 160, 3), level, np.float32), 0.0)
    assert taken.mean() == pytest.approx(255 * EXPOSED_LEVEL**0.5, abs=2)


def test_auto_exposure_follows_a_change_with_a_lag() -> None:
    lagging = camera(Sensor(0.3, 0.0, 0.0, 0.0))
    lagging.shoot(np.full((120, 160, 3), 0.1, np.float32), 0.0)
    levels = [float(lagging.shoot(np.full((120, 160, 3), 0.3, np.float32), t / 25).mean()) for t in range(1, 80)]
    assert levels[0] > levels[10] > levels[-1]
    assert levels[-1] == pytest.approx(255 * EXPOSED_LEVEL**0.5, abs=3)


def test_pulsing_lamps_band_the_rows_of_a_rolling_shutter() -> None:
    banded = camera(Sensor(0.3, 0.0, 0.0, 0.1, fixed=True)).shoot(np.full((120, 160, 3), 0.2, np.float32), 0.0)
    rows = banded.mean(axis=(1, 2))
    assert rows.max() - rows.min() > 8
    assert banded.std(axis=1).max() < 1


def test_a_fixed_mount_does_not_move_and_a_hand_moves_by_millimetres() -> None:
    mount = hand(np.random.default_rng(1), 0.0, 0.0)
    assert not np.any(mount.at(1.7))
    held = hand(np.random.default_rng(1))
    places = np.array([held.at(t / 50) for t in range(500)])
    spread = np.ptp(places[:, :3], axis=0)
    assert np.all(spread > 0.001)
    assert np.all(spread < 4 * DRIFT_M)


def test_a_hand_trembles_at_one_to_eight_hertz() -> None:
    trembling = hand(np.random.default_rng(2), 1.0, 0.0)
    x = np.array([trembling.at(t / 64)[0] for t in range(64 * 16)])
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    hertz = np.fft.rfftfreq(len(x), 1 / 64)
    assert power[(hertz >= 0.8) & (hertz <= 8.2)].sum() > 0.99 * power.sum()


@given(st.floats(0, 10), st.floats(-5, 0), st.floats(0, 5))
def test_a_glide_stays_between_its_ends(t: float, low: float, high: float) -> None:
    assert low - 1e-9 <= glide(t, 5.0, low, high, 1.5, 0.3) <= high + 1e-9


def test_a_room_has_texture_and_light_everywhere() -> None:
    light = room(np.random.default_rng(4), (640, 480))
    assert light.shape == (480, 640, 3)
    assert light.min() > 0
    assert light.std() > 0.01
