"""The idle gate: is anything moving? A small grey picture and a slow background are all it needs."""

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Frame, Image
from blinkd.settings import MotionSettings

SMALL = (80, 60)  # width, height of the picture that is compared
LINES = 120  # every n-th line is used, so that about so many are; averaging these already removes the sensor's noise
ADAPT_S = 2.0  # time constant with which the background takes up what stays
LIFT = 8.0  # grey levels added before brightness is compared as a ratio: black stays black in any light
LIGHT_RATIO = 1.5  # a brightness changed by more than this factor is a lamp, not automatic exposure
LIGHT_SHARE = 0.6  # when more of the picture than this changes at once it was the light, not a person

_Small = npt.NDArray[np.float32]


class MotionGate:
    """Awake while something moves and for `hold_s` after; deterministic, with no clock but the frames' own.

    A change of brightness of the whole picture (automatic exposure, a cloud) is no movement: it is divided out first. A lamp that is
    switched on changes more than that, wakes the gate once and is taken up into the background in the same moment.
    """

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._background: _Small | None = None
        self._t = 0.0
        self._awake_until = 0.0

    def update(self, frame: Frame) -> bool:
        """Take one frame of any size; return whether the networks should look. The first frame wakes: somebody may be standing there."""
        small = _small(frame.image)
        if self._background is None:
            self._background = small
            self._wake(frame.t)
        else:
            self._compare(small, frame.t)
        self._t = frame.t
        return frame.t <= self._awake_until

    def keep_awake(self) -> None:
        """Stay awake for `hold_s` from the last frame on: a session is going, however still the person stands."""
        self._wake(self._t)

    def _wake(self, t: float) -> None:
        self._awake_until = max(self._awake_until, t + self._settings.hold_s)

    def _compare(self, small: _Small, t: float) -> None:
        background = self._background
        assert background is not None
        # the median ignores whoever moves in less than half of the picture
        ratio = float(np.median(((small + LIFT) / (background + LIFT))[::2, ::2]))
        expected = np.clip((background + LIFT) * ratio - LIFT, 0, 255)
        changed = float(np.mean(np.abs(small - expected) > self._settings.pixel_delta))
        lamp = changed > LIGHT_SHARE or not 1 / LIGHT_RATIO < ratio < LIGHT_RATIO
        if lamp or changed > self._settings.area_fraction:
            self._wake(t)
        if lamp:
            self._background = small  # learn the new light at once; whoever moves in it shows in the next frame
            return
        share = 1 - np.exp(-max(0.0, t - self._t) / ADAPT_S)
        self._background = (background + share * (small - background)).astype(np.float32)


def _small(image: Image) -> _Small:
    lines = image[:: max(1, image.shape[0] // LINES)]
    grey = cv2.cvtColor(cv2.resize(lines, SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (3, 3), 0), np.float32)
