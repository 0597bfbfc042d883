"""The tracker on pictures that move: which face it follows, and when a track is unbroken."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from blinkd.capture.frame import Frame, Image
from blinkd.capture.pictures import read_picture
from blinkd.models.manifest import Manifest, default_models_dir
from blinkd.settings import VisionSettings
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.tracker import FaceTracker, Tracking

WIDTH, HEIGHT, STEP = 640, 480, 1 / 20
MIDDLE = (320.0, 240.0)


@pytest.fixture(scope="module")
def analyser() -> FaceAnalyser:
    return FaceAnalyser(Manifest.load(default_models_dir()), VisionSettings())


@pytest.fixture
def tracker(analyser: FaceAnalyser) -> FaceTracker:
    return analyser.tracker()


@pytest.fixture(scope="module")
def heads(analyser: FaceAnalyser, media: Path) -> dict[str, Image]:
    """Two heads cut out so that the face is 200 pixels high and in the middle."""
    cut = {}
    for name in ("obama", "biden"):
        image = read_picture(media / f"{name}.jpg")
        face = analyser.faces(image)[0]
        x, y, w, h = face.bbox
        scale = 200 / face.size
        matrix = np.array([[scale, 0, 160 - scale * (x + w / 2)], [0, scale, 160 - scale * (y + h / 2)]])
        cut[name] = np.asarray(cv2.warpAffine(image, matrix, (320, 320), flags=cv2.INTER_AREA), np.uint8)
    return cut


def scene(*placed: tuple[Image, float, float, float]) -> Image:
    """Heads on a grey wall: picture, x and y of its centre in pixels, scale."""
    out = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for head, x, y, scale in placed:
        matrix = np.array([[scale, 0, x - 160 * scale], [0, scale, y - 160 * scale]])
        cv2.warpAffine(head, matrix, (WIDTH, HEIGHT), dst=out, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
    return out


class Show:
    """Shows pictures to a tracker at 20 frames a second."""

    def __init__(self, tracker: FaceTracker) -> None:
        self._tracker = tracker
        self.t = 0.0
        self._index = 0

    def __call__(self, image: Image, times: int = 1) -> Tracking:
        for _ in range(times):
            tracking = self._tracker.update(Frame(image, self.t, self._index))
            self.t += STEP
            self._index += 1
        return tracking

    def wait(self, seconds: float) -> None:
        """Frames are missing for so long."""
        self.t += seconds


def centre(tracking: Tracking) -> tuple[float, float]:
    assert tracking.face is not None
    x, y, w, h = tracking.face.bbox
    return x + w / 2, y + h / 2


def test_nothing_to_see_is_no_face_and_no_track(tracker: FaceTracker) -> None:
    tracking = Show(tracker)(scene(), 10)
    assert (tracking.face, tracking.track, tracking.faces) == (None, 0, 0)


def test_a_face_that_moves_smoothly_stays_on_one_track(tracker: FaceTracker, heads: dict[str, Image]) -> None:
    show = Show(tracker)
    for step in range(40):
        x, scale = 180 + 7 * step, 0.8 + 0.005 * step
        tracking = show(scene((heads["obama"], x, 240, scale)))
        assert tracking.track == 1
        assert centre(tracking) == pytest.approx((x, 240), abs=12)


def test_a_short_gap_is_bridged_and_a_longer_one_begins_a_new_track(tracker: FaceTracker, heads: dict[str, Image]) -> None:
    show = Show(tracker)
    there = scene((heads["obama"], *MIDDLE, 1.0))
    assert show(there, 5).track == 1
    assert show(scene(), 2).face is None
    assert show(there).track == 1, "100 ms without a face are within track_gap_ms"
    assert show(scene(), 4).face is None
    assert show(there).track == 2
    show.wait(1.0)
    assert show(there).track == 3, "the camera stood still for a second: nobody knows what happened"


def test_forgetting_begins_a_new_track(tracker: FaceTracker, heads: dict[str, Image]) -> None:
    show = Show(tracker)
    there = scene((heads["obama"], *MIDDLE, 1.0))
    assert show(there, 3).track == 1
    tracker.forget()
    assert show(there).track == 2


def test_a_face_that_jumps_across_the_picture_is_a_new_track(tracker: FaceTracker, heads: dict[str, Image]) -> None:
    show = Show(tracker)
    assert show(scene((heads["obama"], 130, 240, 0.8)), 5).track == 1
    tracking = show(scene((heads["obama"], 510, 240, 0.8)))
    assert tracking.track != 1 or tracking.face is None
    tracking = show(scene((heads["obama"], 510, 240, 0.8)), 5)
    assert tracking.track == 2
    assert centre(tracking)[0] == pytest.approx(510, abs=12)


def test_of_two_equal_faces_it_stays_with_the_first(tracker: FaceTracker, heads: dict[str, Image]) -> None:
    show = Show(tracker)
    for head in ("obama", "biden"):
        assert head in heads
    assert show(scene((heads["obama"], 170, 240, 0.9)), 5).track == 1
    for _ in range(30):
        tracking = show(scene((heads["obama"], 170, 240, 0.9), (heads["biden"], 470, 240, 0.95)))
        assert tracking.track == 1
        assert centre(tracking)[0] == pytest.approx(170, abs=12)
    assert tracking.faces == 2


def test_a_much_larger_face_takes_over_on_a_track_of_its_own(tracker: FaceTracker, heads: dict[str, Image]) -> None:
    show = Show(tracker)
    assert show(scene((heads["obama"], 130, 240, 0.6)), 5).track == 1
    tracking = show(scene((heads["obama"], 130, 240, 0.6), (heads["biden"], 450, 240, 1.2)), 10)
    assert tracking.track == 2
    assert centre(tracking)[0] == pytest.approx(450, abs=15)


def test_the_same_frames_give_the_same_landmarks(analyser: FaceAnalyser, heads: dict[str, Image]) -> None:
    def run() -> list[np.ndarray]:
        show = Show(analyser.tracker())
        found = [show(scene((heads["obama"], 200 + 4 * step, 240, 0.9))).face for step in range(10)]
        return [face.landmarks for face in found if face is not None]

    first, second = run(), run()
    assert len(first) == len(second) == 10
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
