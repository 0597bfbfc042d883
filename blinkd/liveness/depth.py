"""Whether the face is solid: how its landmarks move with its pose, against what a flat plane could do.

The picture of a flat thing seen from another side is related to the first by a homography, exactly. A head's is not: its nose stands
before its cheeks, and skin moves over bone. So between moments of a track the best homography is fitted to the points on bone, and two
numbers are kept: the residual that it leaves (root mean square, as a share of the face's size), and the anisotropy of the best affine
map (1 - ratio of its singular values), which says how much the view has changed.

The landmark network itself bends a flat face a little when it is tilted, in proportion to the anisotropy. Hence the slope of residual
against anisotropy tells flat from solid where the view has changed much, and the excess of the residual over that share where it has
changed little. A correlation would say nothing: landmark noise correlates too. The figures below are from turned, tilted, bent and
hand-held prints before a pinhole camera, and from clips of people.
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
APART_S = 0.4  # and of two moments that make a pair: nearer ones differ by noise alone
KEYS = 16  # so many moments are kept: the last three seconds
FEWEST_PAIRS = 3
SURE_S = 2.5  # so long a face may hold still before that is a doubt

FLAT_SHARE = 0.17  # residual over anisotropy of a flat print that is turned and tilted: 0.13 to 0.17
FLAT_SLOPE = 0.20  # below this slope it is flat; heads leave 0.25 to 1.2
SEEN_ENOUGH = 0.06  # anisotropy (90th percentile of the pairs) below which the view has changed too little to call a thing flat
RIGID_EXCESS = 0.003  # median excess below which nothing but a stiff plane was seen: prints stay below 0.0026, people above 0.0034
SOLID_EXCESS = 0.007  # median excess of a head that moves; strongly bent prints reach 0.006
SOLID_PEAK = 0.014  # and its 90th percentile
NOISE_RIGID, NOISE_SOLID = 1.2, 3.0  # the same as multiples of what is left between one frame and the next, where that is more

Plane = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parallax:
    """Over pairs of moments. slope: residual over anisotropy by least squares through zero; excess and peak: median and 90th percentile
    of what the residual is above a flat thing's share; noise: median residual between neighbouring frames.
    """

    pairs: int
    slope: float
    anisotropy: float
    excess: float
    peak: float
    noise: float


class DepthWatch:
    """Collects moments of one unbroken track."""

    def __init__(self) -> None:
        self._keys: deque[tuple[float, Plane]] = deque(maxlen=KEYS)
        self._pairs: deque[tuple[float, float]] = deque(maxlen=KEYS * (KEYS - 1) // 2)
        self._steps: deque[float] = deque(maxlen=30)
        self._before: Plane | None = None
        self._began: float | None = None
        self._now = 0.0
        self._seen: tuple[int, float, float, float, float] | None = None  # of the pairs: a Parallax without its noise

    def observe(self, t: float, face: Face) -> None:
        """Take one steady frame of the track."""
        self._began = t if self._began is None else self._began
        self._now = t
        points, size = face.landmarks[list(RIGID), :2].astype(np.float64), max(face.size, 1e-6)
        if self._before is not None:
            self._steps.append(homography_residual(self._before, points) / size)
        self._before = points
        if self._keys and t - self._keys[-1][0] < KEY_EVERY_S:
            return
        for when, known in self._keys:
            if t - when >= APART_S:
                self._pairs.append((homography_residual(known, points) / size, anisotropy(known, points)))
        self._keys.append((t, points))
        if len(self._pairs) >= FEWEST_PAIRS:
            self._seen = self._compare()

    def parallax(self) -> Parallax | None:
        """What the pairs so far say; None when they are too few."""
        if self._seen is None:
            return None
        return Parallax(*self._seen, float(np.median(self._steps)))

    def _compare(self) -> tuple[int, float, float, float, float]:
        residual, change = np.array(self._pairs).T
        slope = float(residual @ change / max(float(change @ change), 1e-9))
        excess = residual - FLAT_SHARE * change
        peaks = float(np.percentile(change, 90)), float(np.median(excess)), float(np.percentile(excess, 90))
        return (len(residual), slope, *peaks)

    def finding(self) -> Finding:
        """`clear` for a head that is seen to be solid, `deny` for a flat thing that is seen from several sides.

        `open`: neither, but more than a stiff plane; `unsure`: a stiff plane so far, for a short time; `doubt`: for too long.
        """
        seen = self.parallax()
        if seen is None or self._began is None:
            return Finding("depth", "unsure", None)
        if seen.slope < FLAT_SLOPE and seen.anisotropy >= SEEN_ENOUGH:
            return Finding("depth", "deny", seen.excess)
        if seen.excess >= max(SOLID_EXCESS, NOISE_SOLID * seen.noise) and seen.peak >= SOLID_PEAK:
            return Finding("depth", "clear", seen.excess)
        if seen.excess >= max(RIGID_EXCESS, NOISE_RIGID * seen.noise):
            return Finding("depth", "open", seen.excess)
        return Finding("depth", "unsure" if self._now - self._began < SURE_S else "doubt", seen.excess)


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
