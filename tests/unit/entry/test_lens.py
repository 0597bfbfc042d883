"""Badges shown to the camera: the picture that `people badge` writes, as a camera would see it."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from blinkd.capture.frame import Frame
from blinkd.crypto.pins import new_code
from blinkd.entry.lens import SAME_S, Lens, read_code
from blinkd.entry.picture import picture_of
from blinkd.entry.typing import CodeRead

Grey = npt.NDArray[np.uint8]
EVERY_MS = 500


def badge(code: str, size: int) -> Grey:
    """The printed badge, so many pixels wide."""
    picture = cv2.imdecode(np.frombuffer(picture_of(code), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def scene(card: Grey, *, turned: float = 0.0, tilted: float = 0.0, blur: float = 0.0, noise: float = 0.0) -> Grey:
    """In somebody's hand before a grey wall, 640x480. turned: degrees; tilted: part of its height by which one side is shorter."""
    size = card.shape[0]
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    away = corners + np.array([[0, 0], [0, tilted * size / 2], [0, -tilted * size / 2], [0, 0]], np.float32)
    angle = np.deg2rad(turned)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    placed = (away - size / 2) @ turn.T + np.array([320, 240], np.float32)
    wall = np.full((480, 640), 120, np.uint8)
    seen = cv2.warpPerspective(
        card, cv2.getPerspectiveTransform(corners, placed.astype(np.float32)), (640, 480), dst=wall, borderMode=cv2.BORDER_TRANSPARENT
    )
    if blur:
        seen = cv2.GaussianBlur(seen, (0, 0), blur)
    return np.clip(seen + np.random.default_rng(1).normal(0, noise, seen.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"turned": 20.0},
        {"turned": 90.0},
        {"tilted": 0.25},
        {"blur": 1.0},
        {"noise": 12.0},
        {"turned": 10.0, "tilted": 0.15, "noise": 8.0},
    ],
    ids=str,
)
def test_a_badge_is_read_as_a_camera_sees_it(how: dict[str, float]) -> None:
    code = new_code()
    assert read_code(cv2.QRCodeDetector(), scene(badge(code, 200), **how)) == code


def test_a_code_of_somebody_else_and_a_wall_are_no_badges() -> None:
    other = np.kron(np.pad(cv2.QRCodeEncoder.create().encode("https://example.org"), 4, constant_values=255), np.ones((6, 6), np.uint8))
    assert read_code(cv2.QRCodeDetector(), np.asarray(other, np.uint8)) is None
    assert read_code(cv2.QRCodeDetector(), np.full((480, 640), 120, np.uint8)) is None


@pytest.fixture
def lens() -> Iterator[Lens]:
    lens = Lens(EVERY_MS)
    yield lens
    lens.close()


def show(lens: Lens, picture: Grey, t: float) -> list[CodeRead]:
    lens.see(Frame(np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8), t, round(t * 1000)))
    assert lens.rest(30.0)
    return lens.codes()


def test_a_badge_that_is_held_there_counts_once_and_again_when_it_comes_back(lens: Lens) -> None:
    code = new_code()
    picture, wall = scene(badge(code, 200)), np.full((480, 640), 120, np.uint8)
    assert show(lens, picture, 0.0) == [CodeRead(code)]
    for number in range(1, 20):
        assert show(lens, picture, number * 1.0) == []
    assert show(lens, wall, 20.0) == []
    assert show(lens, picture, 20.0 + SAME_S) == [CodeRead(code)]


def test_it_looks_at_few_frames_only(lens: Lens) -> None:
    code = new_code()
    assert show(lens, np.full((480, 640), 120, np.uint8), 0.0) == []
    picture = scene(badge(code, 200))
    assert show(lens, picture, 0.4) == []  # not yet time
    assert show(lens, picture, 0.5) == [CodeRead(code)]


def test_a_large_frame_is_looked_at_small(lens: Lens) -> None:
    code = new_code()
    large = cv2.resize(scene(badge(code, 200)), (1920, 1440), interpolation=cv2.INTER_LINEAR)
    assert show(lens, np.asarray(large, np.uint8), 0.0) == [CodeRead(code)]
