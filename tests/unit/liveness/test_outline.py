import numpy as np

from blinkd.liveness.outline import NOSE, OVAL, OutlineWatch
from blinkd.vision.face import CHIN, Face

RNG = np.random.default_rng(2)
WALL = RNG.integers(60, 200, (60, 80, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
CENTRE = np.array([320.0, 230.0])


def shown(nose_x: float) -> Face:
    """A round face whose nose has moved by so many pixels."""
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, :2] = CENTRE
    angles = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    landmarks[list(OVAL), 0] = CENTRE[0] + 80 * np.sin(angles)
    landmarks[list(OVAL), 1] = CENTRE[1] - 100 * np.cos(angles)
    landmarks[list(NOSE), 0] += nose_x
    landmarks[CHIN, :2] = CENTRE + np.array([0, 100])
    return Face((240.0, 130.0, 160.0, 200.0), 1.0, landmarks)


def scene(left_shift: int, right_shift: int) -> np.ndarray:
    """The wall's texture as hair: what lies left of the middle moved by so much, what lies right of it by so much."""
    image = np.roll(WALL, left_shift, axis=1)
    image[:, 320:] = np.roll(WALL, right_shift, axis=1)[:, 320:]
    return image


def verdict(turns: list[float], hair: float) -> str:
    """The nose goes through the turns, in pixels; the hair on both sides by a share of it, against each other."""
    watch = OutlineWatch()
    for nose_x in turns:
        watch.observe(scene(round(hair * nose_x), round(-hair * nose_x)), shown(nose_x))
    return watch.finding().verdict


TURNING = [14.0 * np.sin(number * 1.1) for number in range(14)]


def test_a_face_that_turns_within_hair_that_stands_still_is_doubted() -> None:
    assert verdict(TURNING, 0.0) == "doubt"


def test_a_head_that_turns_with_its_face_says_nothing() -> None:
    assert verdict(TURNING, 0.7) == "open"


def test_a_face_that_does_not_turn_says_nothing() -> None:
    assert verdict([0.0] * 14, 0.0) == "open"


def test_a_picture_moved_as_a_whole_says_nothing() -> None:
    watch = OutlineWatch()
    for number in range(14):
        x = round(10 * np.sin(number))
        moved = shown(0.0)
        landmarks = moved.landmarks + np.array([x, 0, 0], np.float32)
        watch.observe(np.roll(WALL, x, axis=1), Face(moved.bbox, 1.0, landmarks))
    assert watch.finding().value is None
