"""Whether the face is solid: how its landmarks move with its pose, against what a flat plane could do.

The picture of a flat thing seen from another side is related to the first by a homography, exactly. A head's is not: its nose stands
before its cheeks. So between two moments of a track the best homography is fitted to the points on bone, and two numbers are kept:
the residual that it leaves (root mean square, as a share of the face's size), and the anisotropy of the best affine map (1 - ratio
of its singular values), which says how much the view has changed. Over many pairs the slope of residual against anisotropy is steep
for a head and shallow for a print or a screen, bent or not. A correlation would say nothing: landmark noise correlates too.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.liveness.finding import Finding
from blinkd.liveness.steadiness import RIGID
from blinkd.vision.face import Face

KEY_EVERY_S = 0.2  # between the moments that are compared
KEYS = 16  # so many moments are kept: the last three seconds and what the view changed in them
FEWEST_PAIRS = 15
SEEN_ENOUGH = 0.06  # anisotropy at the 90th percentile of the pairs below which the view has changed too little to call a thing flat
FLAT_SLOPE = 0.20  # below it flat: flat prints turned and tilted by hand leave 0.13 to 0.17, strongly bent ones up to 0.25
SOLID_SLOPE = 0.30  # from it solid: heads leave 0.33 to 1.2
SOLID_RESIDUAL = 0.025  # and so much residual (90th percentile), which no print reaches: the network's own noise stays below 0.01

Plane = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parallax:
    """Medians over pairs of moments. slope: residual over anisotropy by least squares through zero."""

    pairs: int
    slope: float
    residual: float
    anisotropy: float


class DepthWatch:
    """Collects moments of one unbroken track."""

    def __init__(self) -> None:
        self._keys: deque[tuple[float, Plane, float]] = deque(maxlen=KEYS)
        self._pairs: deque[tuple[float, float]] = deque(maxlen=KEYS * (KEYS - 1) // 2)

    def observe(self, t: float, face: Face) -> None:
        """Take one steady frame of the track."""
        if self._keys and t - self._keys[-1][0] < KEY_EVERY_S:
            return
        points = face.landmarks[list(RIGID), :2].astype(np.float64)
        for _, before, _ in self._keys:
            residual = homography_residual(before, points) / max(face.size, 1e-6)
            self._pairs.append((residual, anisotropy(before, points)))
        self._keys.append((t, points, face.size))

    def parallax(self) -> Parallax | None:
        """What the pairs so far say; None when they are too few."""
        if len(self._pairs) < FEWEST_PAIRS:
            return None
        residual, change = np.array(self._pairs).T
        slope = float(residual @ change / max(float(change @ change), 1e-9))
        return Parallax(len(residual), slope, float(np.percentile(residual, 90)), float(np.percentile(change, 90)))

    def finding(self) -> Finding:
        """`clear` for a solid face, `deny` for a flat one, `open` while the view has not changed enough to tell."""
        seen = self.parallax()
        if seen is None:
            return Finding("depth", "open", None)
        if seen.slope >= SOLID_SLOPE and seen.residual >= SOLID_RESIDUAL:
            return Finding("depth", "clear", seen.slope)
        if seen.slope < FLAT_SLOPE and seen.anisotropy >= SEEN_ENOUGH:
            return Finding("depth", "deny", seen.slope)
        return Finding("depth", "open", seen.slope)


def homography_residual(a: Plane, b: Plane) -> float:
    """Root mean square distance in pixels of points b, float64 (N, 2), from the best homography of points a."""
    matrix, _ = cv2.findHomography(a, b, 0)
    if np.size(matrix) != 9:  # none: all points on a line
        return 0.0
    mapped = cv2.perspectiveTransform(a[None], matrix)[0]
    return float(np.sqrt(np.mean(np.sum((mapped - b) ** 2, axis=1))))


def anisotropy(a: Plane, b: Plane) -> float:
    """1 - s2 / s1 of the singular values of the best affine map from a to b, float64 (N, 2): 0 for mere shift, turn and size."""
    linear, *_ = np.linalg.lstsq(a - a.mean(axis=0), b - b.mean(axis=0), rcond=None)
    large, small = np.linalg.svd(linear, compute_uv=False)
    return float(1 - small / max(float(large), 1e-9))
