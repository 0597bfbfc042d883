"""Faces made of numbers: a flat frontal mesh whose eye opening, turn and jitter a test chooses."""

import numpy as np

from blinkd.vision.face import (
    CHEEK_IMAGE_LEFT,
    CHEEK_IMAGE_RIGHT,
    LEFT_EYE_EAR,
    LEFT_EYE_OUTER,
    NOSE_TIP,
    RIGHT_EYE_EAR,
    Face,
)

SIDE = 200.0  # pixels


def face(
    ear: float = 0.3,
    other_ear: float | None = None,
    jitter: float = 0.0,
    yaw_ratio: float = 1.0,
    seed: int = 0,
    sway: float = 0.0,
    yaw: float | None = None,
) -> Face:
    """A face with the given eye aspect ratios; jitter is the standard deviation of every landmark as a share of the face's size.

    yaw: degrees by the mesh's depth; by itself it follows the ratio. sway: how far a solid head has moved, as a share of its size: each landmark by its own depth, as no homography can.
    """
    shape = np.random.default_rng(7).uniform(0, SIDE, (478, 3)).astype(np.float32)
    shape[:, 2] = 0
    for index, ratio, x in ((RIGHT_EYE_EAR, ear, 40.0), (LEFT_EYE_EAR, ear if other_ear is None else other_ear, 120.0)):
        width = 40.0
        half = ratio * width / 2
        for point, (dx, dy) in zip(index, ((0, 0), (13, -half), (27, -half), (width, 0), (27, half), (13, half)), strict=True):
            shape[point] = (x + dx, 80 + dy, 0)
    shape[10], shape[152] = (100, 0, 0), (100, SIDE, 0)
    shape[NOSE_TIP] = (SIDE * yaw_ratio / (1 + yaw_ratio), 110, 0)
    shape[CHEEK_IMAGE_LEFT], shape[CHEEK_IMAGE_RIGHT] = (0, 110, 0), (SIDE, 110, 0)
    # the mesh's depth says the same as the ratio: the eye on the far side lies deeper
    shape[LEFT_EYE_OUTER, 2] = 120 * np.tan(np.radians(18 * np.log(yaw_ratio) if yaw is None else yaw))
    if sway:
        fixed = [*RIGHT_EYE_EAR, *LEFT_EYE_EAR, NOSE_TIP, CHEEK_IMAGE_LEFT, CHEEK_IMAGE_RIGHT]
        moved = sway * SIDE * np.random.default_rng(8).normal(size=(478, 1)) * np.array([1.0, 0.5])
        moved[fixed] = 0
        shape[:, :2] += moved.astype(np.float32)
    if jitter:
        shape[:, :2] += np.random.default_rng(seed).normal(scale=jitter * SIDE, size=(478, 2)).astype(np.float32)
    return Face((0.0, 0.0, SIDE, SIDE), 1.0, shape)
