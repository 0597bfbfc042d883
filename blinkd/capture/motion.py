"""The idle gate: is anything moving? A small grey picture and a slow background are all it needs."""

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Frame, Image
from blinkd.settings import MotionSettings

SMALL = (80, 60)  # width, height of the picture that is compared
ADAPT_S = 2.0  # time constant with which the background takes up what stays
LIGHT_SHARE = 0.6  # when more of the picture than this changes at once it was the light, not a person


class MotionGate:
    """Awake while something moves and for `hold_s` after; deterministic, with no clock but the frames' own."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._background: npt.NDArray[np.float32] | None = None
        self._t = 0.0
        self._awake_until = 0.0

    def update(self, frame: Frame) -> bool:
        """Take one frame; return whether the networks should look. The first frame wakes: somebody may be standing there."""
        small = _small(frame.image)
        if self._background is None:
            self._background, self._t = small, frame.t
            self._awake_until = frame.t + self._settings.hold_s
            return True
        changed = float(np.mean(np.abs(small - self._background) > self._settings.pixel_delta))
        if changed > LIGHT_SHARE:
            self._background = small  # learn the new light at once; whoever moves in it shows in the next frame
            self._awake_until = max(self._awake_until, frame.t + self._settings.hold_s)
        elif changed > self._settings.area_fraction:
            self._awake_until = max(self._awake_until, frame.t + self._settings.hold_s)
        share = np.float32(1 - np.exp(-max(0.0, frame.t - self._t) / ADAPT_S))
        self._background += share * (small - self._background)
        self._t = frame.t
        return frame.t <= self._awake_until


def _small(image: Image) -> npt.NDArray[np.float32]:
    step = max(1, image.shape[1] // (2 * SMALL[0]))
    # every step-th pixel of the green channel, which is nearest to brightness; the area average then removes the noise
    green = np.ascontiguousarray(image[::step, ::step, 1])
    return np.asarray(cv2.resize(green, SMALL, interpolation=cv2.INTER_AREA), np.float32)
