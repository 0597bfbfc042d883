"""Follows one face through a recording or a camera: the largest, as long as its track is unbroken."""

from dataclasses import dataclass

import numpy as np

from blinkd.capture.frame import Frame, Image
from blinkd.settings import VisionSettings
from blinkd.timing import NO_TIMING, Timing
from blinkd.vision.detector import BlazeFace, Detection
from blinkd.vision.face import Face
from blinkd.vision.mesh import FaceMesh, Roi

REDETECT_MS = 250  # between looks at the whole picture: other faces, and whether the tracked one is still where the mesh says
TAKEOVER_RATIO = 1.3  # another face must be so much larger to take over; two of equal size do not make the track flap
UNCONFIRMED_LIMIT = 4  # looks in a row in which the detector saw no face where the mesh did: the mesh has drifted off
JUMP_LIMIT = 0.6  # of the face's size: no head moves farther between two frames that are at most JUMP_WINDOW_MS apart
JUMP_WINDOW_MS = 150
GROWTH_LIMIT = 1.5  # likewise the ratio of sizes
SURE_SCORE = 0.9  # of the mesh; above it the finer of two looks is taken even where the rougher one scores higher
SAME_PLACE = 0.2  # intersection over union of a detection with the tracked face


@dataclass(frozen=True, slots=True, eq=False)
class Tracking:
    """What the tracker knows after one frame.

    face: the tracked face, or None when it was not found in this frame.
    track: number of the unbroken track, from 1; a new number means that nothing links the face with the one before.
    faces: how many faces the last look at the whole picture found.
    """

    face: Face | None
    track: int
    faces: int


class FaceTracker:
    """Finds the largest face, then follows it with the mesh alone, at half the cost of finding it anew in every frame."""

    def __init__(self, detector: BlazeFace, mesh: FaceMesh, settings: VisionSettings, timing: Timing = NO_TIMING) -> None:
        self._detector = detector
        self._mesh = mesh
        self._timing = timing
        self._presence = settings.presence_score
        self._gap_ms = settings.track_gap_ms
        self._face: Face | None = None
        self._seen_at = 0.0
        self._looked_at = -1e9
        self._unconfirmed = 0
        self._faces = 0
        self._track = 0

    def update(self, frame: Frame) -> Tracking:
        """Advance by one frame; frames come in the order of their time."""
        since_ms = (frame.t - self._seen_at) * 1000
        before = self._face
        if before is not None and since_ms > self._gap_ms:
            before = self._face = None
        face = None if before is None else self._follow(frame.image, before, since_ms)
        looked: list[Detection] | None = None
        if face is None or (frame.t - self._looked_at) * 1000 >= REDETECT_MS:
            with self._timing.stage("detect"):
                looked = self._detector.detect(frame.image)
            self._looked_at = frame.t
            self._faces = len(looked)
            if face is not None:
                face = self._confirm(face, looked)
        if face is None and looked:
            face = self._acquire(frame.image, looked)
            if face is not None and (before is None or not _continues(before, face, since_ms)):
                self._track += 1
                self._unconfirmed = 0
        if face is not None:
            self._face, self._seen_at = face, frame.t
        return Tracking(face, self._track, self._faces)

    def forget(self) -> None:
        """Drop the face; the next one found begins a new track."""
        self._face = None

    def _follow(self, image: Image, before: Face, since_ms: float) -> Face | None:
        with self._timing.stage("landmarks"):
            face = self._mesh.locate(image, Roi.around_landmarks(before.landmarks))
        if face.score < self._presence or not _continues(before, face, since_ms):
            return None
        return face

    def _confirm(self, face: Face, looked: list[Detection]) -> Face | None:
        """Drop the face when a much larger one is there, or when the detector has not seen it for some looks."""
        here = [found for found in looked if box_overlap(found.bbox, face.bbox) >= SAME_PLACE]
        if here:
            self._unconfirmed = 0
            if _area(looked[0]) > TAKEOVER_RATIO**2 * max(_area(found) for found in here):
                self._face = None
                return None
        else:
            self._unconfirmed += 1
            if self._unconfirmed >= UNCONFIRMED_LIMIT:
                self._face = None
                return None
        return face

    def _acquire(self, image: Image, looked: list[Detection]) -> Face | None:
        for found in by_size_then_centre(looked, image):
            face = locate_twice(self._mesh, image, found)
            if face.score >= self._presence:
                return face
        return None


def locate_twice(mesh: FaceMesh, image: Image, found: Detection) -> Face:
    """Mesh of a detected face, run again on the region that the first run gave: the detector's box is only roughly right.

    With a mouth wide open the landmarks reach so far down that the second region can be the worse one; then the first run counts.
    """
    first = mesh.locate(image, Roi.around_detection(found))
    second = mesh.locate(image, Roi.around_landmarks(first.landmarks))
    return second if second.score >= min(first.score, SURE_SCORE) else first


def by_size_then_centre(looked: list[Detection], image: Image) -> list[Detection]:
    """Largest first; faces whose sides differ by less than a tenth count as equal, and the one nearest the picture's centre leads."""
    if not looked:
        return []
    height, width = image.shape[:2]
    largest = max(_area(found) for found in looked) ** 0.5

    def rank(found: Detection) -> tuple[int, float]:
        x, y, w, h = found.bbox
        step = int((largest - _area(found) ** 0.5) / (0.1 * largest))
        return step, float(np.hypot(x + w / 2 - width / 2, y + h / 2 - height / 2))

    return sorted(looked, key=rank)


def _continues(before: Face, after: Face, since_ms: float) -> bool:
    windows = max(1.0, since_ms / JUMP_WINDOW_MS)
    (ax, ay, aw, ah), (bx, by, bw, bh) = before.bbox, after.bbox
    moved = float(np.hypot(ax + aw / 2 - bx - bw / 2, ay + ah / 2 - by - bh / 2))
    ratio = after.size / max(before.size, 1e-6)
    return moved <= JUMP_LIMIT * windows * before.size and 1 / GROWTH_LIMIT**windows <= ratio <= GROWTH_LIMIT**windows


def _area(found: Detection) -> float:
    return found.bbox[2] * found.bbox[3]


def box_overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)
