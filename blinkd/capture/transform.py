"""Turns frames upright: cameras hang sideways, people like mirrors."""

import cv2
import numpy as np

from blinkd.capture.frame import Image

CLOCKWISE = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
UPSIDE_DOWN = 0  # cv2.flip's code for top to bottom


def upright(image: Image, rotation: int, mirror: bool) -> Image:
    """Rotate by 0, 90, 180 or 270 degrees clockwise, then mirror left to right if asked.

    image: uint8 (H, W, 3). Returns a contiguous array: the same one when there is nothing to do, else one copy. Raises ValueError for other
    rotations.
    """
    if rotation not in (0, *CLOCKWISE):
        raise ValueError(f"rotation {rotation}: only 0, 90, 180 and 270 degrees are possible")
    if rotation == 180 and mirror:
        image = np.asarray(cv2.flip(image, UPSIDE_DOWN), np.uint8)  # both at once
    else:
        if rotation in CLOCKWISE:
            image = np.asarray(cv2.rotate(image, CLOCKWISE[rotation]), np.uint8)
        if mirror:
            image = np.asarray(cv2.flip(image, 1), np.uint8)
    return np.ascontiguousarray(image)
