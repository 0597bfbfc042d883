"""What stands behind an attack and is no part of it: a plain room with some texture."""

import cv2
import numpy as np

from blinkd.measure.attacks.camera import Light
from blinkd.measure.attacks.motion import Chance


def room(chance: Chance, size: tuple[int, int]) -> Light:
    """A wall with uneven light, a door frame, a shelf or poster out of focus and fine plaster; float32 (height, width, 3), linear."""
    width, height = size
    coarse = chance.uniform(0.75, 1.15, (4, 5)).astype(np.float32)
    falloff = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    tint = chance.uniform(0.85, 1.0, 3) * chance.uniform(0.25, 0.6)
    wall = np.ones((height, width, 3), np.float32) * tint.astype(np.float32)
    for _ in range(int(chance.integers(3, 8))):
        left, top = int(chance.integers(-80, width - 40)), int(chance.integers(-80, height - 40))
        right, bottom = left + int(chance.integers(40, 260)), top + int(chance.integers(40, 360))
        colour = tuple(float(value) for value in chance.uniform(0.03, 0.7) * chance.uniform(0.6, 1.0, 3))
        cv2.rectangle(wall, (left, top), (right, bottom), colour, -1)
    wall = np.asarray(cv2.GaussianBlur(wall, (0, 0), float(chance.uniform(1.0, 3.0))), np.float32)
    plaster = cv2.GaussianBlur(chance.standard_normal((height, width)).astype(np.float32), (0, 0), 1.2)
    return np.asarray(np.clip(wall * (falloff * (1 + 0.06 * plaster))[:, :, None], 0.002, None), np.float32)
