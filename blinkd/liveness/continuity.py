"""Continuity of the picture itself: no cut, no freeze, no loop. A camera never delivers any of them; an injected recording may.

Works on a thumbnail of the whole frame and one of the face: a fraction of a millisecond a frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.liveness.finding import Finding
from blinkd.vision.face import Face

THUMB = (32, 24)  # width, height of the whole frame's thumbnail
BLACK, LIT = 10.0, 25.0  # mean grey of a black frame, and of a scene that has light
CUT_LEVELS = 40.0  # mean change of the thumbnail between two frames that no person before the camera makes
CUTS = 3  # so many in one visit are no accident: the first two only break the evidence
FROZEN_S = 0.5  # the same frame for so long: recordings with uneven frame rate repeat one or two, a stalled one more
REPEATED_SHARE = 0.45  # of the frames that show nothing new at all: a camera has noise, uneven recordings repeat one frame in five
REPEATED_OF = 12  # frames before that is said
LOOP_MEMORY = 600  # frames of a visit that are remembered: twenty to forty seconds
LOOP_LAG_S = 0.4  # a repeat nearer than that is no loop but a still face
LOOP_S = 0.5  # so long a piece must come again
LOOP_FRAMES = 6
LOOP_RATIO = 5.0  # the piece must move so many times more than it differs from its first showing
LOOP_MOTION = 1.5  # and by so many grey levels at least (mean over the face's thumbnail)
LOOP_MATCH = 1.2  # grey levels within which two thumbnails may be the same moment: recompression leaves less
FACE_THUMB = (16, 12)  # width, height; so small that a sensor's noise averages out

Thumb = npt.NDArray[np.float32]


class ContinuityWatch:
    """Sees every frame of a visit, whether or not a face was found in it."""

    def __init__(self) -> None:
        self._before: Thumb | None = None
        self._still_since: float | None = None
        self._sample: Image | None = None
        self._cuts = 0
        self._frames = self._repeats = 0
        self._frozen = False
        self._loop = _LoopFinder()

    def observe(self, t: float, image: Image, face: Face | None) -> bool:
        """Take one frame, uint8 (H, W, 3) BGR. Returns whether it is cut off from the one before: evidence must not span it."""
        sample = image[::4, ::4]
        self._frames += 1
        if self._sample is not None and np.array_equal(sample, self._sample):
            self._repeats += 1
            self._still_since = t if self._still_since is None else self._still_since
            self._frozen = self._frozen or t - self._still_since >= FROZEN_S
            return False  # nothing new in it
        self._sample, self._still_since = sample.copy(), None
        thumb = cv2.resize(cv2.cvtColor(sample, cv2.COLOR_BGR2GRAY), THUMB, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._before = self._before, thumb
        if face is not None:
            self._loop.observe(t, face_thumb(image, face))
        if before is None:
            return False
        went_black = float(thumb.mean()) < BLACK and float(before.mean()) > LIT
        cut = went_black or float(np.abs(thumb - before).mean()) > CUT_LEVELS
        self._cuts += cut
        return cut

    def finding(self) -> Finding:
        """`deny` once the picture has frozen, looped or been cut several times, `doubt` where every other frame is a repeat.

        Else `open`, for a film is continuous too.
        """
        for cue, seen in (("frozen", self._frozen), ("loop", self._loop.found), ("cut", self._cuts >= CUTS)):
            if seen:
                return Finding(cue, "deny", None)
        if self._frames >= REPEATED_OF and self._repeats >= REPEATED_SHARE * self._frames:
            return Finding("repeats", "doubt", self._repeats / self._frames)
        return Finding("continuity", "open", None)


@dataclass(frozen=True, slots=True)
class _Run:
    """A piece that has come again so far, at one lag."""

    frames: int
    began: float
    worst: float  # match of its frames, grey levels
    first: Thumb
    motion: float  # how far it has moved from its first frame, grey levels


class _LoopFinder:
    """Looks for a piece of the past that comes again, frame by frame at one lag."""

    def __init__(self) -> None:
        self._times = np.full(LOOP_MEMORY, -np.inf)
        self._thumbs = np.zeros((LOOP_MEMORY, FACE_THUMB[0] * FACE_THUMB[1]), np.float32)
        self._count = 0
        self._runs: dict[int, _Run] = {}  # by lag in frames
        self.found = False

    def observe(self, t: float, thumb: Thumb) -> None:
        if self.found:
            return
        self._compare(t, thumb)
        place = self._count % LOOP_MEMORY
        self._times[place], self._thumbs[place] = t, thumb
        self._count += 1

    def _compare(self, t: float, thumb: Thumb) -> None:
        held = min(self._count, LOOP_MEMORY)
        differs = np.abs(self._thumbs[:held] - thumb).mean(axis=1)
        runs: dict[int, _Run] = {}
        for row in np.flatnonzero((differs < LOOP_MATCH) & (self._times[:held] <= t - LOOP_LAG_S)):
            lag = (self._count - int(row)) % LOOP_MEMORY
            known = self._runs.get(lag, _Run(0, t, 0.0, thumb, 0.0))
            run = _Run(
                known.frames + 1,
                known.began,
                max(known.worst, float(differs[row])),
                known.first,
                max(known.motion, float(np.abs(thumb - known.first).mean())),
            )
            runs[lag] = run
            if run.frames >= LOOP_FRAMES and t - run.began >= LOOP_S and run.motion >= max(LOOP_MOTION, LOOP_RATIO * run.worst):
                self.found = True
        self._runs = runs


def face_thumb(image: Image, face: Face) -> Thumb:
    """The face's box in grey, shrunk to the thumbnail's size; float32 (192,). Not aligned: in a loop the place comes again too."""
    height, width = image.shape[:2]
    x, y, w, h = face.bbox
    left, top = int(np.clip(x, 0, width - 2)), int(np.clip(y, 0, height - 2))
    right, bottom = int(np.clip(x + w, left + 1, width)), int(np.clip(y + h, top + 1, height))
    grey = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, FACE_THUMB, interpolation=cv2.INTER_AREA), np.float32).ravel()
