"""Continuity of the picture itself: no cut, no freeze, no loop. A camera never delivers any of them; an injected recording may.

Works on a thumbnail of the whole frame, so small that a sensor's noise averages out: a fraction of a millisecond a frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.liveness.finding import Finding

THUMB = (32, 24)  # width, height of the thumbnails
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
LOOP_MOTION = 0.4  # and by so many grey levels at least (mean over the thumbnail; a moving head is about one)
SUSPECT_FRAMES, SUSPECT_MOTION, SUSPECT_RATIO = 3, 0.15, 3.0  # a loop is suspected sooner than it is found
SUSPECT_HOLD_S = 0.5  # and for so long after its last sign: where a loop turns round nothing matches for a moment
LOOP_MATCH = 0.6  # grey levels within which two thumbnails may be the same moment: noise and recompression leave less

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

    def observe(self, t: float, image: Image) -> bool:
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
        self._loop.observe(t, thumb.ravel())
        if before is None:
            return False
        went_black = float(thumb.mean()) < BLACK and float(before.mean()) > LIT
        cut = went_black or float(np.abs(thumb - before).mean()) > CUT_LEVELS
        self._cuts += cut
        return cut

    def finding(self) -> Finding:
        """`deny` once the picture has frozen, looped or been cut several times, `doubt` where every other frame is a repeat.

        `unsure` while the present frame repeats the last one or a piece of the past seems to come again; else `open`, for a film is
        continuous too.
        """
        for cue, seen in (("frozen", self._frozen), ("loop", self._loop.found), ("cut", self._cuts >= CUTS)):
            if seen:
                return Finding(cue, "deny", None)
        if self._frames >= REPEATED_OF and self._repeats >= REPEATED_SHARE * self._frames:
            return Finding("repeats", "doubt", self._repeats / self._frames)
        waiting = self._still_since is not None or self._loop.suspected
        return Finding("continuity", "unsure" if waiting else "open", None)


@dataclass(frozen=True, slots=True)
class _Run:
    """A piece that has come again so far, at one lag."""

    frames: int
    began: float
    worst: float  # match of its frames, grey levels
    first: Thumb
    motion: float  # how far it has moved from its first frame, grey levels


class _LoopFinder:
    """Looks for a piece of the past that comes again, frame by frame at one lag, or backwards, about one moment."""

    def __init__(self) -> None:
        self._times = np.full(LOOP_MEMORY, -np.inf)
        self._thumbs = np.zeros((LOOP_MEMORY, THUMB[0] * THUMB[1]), np.float32)
        self._count = 0
        self._runs: dict[tuple[str, int], _Run] = {}  # by lag in frames, or by the sum of both frames' numbers
        self._suspected_at = -np.inf
        self.suspected = False  # a piece that moves seems to be coming again
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
        runs: dict[tuple[str, int], _Run] = {}
        for row in np.flatnonzero((differs < LOOP_MATCH) & (self._times[:held] <= t - LOOP_LAG_S)):
            lag = (self._count - int(row)) % LOOP_MEMORY
            number = self._count - (lag or LOOP_MEMORY)  # of the frame that is like the present one
            for way in (("again", lag), ("backwards", self._count + number)):
                run = self._longer(way, t, thumb, float(differs[row]))
                runs[way] = run
                if run.frames >= LOOP_FRAMES and t - run.began >= LOOP_S and run.motion >= max(LOOP_MOTION, LOOP_RATIO * run.worst):
                    self.found = True
        self._runs = runs
        if any(run.frames >= SUSPECT_FRAMES and run.motion >= max(SUSPECT_MOTION, SUSPECT_RATIO * run.worst) for run in runs.values()):
            self._suspected_at = t
        self.suspected = t - self._suspected_at < SUSPECT_HOLD_S

    def _longer(self, way: tuple[str, int], t: float, thumb: Thumb, difference: float) -> _Run:
        """The run of that way with one more frame."""
        known = self._runs.get(way, _Run(0, t, 0.0, thumb, 0.0))
        motion = max(known.motion, float(np.abs(thumb - known.first).mean()))
        return _Run(known.frames + 1, known.began, max(known.worst, difference), known.first, motion)
