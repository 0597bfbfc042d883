"""Blinks: OPEN -> CLOSED -> OPEN of the eye aspect ratio, timed in milliseconds and measured against the person's own eyes.

The fixed thresholds 0.18 and 0.22 fit most eyes but not all, and on a small, moving or printed face the landmarks alone jitter
across both. So the thresholds are lowered to fit narrow eyes, a closing must stand out from the noise of the open eyes,
both eyes must close, and frames in which the head is turned away or the whole mesh shakes do not count. At the moment that is most
closed a second opinion is asked, the blendshapes'.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from blinkd.liveness.steadiness import SHAKE_LIMIT, shake
from blinkd.settings import LivenessSettings
from blinkd.vision.face import Face

OPEN_WINDOW_S = 3.0  # the open level is learnt from so much of the recent past
OPEN_PERCENTILE = 75  # of the ratios in that window: above the blinks, below single outliers
LEARN_SAMPLES = 8  # open eyes must be seen in so many frames before a closing can count: fewer do not show their noise
CLOSED_OF_OPEN = 0.65  # of the own open level, where that is lower than the fixed threshold
OPEN_OF_OPEN = 0.82
NOISE_FACTOR = 4.0  # a closing must be deeper than so many standard deviations of the open eyes' ratio
MIN_DEPTH = 0.06  # and than this, in units of the ratio
ONE_EYE_DROP = 0.3  # each eye alone must lose this share of its open level: a wink or a one-sided glitch is no blink
FAR_YAW_DEG = 35.0  # beyond it one eye is foreshortened and the ratio says nothing
CLOSED_SHAPE = 0.3  # of the blendshapes, 0..1, at the most closed moment: open eyes stay near 0.15, squinting ones below 0.3
STEP_TO_SIGMA = 0.886  # standard deviation of normal noise over the mean absolute step between samples: sqrt(pi) / 2


@dataclass(frozen=True, slots=True)
class Blink:
    """closed_ms: time between the last frame before and the first frame after the closing; lowest_ear: lowest ratio seen."""

    closed_ms: float
    lowest_ear: float


@dataclass(frozen=True, slots=True)
class _Closing:
    began: float  # time of the last open frame
    lowest: float
    face: Face  # at its lowest


class BlinkCounter:
    """The state machine for one unbroken track."""

    def __init__(self, settings: LivenessSettings, eyes_closed: Callable[[Face], float]) -> None:
        """Begin; eyes_closed: how far the eyes are closed, 0..1, by other means than the eye aspect ratio."""
        self._settings = settings
        self._eyes_closed = eyes_closed
        self._open: deque[tuple[float, float, float, float]] = deque()  # time, mean ratio, right, left
        self._closing: _Closing | None = None
        self._last_open_t: float | None = None
        self._before: Face | None = None

    def observe(self, t: float, face: Face) -> Blink | None:
        """Take one frame at t seconds; return the blink that it completes."""
        before, self._before = self._before, face
        if abs(face.pose.yaw) > FAR_YAW_DEG or (before is not None and shake(before, face) > SHAKE_LIMIT):
            self._closing = None
            self._last_open_t = None
            return None
        ear = face.eye_aspect_ratio
        closed_below, open_above = self._thresholds()
        if self._closing is None:
            if ear >= closed_below:
                self._learn(t, ear, face.eye_aspect_ratios)
                if ear > open_above:
                    self._last_open_t = t
            elif self._last_open_t is not None and len(self._open) >= LEARN_SAMPLES:
                self._closing = _Closing(self._last_open_t, ear, face)
            return None
        lower = ear < self._closing.lowest
        closing = _Closing(self._closing.began, ear, face) if lower else self._closing
        self._closing = closing
        if ear <= open_above:
            return None
        self._closing = None
        self._last_open_t = t
        closed_ms = (t - closing.began) * 1000
        if not self._settings.blink_min_ms <= closed_ms <= self._settings.blink_max_ms or not self._deep(closing):
            return None
        if self._eyes_closed(closing.face) < CLOSED_SHAPE:
            return None
        return Blink(closed_ms, closing.lowest)

    def _learn(self, t: float, ear: float, eyes: tuple[float, float]) -> None:
        self._open.append((t, ear, *eyes))
        while self._open and t - self._open[0][0] > OPEN_WINDOW_S:
            self._open.popleft()

    def _thresholds(self) -> tuple[float, float]:
        """Ratio below which the eyes are closed, and above which they are open, for this person so far."""
        if len(self._open) < LEARN_SAMPLES:
            return self._settings.ear_closed, self._settings.ear_open
        level = float(np.percentile([sample[1] for sample in self._open], OPEN_PERCENTILE))
        return min(self._settings.ear_closed, CLOSED_OF_OPEN * level), min(self._settings.ear_open, OPEN_OF_OPEN * level)

    def _deep(self, closing: _Closing) -> bool:
        """Whether the closing stands out from the noise of the open eyes, in both eyes."""
        samples = np.array([sample[1:] for sample in self._open])
        level = np.percentile(samples, OPEN_PERCENTILE, axis=0)
        noise = STEP_TO_SIGMA * float(np.mean(np.abs(np.diff(samples[:, 0]))))
        depth = float(level[0]) - closing.lowest
        both = all(low <= (1 - ONE_EYE_DROP) * own for low, own in zip(closing.face.eye_aspect_ratios, level[1:], strict=True))
        return depth >= max(MIN_DEPTH, NOISE_FACTOR * noise) and both
