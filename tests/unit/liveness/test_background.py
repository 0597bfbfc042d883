import numpy as np

from blinkd.liveness.background import BackgroundWatch
from blinkd.vision.face import Face
from tests.unit.liveness.faces import face

RNG = np.random.default_rng(9)
WALL = RNG.integers(60, 200, (70, 90, 3), dtype=np.uint8).repeat(10, axis=0).repeat(10, axis=1)


def shown() -> Face:
    return Face((250.0, 150.0, 140.0, 180.0), 1.0, face().landmarks)


def verdict(shifts: list[tuple[int, int]]) -> str:
    """A head that stands before a wall which is seen shifted by so many pixels, looked at every 150 ms."""
    watch = BackgroundWatch()
    for number, (x, y) in enumerate(shifts):
        image = WALL[50 + y : 530 + y, 50 + x : 690 + x].copy()
        image[150:, 220:420] = RNG.integers(0, 255, (330, 200, 3), dtype=np.uint8)  # the person moves on their own
        image = np.clip(image + RNG.normal(scale=2, size=image.shape), 0, 255).astype(np.uint8)
        watch.observe(number * 0.15, image, shown())
    return watch.finding().verdict


def test_a_wall_that_stands_still_says_nothing() -> None:
    assert verdict([(0, 0)] * 14) == "open"


def test_a_wall_that_moves_is_doubted() -> None:
    assert verdict([(round(9 * np.sin(n)), round(6 * np.cos(1.3 * n))) for n in range(14)]) == "doubt"


def test_a_plain_wall_says_nothing() -> None:
    watch = BackgroundWatch()
    for number in range(14):
        watch.observe(number * 0.15, np.full((480, 640, 3), 120, np.uint8), shown())
    assert (watch.finding().verdict, watch.finding().value) == ("open", None)
