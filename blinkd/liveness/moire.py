"""Moiré: the beat of a screen's pixel grid with the camera's, seen as a fine regular pattern over everything that the screen shows.

Windows of the picture are transformed (FFT) and their power averaged over several looks, so that noise evens out and a pattern stays,
also one that drifts. A regular pattern is a peak: far above the spectrum around it, away from the axes (where the camera's own
compression and upright edges lie), and at the same frequency in several windows. Blinds and checked shirts fill one window, not several.
"""

from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.liveness.finding import Finding

SIDE = 128  # pixels of a window
ROWS, COLUMNS = 2, 3  # windows over the picture
WINDOW, FEWEST = 6, 4  # looks that are averaged
LOWEST = 20  # cycles a window: below it lies the picture itself
OFF_AXIS = 3  # cycles a window from both axes: screens are never held quite straight, compression always is
PEAK = 3.6  # natural logarithm of power over that around it; people in rooms stay below 3.0
SAME = 2  # cycles a window within which two windows show the same pattern
WINDOWS = 2  # so many must

Power = npt.NDArray[np.float32]


class MoireWatch:
    """Averages the looks along one track; a look costs some milliseconds, asking for the finding nothing."""

    def __init__(self) -> None:
        self._taper = np.outer(np.hanning(SIDE), np.hanning(SIDE)).astype(np.float32)
        place = np.fft.fftshift(np.fft.fftfreq(SIDE)) * SIDE
        across, down = np.meshgrid(place, place)
        far = np.hypot(across, down)
        off_axis = np.minimum(np.abs(across), np.abs(down)) >= OFF_AXIS
        self._wanted = (far >= LOWEST) & (far < SIDE / 2) & off_axis & (down >= 0)  # the other half is its mirror image
        self._recent: deque[Power] = deque(maxlen=WINDOW)
        self._found = Finding("moire", "open", None)

    def observe(self, image: Image) -> None:
        """Take one look at the whole frame, uint8 (H, W, 3) BGR."""
        height, width = image.shape[:2]
        if min(height, width) < SIDE:
            return
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
        fine = grey - cv2.GaussianBlur(grey, (0, 0), 2)
        windows = [
            fine[top : top + SIDE, left : left + SIDE] * self._taper
            for top in np.linspace(0, height - SIDE, ROWS).astype(int)
            for left in np.linspace(0, width - SIDE, COLUMNS).astype(int)
        ]
        power = np.abs(np.fft.fftshift(np.fft.fft2(np.stack(windows)), axes=(1, 2))) ** 2
        self._recent.append(power.astype(np.float32))
        if len(self._recent) >= FEWEST:
            self._found = self._compare()

    def finding(self) -> Finding:
        """`doubt` where several windows show one pattern; by the second highest peak among those that agree. As of the last look."""
        return self._found

    def _compare(self) -> Finding:
        mean = np.mean(np.stack(self._recent), axis=0)
        peaks = sorted((self._peak(power) for power in mean), reverse=True)
        for height, (across, down) in peaks:
            if height < PEAK:
                break
            agreeing = [other for other, (x, y) in peaks if other >= PEAK and abs(x - across) <= SAME and abs(y - down) <= SAME]
            if len(agreeing) >= WINDOWS:
                return Finding("moire", "doubt", agreeing[WINDOWS - 1])
        return Finding("moire", "open", peaks[WINDOWS - 1][0])

    def _peak(self, power: Power) -> tuple[float, tuple[int, int]]:
        """Height of the highest peak over its surroundings, and its place in cycles a window."""
        level = np.log(cv2.GaussianBlur(power, (0, 0), 0.7) + 1e-6)
        around = cv2.blur(cv2.medianBlur(level, 5), (13, 13))
        above = np.where(self._wanted, level - around, -np.inf)
        row, column = np.unravel_index(int(np.argmax(above)), above.shape)
        return float(above[row, column]), (int(column) - SIDE // 2, int(row) - SIDE // 2)
