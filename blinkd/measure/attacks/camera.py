"""The terminal's camera: turns the light of a scene into the 8-bit frame that the program would get."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.measure.attacks.motion import Chance

Light = npt.NDArray[np.float32]
"""float32 (H, W, 3), blue, green, red; linear light, 1 is a white wall in the room."""

EXPOSED_LEVEL = 0.22  # mean linear light of the frame's middle that auto-exposure steers to (about 120 of 255)
SLEW = 0.08  # share of the remaining error that auto-exposure corrects with each frame
GAIN_LIMITS = (0.15, 6.0)
NOISE_POOL_PX = 96  # the noise field is so much larger than the frame, and each frame takes another window of it
MAINS_HZ = 100.0  # room lamps pulse at twice the mains frequency
READOUT_SHARE = 0.8  # of the frame interval that a rolling shutter takes from the first to the last row


@dataclass(frozen=True, slots=True)
class Sensor:
    """What is random about one camera.

    blur_px: standard deviation of the lens' blur. noise: standard deviation in grey levels, the same at all levels since shot noise is
    so after a square-root transfer. drift: relative slow change of exposure. bands: relative pulsing of the room's lamps that the exposure
    time does not average out. fixed: no exposure control, for light that a camera has already exposed.
    """

    blur_px: float = 0.6
    noise: float = 1.6
    drift: float = 0.02
    bands: float = 0.0
    fixed: bool = False

    @staticmethod
    def drawn(chance: Chance) -> "Sensor":
        """A plausible camera."""
        bands = float(chance.uniform(0.01, 0.04)) if chance.random() < 0.3 else 0.0
        return Sensor(float(chance.uniform(0.45, 0.85)), float(chance.uniform(1.0, 2.6)), float(chance.uniform(0.0, 0.04)), bands)


class Camera:
    """Takes one frame after another of the scene that it is shown."""

    def __init__(self, sensor: Sensor, size: tuple[int, int], fps: int, chance: Chance) -> None:
        """size: (width, height) of its frames."""
        self._sensor = sensor
        self._fps = fps
        self._width, self._height = size
        field = chance.standard_normal((self._height + NOISE_POOL_PX, self._width + NOISE_POOL_PX, 3)).astype(np.float32)
        # colour interpolation on the chip leaves neighbouring pixels with similar noise
        soft = cv2.GaussianBlur(field, (0, 0), 0.5)
        self._noise = np.asarray(soft * np.float32(sensor.noise / max(float(soft.std()), 1e-6)), np.float32)
        self._chance = chance
        self._phase = float(chance.uniform(0, 2 * np.pi))
        self._gain: float | None = None
        # the exposed rows of a rolling shutter, in seconds after the first
        self._row_s = np.arange(self._height) / self._height * READOUT_SHARE / fps

    def shoot(self, light: Light, t: float) -> Image:
        """The frame, uint8 (H, W, 3), of the scene at t seconds; `light` is used up."""
        sensor = self._sensor
        cv2.GaussianBlur(light, (0, 0), sensor.blur_px, dst=light)
        gain = self._expose(light) * (1 + sensor.drift * float(np.sin(2 * np.pi * 0.23 * t + self._phase)))
        if sensor.bands:
            rows = gain * (1 + sensor.bands * np.cos(2 * np.pi * MAINS_HZ * (t + self._row_s)))
            light *= rows.astype(np.float32)[:, None, None]
        else:
            light *= np.float32(gain)
        cv2.sqrt(light, dst=light)
        light *= np.float32(255)
        y, x = (int(value) for value in self._chance.integers(0, NOISE_POOL_PX, 2))
        light += self._noise[y : y + self._height, x : x + self._width]
        np.maximum(light, 0, out=light)
        return np.asarray(cv2.convertScaleAbs(light), np.uint8)

    def _expose(self, light: Light) -> float:
        """The gain for this frame: auto-exposure looks at the middle, coarsely, and follows with a lag."""
        if self._sensor.fixed:
            return 1.0
        h, w = light.shape[:2]
        middle = light[h // 5 : -h // 5 : 8, w // 5 : -w // 5 : 8]
        wanted = float(np.clip(EXPOSED_LEVEL / max(float(middle.mean()), 1e-4), *GAIN_LIMITS))
        self._gain = wanted if self._gain is None else self._gain + SLEW * (wanted - self._gain)
        return self._gain


def to_light(image: Image) -> Light:
    """Linear light of a picture, float32; the inverse of the camera's square-root transfer, near enough to the usual gamma of 2.2."""
    table = (np.arange(256, dtype=np.float32) / 255) ** 2
    return np.asarray(table[image], np.float32)
