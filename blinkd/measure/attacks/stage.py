"""The scene in one frame: the room, and what is held before it, as light that the camera then takes."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.measure.attacks.camera import Light
from blinkd.measure.attacks.geometry import Bend, Lens, Matrix, Pose, bent_maps, project

Texture = npt.NDArray[np.float32]
"""float32 (H, W, 4): linear blue, green, red, already multiplied by the opacity in the fourth channel."""

AMBIENT = 0.45  # share of the room's light that comes from everywhere; the rest comes from the lamp
GLOSS_POWER = 250  # of Phong's highlight: half of it is left 4 degrees off
LAMP = np.array([0.25, -0.6, -0.76])  # direction from a medium to the lamp in camera coordinates: above, behind the camera


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle of the frame: left, top, right, bottom in pixels; empty when right <= left."""

    left: int
    top: int
    right: int
    bottom: int


def brightness(pose: Pose) -> float:
    """Light on a flat matt surface of that pose against one that faces the camera (Lambert's cosine plus ambient light)."""
    lamp = LAMP / np.linalg.norm(LAMP)
    normal, front = pose.rotation @ np.array([0, 0, -1.0]), np.array([0, 0, -1.0])
    return (AMBIENT + (1 - AMBIENT) * max(0.0, float(normal @ lamp))) / (AMBIENT + (1 - AMBIENT) * float(front @ lamp))


def lay(canvas: Light, texture: Texture, matrix: Matrix, shade: float = 1.0) -> Patch:
    """Draw a texture over the canvas, float32 (H, W, 3), through a homography; returns the part of the frame that was touched."""
    h, w = texture.shape[:2]
    corners = project(matrix, [(0, 0), (w - 1, 0), (w - 1, h - 1), (0, h - 1)])
    patch = _within(corners, canvas)
    if patch.right <= patch.left or patch.bottom <= patch.top:
        return patch
    shift = np.array([[1, 0, -patch.left], [0, 1, -patch.top], [0, 0, 1.0]])
    size = (patch.right - patch.left, patch.bottom - patch.top)
    warped = cv2.warpPerspective(texture, shift @ matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    _over(canvas, patch, np.asarray(warped, np.float32), shade)
    return patch


def lay_bent(canvas: Light, texture: Texture, lens: Lens, pose: Pose, bend: Bend, metres_per_px: float, gloss: float) -> None:
    """Draw a texture that is bent about an axis; gloss: height of the highlight where the paper mirrors the lamp, 0 for matt."""
    h, w = texture.shape[:2]
    u, v, facing = bent_maps(lens, pose, bend, (w, h), metres_per_px)
    seen = np.argwhere((u[::8, ::8] > -8) & (u[::8, ::8] < w + 8) & (v[::8, ::8] > -8) & (v[::8, ::8] < h + 8))
    if not len(seen):
        return
    top, left = np.maximum(seen.min(axis=0) * 8 - 8, 0)
    bottom, right = np.minimum(seen.max(axis=0) * 8 + 16, canvas.shape[:2])
    part = np.s_[top:bottom, left:right]
    warped = np.asarray(cv2.remap(texture, u[part], v[part], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)
    cosine = facing[part]
    light = AMBIENT + (1 - AMBIENT) * cosine
    if gloss:
        # the lamp near the camera is mirrored where the surface faces it, within a few degrees on satin paper
        warped[:, :, :3] += (gloss * cosine**GLOSS_POWER * warped[:, :, 3])[:, :, None]
    warped[:, :, :3] *= light[:, :, None]
    _over(canvas, Patch(int(left), int(top), int(right), int(bottom)), warped, 1.0)


def _over(canvas: Light, patch: Patch, warped: Texture, shade: float) -> None:
    area = canvas[patch.top : patch.bottom, patch.left : patch.right]
    area *= 1 - warped[:, :, 3:]
    area += warped[:, :, :3] * np.float32(shade)


def _within(corners: Matrix, canvas: Light) -> Patch:
    height, width = canvas.shape[:2]
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int) + 1
    left, top = np.clip(low, 0, [width, height])
    right, bottom = np.clip(high, 0, [width, height])
    return Patch(int(left), int(top), int(right), int(bottom))
