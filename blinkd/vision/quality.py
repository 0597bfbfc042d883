"""How good a face is for recognition, as a number and as the reason that a person can act on."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from blinkd.capture.frame import Image
from blinkd.settings import VisionSettings
from blinkd.vision.face import Face

Flaw = Literal["too_small", "blurred", "turned_away", "bad_light", "covered"]

GOOD_SIZE_PX = 96.0  # cheek to cheek; above it the crop of 112 pixels is not enlarged
SHARP_LAPLACIAN = 20.0  # variance of the Laplacian of the crop, in squared grey levels, at which sharpness reaches one half
FAR_YAW_DEG, FAR_PITCH_DEG = 55.0, 45.0  # where the pose component reaches zero
NEUTRAL_PITCH_DEG = 6.0  # the forehead lies a little behind the chin in a level head
DARK, DIM, BRIGHT, GLARING = 15.0, 55.0, 205.0, 245.0  # mean grey: zero, one, one, zero
FLAT_CONTRAST = 35.0  # standard deviation of grey at which contrast is good
COVERED_SCORE = 0.9  # mesh score below which a part of the face is hidden, as a hand before the mouth does
CUT_OFF, WHOLE = 0.75, 0.98  # share of the landmarks inside the picture: useless, complete


@dataclass(frozen=True, slots=True)
class Quality:
    """Components and score, all 0..1; the score is the product of the components, so that one bad thing is enough.

    flaw: the weakest component by name.
    """

    score: float
    size: float
    sharpness: float
    pose: float
    light: float
    occlusion: float
    flaw: Flaw


def assess(face: Face, crop: Image, frame_shape: tuple[int, ...], settings: VisionSettings) -> Quality:
    """Judge a face by its landmarks and its aligned crop, uint8 (112, 112, 3) BGR; frame_shape is (height, width, ...) of the picture."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    # below the smallest useful size nothing else matters: the crop would be made of guesses
    width = face.width_between_cheeks
    size = 0.0 if width < settings.min_face_px else _ramp(width, settings.min_face_px * 0.5, GOOD_SIZE_PX)
    laplacian = float(cv2.Laplacian(cv2.GaussianBlur(grey, (3, 3), 0), cv2.CV_32F).var())
    sharpness = laplacian / (laplacian + SHARP_LAPLACIAN)
    pose = max(0.0, 1 - (face.pose.yaw / FAR_YAW_DEG) ** 2 - ((face.pose.pitch - NEUTRAL_PITCH_DEG) / FAR_PITCH_DEG) ** 2)
    mean, contrast = float(grey.mean()), float(grey.std())
    light = min(_ramp(mean, DARK, DIM), _ramp(-mean, -GLARING, -BRIGHT)) * _ramp(contrast, 0.0, FLAT_CONTRAST)
    xy = face.landmarks[:, :2]
    inside = float(np.mean(np.all((xy >= 0) & (xy < (frame_shape[1], frame_shape[0])), axis=1)))
    occlusion = _ramp(face.score, settings.presence_score, COVERED_SCORE) * _ramp(inside, CUT_OFF, WHOLE)
    parts: dict[Flaw, float] = {
        "too_small": size,
        "blurred": sharpness,
        "turned_away": pose,
        "bad_light": light,
        "covered": occlusion,
    }
    score = float(np.prod(list(parts.values())))
    return Quality(score, size, sharpness, pose, light, occlusion, min(parts, key=lambda name: parts[name]))


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
