"""Turns frames upright: cameras hang sideways, people like mirrors."""

import cv2
import numpy as np

from blinkd.capture.frame import Image

CLOCKWISE = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def upright(image: Image, rotation: int, mirror: bool) -> Image:
    """Rotate by 0, 90, 180 or 270 degrees clockwise, then mirror left to right if asked; uint8 (H, W, 3), contiguous."""
    if rotation in CLOCKWISE:
        image = np.asarray(cv2.rotate(image, CLOCKWISE[rotation]), np.uint8)
    if mirror:
        image = np.asarray(cv2.flip(image, 1), np.uint8)
    return np.ascontiguousarray(image)
