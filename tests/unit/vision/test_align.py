"""Alignment puts the five points where the embedder was trained to find them."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.errors import MediaError
from blinkd.vision.align import FIVE_POINT_TEMPLATE, align, similarity

TEMPLATE = np.asarray(FIVE_POINT_TEMPLATE)


def moved(points: np.ndarray, scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T + np.asarray(shift)


@given(scale=st.floats(0.05, 20), angle=st.floats(-3.1, 3.1), x=st.floats(-500, 2000), y=st.floats(-500, 2000))
def test_similarity_takes_any_turned_and_scaled_face_exactly_onto_the_template(scale: float, angle: float, x: float, y: float) -> None:
    matrix = similarity(moved(TEMPLATE, scale, angle, (x, y)), TEMPLATE)
    found = moved(TEMPLATE, scale, angle, (x, y)) @ matrix[:, :2].T + matrix[:, 2]
    assert np.allclose(found, TEMPLATE, atol=1e-4)


@given(st.integers(0, 2**32 - 1))
def test_no_other_similarity_is_nearer_in_the_least_squares_sense(seed: int) -> None:
    chance = np.random.default_rng(seed)
    points = moved(TEMPLATE, 2.0, 0.3, (40, 50)) + chance.normal(0, 6, TEMPLATE.shape)
    best = similarity(points, TEMPLATE)

    def error(matrix: np.ndarray) -> float:
        return float(np.sum((points @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE) ** 2))

    for _ in range(10):
        a, b, x, y = chance.normal(0, [0.01, 0.01, 0.5, 0.5])
        assert error(best) <= error(best + np.array([[a, -b, x], [b, a, y]])) + 1e-9


def test_a_mirrored_face_is_never_reflected_back() -> None:
    matrix = similarity(TEMPLATE * [-1, 1], TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


def dots(points: np.ndarray, height: int, width: int, radius: int) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(float(x) * 16), round(float(y) * 16)), radius * 16, (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    return image


@pytest.mark.parametrize("scale", [0.8, 1.7, 2.6, 4.4, 9.3])
def test_marks_at_the_five_points_arrive_on_the_template(scale: float) -> None:
    points = moved(TEMPLATE, scale, 0.35, (300, 120))
    crop = align(dots(points, 1500, 1500, max(2, round(3 * scale))), points)
    assert crop.shape == (112, 112, 3)
    assert crop.dtype == np.uint8
    y, x = np.mgrid[:112, :112]
    for tx, ty in TEMPLATE:
        weight = crop[..., 0] * (np.hypot(x - tx, y - ty) < 8).astype(float)
        assert weight.sum() > 0
        assert abs((weight * x).sum() / weight.sum() - tx) < 0.3
        assert abs((weight * y).sum() / weight.sum() - ty) < 0.3


def test_a_much_larger_face_is_averaged_rather_than_sampled() -> None:
    chance = np.random.default_rng(0)
    noise = chance.integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    points = moved(TEMPLATE, 8.0, 0.0, (100, 100))
    sampled = cv2.warpAffine(noise, similarity(points, TEMPLATE), (112, 112))
    assert align(noise, points).std() < 0.3 * sampled.std()


@pytest.mark.parametrize("scale", [1.0, 6.0])
def test_what_lies_outside_of_the_picture_is_black(scale: float) -> None:
    points = moved(TEMPLATE, scale, 0.0, (-60 * scale, 0))
    image = np.full((round(112 * scale), round(112 * scale), 3), 200, np.uint8)
    crop = align(image, points)
    assert crop[56, 10].max() == 0
    assert crop[56, 100].min() == 200


def test_a_face_wholly_outside_of_the_picture_gives_a_black_crop() -> None:
    image = np.full((200, 200, 3), 200, np.uint8)
    assert align(image, moved(TEMPLATE, 5.0, 0.0, (5000, 5000))).max() == 0


def test_points_that_fall_together_are_refused() -> None:
    with pytest.raises(MediaError, match="cannot be aligned"):
        align(np.zeros((10, 10, 3), np.uint8), np.ones((5, 2)))
