"""Edges, patterns and light of things that are held before the camera, on pictures made of numbers."""

import cv2
import numpy as np
import pytest

from blinkd.liveness.bezel import BezelFinder
from blinkd.liveness.light import FlickerWatch, GlareWatch
from blinkd.liveness.moire import MoireWatch
from blinkd.liveness.texture import TextureWatch, cut_out
from blinkd.settings import LivenessSettings
from blinkd.vision.face import Face
from tests.unit.liveness.faces import SIDE, face

LEFT, TOP = 220, 120  # where the face of SIDE x SIDE stands in a frame of 640 x 480
RNG = np.random.default_rng(4)


def placed(dx: float = 0.0, dy: float = 0.0) -> Face:
    """A frontal face at (LEFT, TOP), moved by so many pixels."""
    known = face()
    landmarks = known.landmarks + np.array([LEFT + dx, TOP + dy, 0], np.float32)
    return Face((LEFT + dx, TOP + dy, SIDE, SIDE), 1.0, landmarks)


def wall() -> np.ndarray:
    coarse = RNG.integers(100, 150, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC), np.uint8)


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    grain = np.random.default_rng(seed).normal(scale=2, size=image.shape)
    return np.asarray(np.clip(image + grain, 0, 255), np.uint8)


def framed(lean_deg: float = 0.0, *, lower: bool = True, fingers: bool = False) -> np.ndarray:
    """A dark rectangle around the face, as of a tablet; without its lower edge as of a door behind a person."""
    image = wall()
    thing = np.zeros((480, 640), np.uint8)
    cv2.rectangle(thing, (180, 80), (460, 360 if lower else 479), 255, 14)
    if fingers:
        cv2.circle(thing, (180, 200), 22, 0, -1)
        cv2.circle(thing, (460, 260), 22, 0, -1)
    turn = cv2.getRotationMatrix2D((320, 220), lean_deg, 1)
    image[cv2.warpAffine(thing, turn, (640, 480)) > 0] = 15
    if not lower:
        cv2.ellipse(image, (320, 480), (190, 150), 0, 0, 360, (60, 60, 60), -1)  # shoulders before it
    return image


@pytest.mark.parametrize("lean_deg", [0, 7, -9])
@pytest.mark.parametrize("fingers", [False, True])
def test_a_face_within_the_edges_of_a_thing_is_framed(lean_deg: float, fingers: bool) -> None:
    assert BezelFinder().framed(noisy(framed(lean_deg, fingers=fingers), 1), placed())


def test_a_door_behind_a_person_is_no_frame() -> None:
    assert not BezelFinder().framed(noisy(framed(lower=False), 1), placed())


def test_a_wall_is_no_frame() -> None:
    assert not BezelFinder().framed(noisy(wall(), 1), placed())
    assert not BezelFinder().framed(np.full((480, 640, 3), 90, np.uint8), placed())


def grating(across: float, down: float, strength: float) -> np.ndarray:
    """A regular pattern of so many cycles a pixel over the whole picture."""
    y, x = np.mgrid[0:480, 0:640]
    return strength * np.sin(2 * np.pi * (across * x + down * y))[..., None]


def moire(pattern: np.ndarray | float) -> str:
    watch = MoireWatch()
    base = wall()
    for look in range(6):
        watch.observe(noisy(np.clip(base + np.roll(pattern, look, axis=0) if np.ndim(pattern) else base, 0, 255), look))
    return watch.finding().verdict


def test_a_fine_regular_pattern_over_the_picture_is_doubted() -> None:
    assert moire(grating(0.23, 0.11, 3.0)) == "doubt"


@pytest.mark.parametrize("pattern", [0.0, grating(0.125, 0.0, 3.0)], ids=["none", "upright edges of compression"])
def test_noise_and_what_lies_on_the_axes_are_no_pattern(pattern: np.ndarray | float) -> None:
    assert moire(pattern) == "open"


def test_a_small_picture_says_nothing() -> None:
    watch = MoireWatch()
    for _ in range(6):
        watch.observe(np.zeros((100, 100, 3), np.uint8))
    assert watch.finding().verdict == "open"


@pytest.mark.parametrize(("follows", "verdict"), [(False, "doubt"), (True, "open")])
def test_glare_that_stays_while_the_face_moves_is_doubted_and_a_highlight_that_moves_with_it_is_not(follows: bool, verdict: str) -> None:
    watch = GlareWatch()
    for look in range(8):
        dx = 60 * (look % 2) - 30.0
        image = wall()
        cv2.circle(image, (int(320 + dx * follows), 200), 12, (255, 255, 255), -1)
        watch.observe(image, placed(dx))
    assert watch.finding().verdict == verdict


def bands(frame: int, shape: tuple[int, ...], rows_per_band: float) -> np.ndarray:
    rows = np.arange(shape[0])
    return 1 + 0.05 * np.sin(2 * np.pi * (rows / rows_per_band + 0.31 * frame))[:, None, None]


@pytest.mark.parametrize(("on_face", "in_room", "verdict"), [(True, False, "doubt"), (True, True, "open"), (False, False, "open")])
def test_bands_over_the_face_alone_are_a_screen_and_bands_over_the_room_too_a_lamp(on_face: bool, in_room: bool, verdict: str) -> None:
    watch = FlickerWatch()
    crop, room = np.full((112, 112, 3), 120.0), np.full((480, 640, 3), 120.0)
    for frame in range(24):
        shown = crop * bands(frame, crop.shape, 50) if on_face else crop
        around = room * bands(frame, room.shape, 200) if in_room else room
        watch.observe(noisy(around, frame), noisy(shown, frame + 100))
    assert watch.finding().verdict == verdict


def test_the_texture_models_view_is_shifted_and_shrunk_where_the_picture_ends() -> None:
    y, x = np.mgrid[0:480, 0:640]
    image = np.dstack([x / 640 * 255, y / 480 * 255, np.zeros_like(x)]).astype(np.uint8)
    whole = cut_out(image, (0, 0, 400, 300), 4.0)  # four times that does not fit: the whole height, from the corner
    assert whole.shape == (80, 80, 3)
    assert whole[0, 0, 1] < 5
    assert whole[-1, 0, 1] > 248
    inner = cut_out(image, (300, 220, 40, 40), 2.0)
    assert abs(int(inner[40, 40, 0]) - 127) <= 3


def judged(*looks: tuple[float, float], view: float = 3.0) -> str:
    watch = TextureWatch(LivenessSettings())
    for look in looks:
        watch.observe(look, view)
    return watch.finding().verdict


def test_texture_waits_then_clears_doubts_or_denies_by_the_mean_of_both_networks() -> None:
    assert judged(*[(0.9, 0.9)] * 2) == "unsure"
    assert judged(*[(0.9, 0.9)] * 6) == "clear"
    assert judged(*[(0.7, 0.6)] * 6) == "doubt"
    assert judged(*[(0.1, 0.4)] * 6) == "deny"


def test_one_network_that_denies_is_a_doubt() -> None:
    assert judged(*[(1.0, 0.2)] * 6) == "doubt"


def test_one_good_moment_does_not_clear_a_bad_track() -> None:
    assert judged(*[(0.1, 0.1)] * 20, *[(1.0, 1.0)] * 12) == "doubt"


def test_where_the_view_is_narrow_the_networks_must_be_surer() -> None:
    assert judged(*[(0.85, 0.85)] * 6) == "clear"
    assert judged(*[(0.85, 0.85)] * 6, view=1.8) == "doubt"
