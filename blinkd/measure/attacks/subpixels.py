"""The sub-pixel grid of a screen as a coarse camera samples it: moiré comes about where its frequency nears a whole number per pixel.

A display pixel is a red, a green and a blue stripe side by side with a dark gap around. As functions of the place on the screen its
stripes and rows are periodic, so each is a Fourier series; what the lens and the pixel's aperture let through of each harmonic is its
transfer at that harmonic's frequency, and taking one value a pixel folds what is left. No picture of a pattern is drawn.
"""

from dataclasses import dataclass

import numpy as np

from blinkd.measure.attacks.geometry import Lens, Matrix, Plane

STRIPE = 0.27  # width of a lit stripe as a share of the pitch
ROW = 0.78  # height of a lit sub-pixel as a share of the pitch
STRIPE_PHASES = (1 / 3, 0.0, -1 / 3)  # of blue, green, red stripes from the pixel's middle, in pitches
HARMONICS = 3  # beyond them no lens passes anything


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the camera makes one pixel: aperture as a share of the pixel's pitch (1 full, 0.5 half of the sensor's rows and columns binned
    and the others skipped, 0.25 lines skipped), and standard deviation of the lens' blur before it, in pixels of the frame.
    """

    aperture: float
    lens_px: float

    def passes(self, frequency: float) -> float:
        """Transfer, -0.22 to 1, of a wave of so many cycles a pixel: a box aperture's sinc times a Gaussian lens."""
        return float(np.sinc(frequency * self.aperture) * np.exp(-2 * (np.pi * self.lens_px * frequency) ** 2))


@dataclass(frozen=True, slots=True)
class SubPixels:
    """A screen's grid: pitch of whole display pixels in metres."""

    pitch: float

    def seen(self, to_screen: Matrix, lens: Lens, sampling: Sampling) -> Plane:
        """Light that gets through the grid, by which the screen's mean light is multiplied: float32 (height, width, 3), mean near 1.

        to_screen: 3 x 3 from pixels of the frame to metres on the screen.
        """
        x, y = np.arange(lens.width, dtype=np.float64)[None, :], np.arange(lens.height, dtype=np.float64)[:, None]
        m = to_screen / self.pitch
        m[2] = to_screen[2]
        depth = m[2, 0] * x + m[2, 1] * y + m[2, 2]
        # whole pitches are taken away before the precision is halved
        u = ((m[0, 0] * x + m[0, 1] * y + m[0, 2]) / depth % 1.0).astype(np.float32)
        v = ((m[1, 0] * x + m[1, 1] * y + m[1, 2]) / depth % 1.0).astype(np.float32)
        across, along = _frequencies(m, lens)
        out = np.ones((lens.height, lens.width, 3), np.float32)
        cos, sin = np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)
        rows = np.ones_like(u)
        cos_row = np.cos(2 * np.pi * v)
        c, s, r = cos, sin, cos_row
        for k in range(1, HARMONICS + 1):
            amplitude = 2 * float(np.sinc(k * STRIPE)) * sampling.passes(k * across)
            if abs(amplitude) > 1e-3:
                for channel, phase in enumerate(STRIPE_PHASES):
                    angle = 2 * np.pi * k * phase
                    out[:, :, channel] += np.float32(amplitude * np.cos(angle)) * c + np.float32(amplitude * np.sin(angle)) * s
            height = 2 * float(np.sinc(k * ROW)) * sampling.passes(k * along)
            if abs(height) > 1e-3:
                rows += np.float32(height) * r
            # the next harmonic by the addition theorems
            c, s = c * cos - s * sin, s * cos + c * sin
            r = 2 * cos_row**2 - 1 if k == 1 else 4 * cos_row**3 - 3 * cos_row
        out *= rows[:, :, None]
        return np.maximum(out, 0)


def _frequencies(m: Matrix, lens: Lens) -> tuple[float, float]:
    """Cycles a pixel of stripes and rows in the frame's middle, from the map's derivative there."""
    middle = np.array([(lens.width - 1) / 2, (lens.height - 1) / 2, 1.0])
    here = m @ middle
    slope = (m[:2, :2] * here[2] - np.outer(here[:2], m[2, :2])) / here[2] ** 2
    return float(np.hypot(*slope[0])), float(np.hypot(*slope[1]))
