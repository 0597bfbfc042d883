import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.liveness.depth import DepthWatch, anisotropy, homography_residual
from blinkd.liveness.steadiness import RIGID
from blinkd.vision.face import Face

FOCAL, DISTANCE = 1000.0, 5.0  # pixels; in widths of the head
HEAD = np.random.default_rng(3).uniform(-0.5, 0.5, (478, 3))


def head() -> np.ndarray:
    """An ellipsoid's front: what is nearer the middle stands nearer the camera."""
    points = HEAD.copy()
    points[:, 2] = -0.5 * np.sqrt(np.maximum(0, 1 - (points[:, :2] ** 2).sum(axis=1) / 0.5))
    return points


def flat() -> np.ndarray:
    points = HEAD.copy()
    points[:, 2] = 0
    return points


def seen(points: np.ndarray, yaw_deg: float, noise: float, seed: int) -> Face:
    """The points turned about the upright axis and seen by a pinhole camera."""
    yaw = np.radians(yaw_deg)
    x = points[:, 0] * np.cos(yaw) + points[:, 2] * np.sin(yaw)
    z = -points[:, 0] * np.sin(yaw) + points[:, 2] * np.cos(yaw) + DISTANCE
    xy = FOCAL * np.stack([x, points[:, 1]], axis=1) / z[:, None] + 300
    xy += np.random.default_rng(seed).normal(scale=noise, size=xy.shape)
    landmarks = np.column_stack([xy, np.zeros(478)]).astype(np.float32)
    low, high = xy.min(axis=0), xy.max(axis=0)
    return Face((low[0], low[1], *(high - low)), 1.0, landmarks)


def verdict(points: np.ndarray, turn_deg: float, noise: float = 0.15) -> str:
    watch = DepthWatch()
    for number in range(75):
        t = number / 15
        watch.observe(t, seen(points, turn_deg * np.sin(2 * np.pi * t / 3), noise, number))
    return watch.finding().verdict


def test_a_turning_head_is_solid() -> None:
    assert verdict(head(), 15) == "clear"


@pytest.mark.parametrize("turn_deg", [22, 30, 40])
def test_a_turning_print_is_flat(turn_deg: float) -> None:
    assert verdict(flat(), turn_deg) == "deny"


@pytest.mark.parametrize("points", [head(), flat()], ids=["head", "print"])
def test_what_holds_quite_still_is_doubted(points: np.ndarray) -> None:
    assert verdict(points, 0) == "doubt"


def test_a_head_that_sways_a_little_is_more_than_a_stiff_plane() -> None:
    assert verdict(head(), 6) == "open"


def test_too_few_moments_say_nothing() -> None:
    watch = DepthWatch()
    for number in range(2):
        watch.observe(number, seen(flat(), 20 * number, 0, number))
    assert watch.finding().verdict == "unsure"


@given(st.floats(-35, 35), st.floats(-35, 35))
def test_a_homography_explains_a_flat_thing_from_every_side(before: float, after: float) -> None:
    a, b = (seen(flat(), yaw, 0, 0).landmarks[list(RIGID), :2].astype(np.float64) for yaw in (before, after))
    assert homography_residual(a, b) < 0.05


def test_anisotropy_is_blind_to_shift_turn_and_size() -> None:
    a = seen(flat(), 0, 0, 0).landmarks[list(RIGID), :2].astype(np.float64)
    turn = 1.7 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    assert anisotropy(a, a @ turn + 20) == pytest.approx(0, abs=1e-6)
    assert anisotropy(a, a * [0.8, 1]) == pytest.approx(0.2, abs=1e-6)
