import numpy as np
import pytest

from blinkd.liveness.continuity import ContinuityWatch
from blinkd.vision.face import Face
from tests.unit.liveness.faces import face

FPS = 15.0
RNG = np.random.default_rng(5)
WALL = RNG.integers(90, 160, (30, 40, 3)).astype(np.float32).repeat(8, axis=0).repeat(8, axis=1)


def scene(phase: float, seed: int, noise: float = 2.0) -> np.ndarray:
    """A bright block that wanders over a face-sized place, with a sensor's noise; uint8 (240, 320, 3)."""
    image = WALL.copy()
    x, y = 60 + round(40 * np.sin(phase)), 60 + round(30 * np.cos(1.3 * phase))
    image[y : y + 60, x : x + 60] = 220
    image += np.random.default_rng(seed).normal(scale=noise, size=image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def shown() -> Face:
    known = face()
    return Face((20.0, 20.0, 200.0, 200.0), 1.0, known.landmarks)


def watch(images: list[np.ndarray]) -> tuple[ContinuityWatch, int]:
    continuity = ContinuityWatch()
    cuts = sum(continuity.observe(number / FPS, image, shown()) for number, image in enumerate(images))
    return continuity, cuts


def test_a_moving_scene_is_continuous() -> None:
    continuity, cuts = watch([scene(0.31 * n + 0.002 * n * n, n) for n in range(120)])
    assert cuts == 0
    assert continuity.finding().verdict == "open"


def test_a_scene_that_holds_still_is_continuous_as_long_as_the_sensor_lives() -> None:
    continuity, cuts = watch([scene(1.0, n) for n in range(120)])
    assert cuts == 0
    assert continuity.finding().verdict == "open"


def test_a_frozen_picture_is_denied() -> None:
    continuity, _ = watch([scene(0.3 * n, n) for n in range(20)] + [scene(6, 0)] * 10)
    assert (continuity.finding().cue, continuity.finding().verdict) == ("frozen", "deny")


def test_a_frame_repeated_now_and_then_is_no_freeze() -> None:
    continuity, _ = watch([scene(0.3 * (n - n // 5) + 0.002 * n * n, n - n // 5) for n in range(120) for _ in range(1 + (n % 5 == 0))])
    assert continuity.finding().verdict == "open"


def test_a_picture_in_which_every_other_frame_is_a_repeat_is_doubted() -> None:
    continuity, _ = watch([scene(0.3 * (n // 2) + 0.001 * (n // 2) ** 2, n // 2) for n in range(60)])
    assert (continuity.finding().cue, continuity.finding().verdict) == ("repeats", "doubt")


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_a_piece_that_comes_again_is_a_loop_even_with_fresh_noise(noise: float) -> None:
    piece = [0.4 * n + 0.01 * n * n for n in range(20)]
    continuity, _ = watch([scene(phase, round_ * 100 + n, noise) for round_ in range(3) for n, phase in enumerate(piece)])
    assert (continuity.finding().cue, continuity.finding().verdict) == ("loop", "deny")


def test_a_black_frame_breaks_the_evidence_and_several_are_denied() -> None:
    black = np.zeros((240, 320, 3), np.uint8)
    images = [scene(0.3 * n + 0.002 * n * n, n) for n in range(60)]
    images[20] = black
    continuity, cuts = watch(images)
    assert cuts >= 1
    assert continuity.finding().verdict == "open"
    images[30] = images[40] = black
    continuity, _ = watch(images)
    assert (continuity.finding().cue, continuity.finding().verdict) == ("cut", "deny")
