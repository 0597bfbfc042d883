"""From the aligned crop to the embedder's input tensor."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.settings import VisionSettings
from blinkd.vision.align import CROP_SIDE

CLAHE_CLIP, CLAHE_TILES = 2.0, (8, 8)  # OpenCV's usual values, those of the origin of the project


@dataclass(frozen=True, slots=True)
class LowLight:
    """What is done with a dark crop: one whose mean grey (0..255) is below `mean`.

    gain: multiply all channels so that the mean becomes `target`. clahe: local contrast on the L of LAB; it costs accuracy (manifest).
    """

    mode: Literal["off", "gain", "clahe"] = "gain"
    mean: float = 60.0
    target: float = 110.0

    @staticmethod
    def from_settings(settings: VisionSettings) -> "LowLight":
        """The options that the settings ask for."""
        return LowLight(settings.low_light, settings.low_light_mean, settings.low_light_target)


@dataclass(frozen=True, slots=True)
class InputForm:
    """How a network wants its numbers: (x - mean) / scale of 0..255, channels in the given order."""

    mean: float = 127.5
    scale: float = 128.0
    colour_order: Literal["RGB", "BGR"] = "RGB"


def preprocess(crop: Image, low_light: LowLight, form: InputForm, side: int = CROP_SIDE) -> npt.NDArray[np.float32]:
    """Return float32 (1, 3, side, side) from a crop uint8 (H, W, 3) BGR; another size than `side` is resized by area averaging."""
    if crop.shape[:2] != (side, side):
        crop = np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    blob = cv2.dnn.blobFromImage(lit(crop, low_light), 1 / form.scale, mean=(form.mean,) * 3, swapRB=form.colour_order == "RGB")
    return np.asarray(blob, np.float32)


def lit(crop: Image, options: LowLight) -> Image:
    """Return the crop (uint8 BGR), brightened when it is dark and the options say so."""
    if options.mode == "off":
        return crop
    mean = float(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).mean())
    if mean >= options.mean:
        return crop
    if options.mode == "clahe":
        return equalised_locally(crop)
    gain = options.target / max(mean, 1.0)  # a black crop stays black
    return np.asarray(np.clip(np.rint(crop.astype(np.float32) * np.float32(gain)), 0, 255), np.uint8)


def equalised_locally(crop: Image) -> Image:
    """CLAHE on the L channel of LAB; uint8 BGR in and out."""
    lab = cv2.cvtColor(crop, cv2.COLOR_BGR2LAB)
    light, a, b = cv2.split(lab)
    light = cv2.createCLAHE(clipLimit=CLAHE_CLIP, tileGridSize=CLAHE_TILES).apply(light)
    return np.asarray(cv2.cvtColor(cv2.merge((light, a, b)), cv2.COLOR_LAB2BGR), np.uint8)
