"""The wall behind the person: before a camera that hangs on a wall it stands still. On a screen or a print in a hand it moves as one.

Corners beside and above the person are followed (Lucas-Kanade) from a moment ago to now. Somebody who walks by moves a few of them, a
picture that fills the view moves nearly all by one similarity. Only for cameras that are mounted: before a hand-held one every wall moves.
"""

from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.liveness.finding import Finding
from blinkd.vision.face import Face

LOOK_WIDTH = 320  # pixels to which the picture is shrunk
CORNERS, FEWEST_CORNERS = 60, 8
SPAN_S = 1.0  # the past moment is so far back at most
MOVED_PX = 1.2  # at LOOK_WIDTH; a hand moves a thing by several, vibration of a wall by less than half
TOGETHER = 0.6  # share of the corners that must follow one similarity
WINDOW, FEWEST, SHARE = 12, 3, 0.3  # looks, and the share of them in which the wall had moved
PLAIN_AFTER = 6  # looks without enough corners

Grey = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float32]


class BackgroundWatch:
    """Compares looks along one track; about a millisecond a look."""

    def __init__(self) -> None:
        self._past: tuple[float, Grey, Corners] | None = None
        self._moved: deque[bool] = deque(maxlen=WINDOW)
        self._looks = 0

    def observe(self, t: float, image: Image, face: Face) -> None:
        """Take one look at the whole frame, uint8 (H, W, 3) BGR, t seconds."""
        self._looks += 1
        scale = LOOK_WIDTH / image.shape[1]
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        if self._past is None or t - self._past[0] > SPAN_S:
            corners = cv2.goodFeaturesToTrack(grey, CORNERS, 0.02, 6, mask=_wall(grey.shape, face, scale))
            known = np.zeros((0, 1, 2), np.float32) if np.ndim(corners) == 0 else np.asarray(corners, np.float32)
            self._past = (t, grey, known)
            return
        _, before, corners = self._past
        if len(corners) < FEWEST_CORNERS:
            return
        found, status, _ = cv2.calcOpticalFlowPyrLK(before, grey, corners, np.zeros_like(corners), winSize=(15, 15), maxLevel=2)
        kept = status.ravel() == 1
        a, b = corners[kept].reshape(-1, 2), found[kept].reshape(-1, 2)
        if len(a) < FEWEST_CORNERS:
            return
        _, inliers = cv2.estimateAffinePartial2D(a, b, ransacReprojThreshold=1.0)
        together = np.asarray(inliers).ravel() == 1
        far = np.linalg.norm(b - a, axis=1)
        self._moved.append(bool(together.mean() >= TOGETHER and np.median(far[together]) >= MOVED_PX))

    def finding(self) -> Finding:
        """`doubt` where the wall moves; `open` where it stands still, or is so plain that nothing can be followed."""
        if len(self._moved) < FEWEST:
            return Finding("background", "unsure" if self._looks < PLAIN_AFTER else "open", None)
        share = sum(self._moved) / len(self._moved)
        return Finding("background", "doubt" if share >= SHARE else "open", share)


def _wall(shape: tuple[int, ...], face: Face, scale: float) -> Grey:
    """255 where neither head nor body is."""
    mask = np.full(shape[:2], 255, np.uint8)
    x, y, w, h = (value * scale for value in face.bbox)
    left, right = int(max(0, x - 0.45 * w)), int(max(0, x + 1.45 * w))
    mask[int(max(0, y - 0.45 * h)) :, left:right] = 0
    mask[int(max(0, y + h)) :, :] = 0
    return mask
