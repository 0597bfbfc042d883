"""Light that behaves as on a screen and not as on skin: glare that stays while the face moves, and bands of a refreshing screen.

Glare: a lamp mirrored in flat glass keeps its place in the picture while the face that the glass shows moves under it; a highlight on
skin or on spectacles moves with the head. Flicker: a rolling shutter catches a screen's refresh as bands that wander over the face and
not over the room; under a flickering lamp they wander over both.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.liveness.finding import Finding
from blinkd.vision.face import Face

SATURATED = 250  # grey level from which light is glare
GLARE_SHARE = 0.004  # of the face's box that it must cover
MOVED = 0.12  # face sizes by which the face must have moved for the test
STAYED = 0.02  # face sizes within which the glare must have stayed
GLARE_LOOKS = 3  # so many times

BAND_CYCLES = (1, 5)  # bands over the face's height
BAND_LEVEL = 0.012  # relative amplitude of bands; noise averaged over a row stays below 0.004
BAND_PURITY = 0.5  # of the change's power that the strongest band must hold: expressions and shadows are no sine
ROOM_SHARE = 0.5  # of the face's bands that the room may show at most
FLICKER_WINDOW, FEWEST_FRAMES, FLICKER_SHARE = 24, 10, 0.2  # frames, and the share of them with bands

Profile = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Spot:
    """A saturated spot near a face: where, in pixels of the frame, and where the face was."""

    x: float
    y: float
    face_x: float
    face_y: float


class GlareWatch:
    """Compares looks along one track."""

    def __init__(self) -> None:
        self._spots: deque[_Spot] = deque(maxlen=12)
        self._stayed = 0

    def observe(self, image: Image, face: Face) -> None:
        """Take one look at the frame, uint8 (H, W, 3) BGR."""
        x, y, w, h = face.bbox
        left, top = max(0, int(x)), max(0, int(y))
        box = image[top : max(top + 1, int(y + h)), left : max(left + 1, int(x + w))]
        bright = (box.min(axis=2) >= SATURATED).astype(np.uint8)
        count, _, stats, centres = cv2.connectedComponentsWithStats(bright)
        if count < 2:
            return
        largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        if stats[largest, cv2.CC_STAT_AREA] < GLARE_SHARE * w * h:
            return
        spot = _Spot(left + float(centres[largest][0]), top + float(centres[largest][1]), x + w / 2, y + h / 2)
        size = max(face.size, 1.0)
        for known in self._spots:
            moved = float(np.hypot(spot.face_x - known.face_x, spot.face_y - known.face_y)) / size
            stayed = float(np.hypot(spot.x - known.x, spot.y - known.y)) / size
            if moved >= MOVED and stayed <= STAYED:
                self._stayed += 1
                break
        self._spots.append(spot)

    def finding(self) -> Finding:
        """`doubt` once glare has stayed several times while the face moved."""
        return Finding("glare", "doubt" if self._stayed >= GLARE_LOOKS else "open", float(self._stayed) if self._stayed else None)


class FlickerWatch:
    """Sees every frame of one track."""

    def __init__(self) -> None:
        self._before: tuple[Profile, Profile, Profile] | None = None
        self._bands: deque[bool] = deque(maxlen=FLICKER_WINDOW)

    def observe(self, image: Image, crop: Image) -> None:
        """Take one frame, uint8 (H, W, 3) BGR, and the aligned crop of the face in it, uint8 (112, 112, 3)."""
        edge = max(2, image.shape[1] // 16)
        now = (_rows(crop[:, 24:88]), _rows(image[::4, :edge:2]), _rows(image[::4, -edge::2]))
        before, self._before = self._before, now
        if before is None:
            return
        face, left, right = (_band(a, b) for a, b in zip(before, now, strict=True))
        banded = face[0] >= BAND_LEVEL and face[1] >= BAND_PURITY
        self._bands.append(banded and max(left[0], right[0]) <= ROOM_SHARE * face[0])

    def finding(self) -> Finding:
        """`doubt` where bands have wandered over the face alone for a while."""
        if len(self._bands) < FEWEST_FRAMES:
            return Finding("flicker", "open", None)
        share = sum(self._bands) / len(self._bands)
        return Finding("flicker", "doubt" if share >= FLICKER_SHARE else "open", share)


def _rows(image: Image) -> Profile:
    """Logarithm of each row's mean."""
    return np.log(np.asarray(image.mean(axis=(1, 2)), np.float64) + 8)


def _band(before: Profile, now: Profile) -> tuple[float, float]:
    """Amplitude of the strongest band in the change between two profiles, and its share of the change's power."""
    change = now - before
    places = np.arange(len(change))
    change = change - np.polyval(np.polyfit(places, change, 1), places)
    spectrum = np.abs(np.fft.rfft(change))[1:]
    low, high = BAND_CYCLES
    strongest = float(spectrum[low - 1 : high].max())
    return 2 * strongest / len(change), float(strongest**2 / max(float((spectrum**2).sum()), 1e-12))
