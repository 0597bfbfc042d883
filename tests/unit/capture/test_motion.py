import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.capture.frame import Frame, Image
from blinkd.capture.motion import MotionGate
from blinkd.settings import MotionSettings

FPS = 15
SETTINGS = MotionSettings(hold_s=2.0)
LONG_S = 2.0 + 1.0  # of quiet after which it must sleep
STEPS = np.linspace(30, 150, 640, dtype=np.float32)


def room(light: float = 1.0, seed: int = 0, grain: float = 4.0) -> Image:
    """A wall that gets brighter to the right, as a sensor sees it."""
    wall = STEPS[None, :, None] * np.float32(light)
    noise = np.random.default_rng(seed).standard_normal((480, 640, 3), np.float32)
    return np.clip(wall + grain * noise, 0, 255).astype(np.uint8)


def with_person(image: Image, left: int) -> Image:
    image = image.copy()
    image[200:300, left : left + 60] = (120, 160, 210)
    return image


class Show:
    """Plays pictures to a gate at a steady rate."""

    def __init__(self, settings: MotionSettings = SETTINGS) -> None:
        self.gate = MotionGate(settings)
        self.index = 0

    def __call__(self, image: Image) -> bool:
        awake = self.gate.update(Frame(image, self.index / FPS, self.index))
        self.index += 1
        return awake

    def quiet(self, seconds: float, light: float = 1.0, grain: float = 4.0) -> list[bool]:
        return [self(room(light, self.index, grain)) for _ in range(round(seconds * FPS))]


@pytest.fixture
def asleep() -> Show:
    show = Show()
    assert not show.quiet(LONG_S)[-1]
    return show


def test_the_first_frame_wakes_for_the_hold_time_and_no_longer() -> None:
    awake = Show().quiet(4)
    assert all(awake[: 2 * FPS])
    assert not any(awake[2 * FPS + 2 :])


@pytest.mark.parametrize("grain", [2.0, 6.0, 12.0])
def test_sensor_noise_alone_does_not_wake(grain: float) -> None:
    assert not any(Show().quiet(6, grain=grain)[2 * FPS + 2 :])


def test_a_face_two_metres_away_wakes_at_once_and_holds(asleep: Show) -> None:
    assert asleep(with_person(room(1, 99), 300))
    assert asleep.quiet(1.5)[-1]


def test_a_person_who_stands_still_is_taken_up_into_the_background(asleep: Show) -> None:
    asleep(with_person(room(1, 99), 300))
    still = [asleep(with_person(room(1, asleep.index), 300)) for _ in range(9 * FPS)]
    assert still[FPS]
    assert not still[-1]


def test_movement_keeps_it_awake(asleep: Show) -> None:
    assert all(asleep(with_person(room(1, asleep.index), 100 + 4 * step)) for step in range(6 * FPS))


def test_automatic_exposure_does_not_wake(asleep: Show) -> None:
    assert not any(asleep(room(1 + 0.25 * step / FPS, asleep.index)) for step in range(FPS))


def test_flickering_exposure_does_not_wake(asleep: Show) -> None:
    assert not any(asleep(room(1.1 if step % 2 else 0.9, asleep.index)) for step in range(4 * FPS))


def test_daylight_that_fades_over_a_minute_does_not_wake(asleep: Show) -> None:
    steps = 60 * 5  # at five pictures a second, which is enough to see a face come
    fading = [asleep.gate.update(Frame(room(1 - 0.6 * step / steps, step), 10 + step / 5, step)) for step in range(steps)]
    assert not any(fading)


def test_a_lamp_wakes_once_and_not_for_long(asleep: Show) -> None:
    lit = asleep.quiet(6, light=1.7)
    assert lit[0]
    assert not any(lit[int((SETTINGS.hold_s + 0.5) * FPS) :])


def test_a_person_who_covers_most_of_the_picture_wakes(asleep: Show) -> None:
    near = room(1, 99)
    near[50:, 80:600] = (60, 80, 110)
    assert asleep(near)


def test_an_active_session_keeps_it_awake(asleep: Show) -> None:
    awake = []
    for _ in range(4 * FPS):
        asleep.gate.keep_awake()
        awake += asleep.quiet(1 / FPS)
    assert all(awake)
    assert not asleep.quiet(LONG_S)[-1]


def test_the_same_frames_give_the_same_answers() -> None:
    def run() -> list[bool]:
        show = Show()
        return [show(with_person(room(1, step), 100 + 30 * (step // 20))) for step in range(60)]

    assert run() == run()


@given(st.integers(16, 900), st.integers(16, 900))
def test_pictures_of_any_size_are_taken(width: int, height: int) -> None:
    gate = MotionGate(SETTINGS)
    image = np.full((height, width, 3), 90, np.uint8)
    assert gate.update(Frame(image, 0.0, 0))
    assert not gate.update(Frame(image, 10.0, 1))
