"""Whether the head turns with the face. A still picture that is warped so that its face seems to turn leaves hair and ears where they are.

Corners in the ring around the face (hair, ears, forehead; above the chin) are followed between two moments, and the nose against them.
Where the nose has moved against the ring, parts of the ring of a head have moved against each other by about as much (three quarters of
the nose's way and more in clips of people); around a warped picture they stay together (two fifths and less).
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.liveness.finding import Finding
from blinkd.vision.face import CHIN, Face

LOOK_WIDTH = 320  # pixels to which the picture is shrunk
# The mesh's outer line, in order around the face
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
NOSE = (1, 4, 5, 195)
INNER, OUTER = 1.04, 1.45  # the ring, as multiples of the oval
CORNERS, FEWEST_CORNERS = 50, 8
BACK = (2, 4)  # looks that a moment is compared with: half a second and a second ago
TURNED = 0.05  # face sizes that the nose must have moved against the ring
STIFF = 0.55  # spread of the ring's movement (75th percentile) over the nose's; the middle between pictures and people
FEWEST, WINDOW = 3, 16  # comparisons

Points = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """A shrunk grey picture, the corners of its ring (N, 1, 2), the nose's place (2,) and the face's size, in its pixels."""

    grey: npt.NDArray[np.uint8]
    corners: Points
    nose: Points
    size: float


class OutlineWatch:
    """Compares looks along one track; about two milliseconds a look."""

    def __init__(self) -> None:
        self._moments: deque[_Moment] = deque(maxlen=max(BACK))
        self._spreads: deque[float] = deque(maxlen=WINDOW)

    def observe(self, image: Image, face: Face) -> None:
        """Take one look at the frame, uint8 (H, W, 3) BGR."""
        scale = LOOK_WIDTH / image.shape[1]
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        landmarks = face.landmarks[:, :2] * np.float32(scale)
        now = _Moment(grey, _ring_corners(grey, landmarks), landmarks[list(NOSE)].mean(axis=0), max(face.size * scale, 1.0))
        for back in BACK:
            if back <= len(self._moments):
                self._compare(self._moments[-back], now)
        self._moments.append(now)

    def finding(self) -> Finding:
        """`doubt` where the face has turned several times and what is around it has not; `open` otherwise."""
        if len(self._spreads) < FEWEST:
            return Finding("outline", "open", None)
        spread = float(np.median(self._spreads))
        return Finding("outline", "doubt" if spread < STIFF else "open", spread)

    def _compare(self, before: _Moment, now: _Moment) -> None:
        if len(before.corners) < FEWEST_CORNERS:
            return
        start = np.zeros_like(before.corners)
        found, status, _ = cv2.calcOpticalFlowPyrLK(before.grey, now.grey, before.corners, start, winSize=(11, 11), maxLevel=2)
        moved = (found - before.corners)[status.ravel() == 1].reshape(-1, 2)
        if len(moved) < FEWEST_CORNERS:
            return
        ring = np.median(moved, axis=0)
        nose = float(np.linalg.norm(now.nose - before.nose - ring)) / before.size
        if nose >= TURNED:
            spread = float(np.percentile(np.linalg.norm(moved - ring, axis=1), 75)) / before.size
            self._spreads.append(spread / nose)


def _ring_corners(grey: npt.NDArray[np.uint8], landmarks: Points) -> Points:
    oval = landmarks[list(OVAL)]
    centre = oval.mean(axis=0)
    mask = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(mask, [(centre + (oval - centre) * OUTER).astype(np.int32)], (255,))
    cv2.fillPoly(mask, [(centre + (oval - centre) * INNER).astype(np.int32)], (0,))
    mask[max(0, int(landmarks[CHIN, 1] - 0.1 * np.ptp(oval[:, 1]))) :] = 0  # neck and shoulders do not turn with the head
    corners = cv2.goodFeaturesToTrack(grey, CORNERS, 0.01, 4, mask=mask)
    return np.zeros((0, 1, 2), np.float32) if np.ndim(corners) == 0 else np.asarray(corners, np.float32)
