"""What INT8 needs to know of real faces: the crops it is measured on, and the measurements, kept in a small file of their own.

The file is committed beside the networks, so that `models build` makes the same INT8 bytes from the pinned weights alone, anywhere;
`models quantize` measures anew.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.errors import ModelError
from blinkd.models.conversion import Conversion
from blinkd.models.equalise import equalise, equalising_steps
from blinkd.models.prelu import turn_steep_channels
from blinkd.models.quantize import activation_names, quantize
from blinkd.models.ranges import usual_ranges
from blinkd.vision.align import align
from blinkd.vision.preprocess import InputForm, LowLight, preprocess

if TYPE_CHECKING:
    from onnx import ModelProto

Floats = npt.NDArray[np.float32]
FindPoints = Callable[[Image], Sequence[npt.NDArray[np.float32]]]
"""Finds faces in a picture (uint8 BGR) and returns the five points (5, 2) of each."""

FRAMES_A_CLIP = 48  # evenly spread; neighbouring frames tell nothing new
PICTURE_SUFFIXES, CLIP_SUFFIXES = (".jpg", ".png"), (".mov", ".mp4")
MIN_FACES = 40  # fewer means that the media are not the pinned ones
JITTER = 0.02  # of the distance between the eyes, standard deviation of each point: alignment is never perfect
GAINS = (0.6, 1.4)  # darkest and brightest factor of the varied copies
SEED = 20


@dataclass(frozen=True, slots=True)
class Calibration:
    """crops: how many were measured; steps: powers of two for each PRelu's channels; ranges: bounds of each tensor."""

    crops: int
    steps: dict[str, list[int]]
    ranges: dict[str, tuple[float, float]]

    def to_json(self) -> str:
        """The committed form, one tensor a line."""
        lines = [f'"crops": {self.crops}']
        for title, table in (("steps", self.steps), ("ranges", self.ranges)):
            rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in table.items())
            lines.append(f'"{title}": {{\n{rows}\n}}')
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @staticmethod
    def load(path: Path) -> "Calibration":
        """Read a calibration file. Raises ModelError naming it."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return Calibration(
                int(data["crops"]),
                {str(name): [int(step) for step in steps] for name, steps in data["steps"].items()},
                {str(name): (float(low), float(high)) for name, (low, high) in data["ranges"].items()},
            )
        except FileNotFoundError:
            raise ModelError(f"{path}: the calibration is missing; run: blinkd models quantize") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{path}: not a calibration file ({error}); run: blinkd models quantize") from error


def measure(model: "ModelProto", crops: Sequence[Image], conversion: Conversion, form: InputForm) -> Calibration:
    """Measure a model that still has its PRelu nodes on crops uint8 (112, 112, 3) BGR, brought into its input form."""
    tensors = [preprocess(crop, LowLight("off"), form) for crop in crops]
    steps = equalising_steps(model, tensors, conversion.exponents)
    ready = turn_steep_channels(equalise(model, steps))
    return Calibration(len(crops), steps, usual_ranges(ready, activation_names(ready, conversion.float_nodes), tensors))


def int8_form(model: "ModelProto", calibration: Calibration, conversion: Conversion) -> "ModelProto":
    """The INT8 form of a model that still has its PRelu nodes; a pure function of its arguments."""
    return quantize(turn_steep_channels(equalise(model, calibration.steps)), calibration.ranges, conversion.float_nodes)


def calibration_crops(media: Path, find: FindPoints) -> list[Image]:
    """About 300 crops of the faces in the media folder: each as it is and once varied in light, alignment and side.

    The order is that of the file names and the variations come from a fixed seed. Raises ModelError when the media show too few faces.
    """
    chance = np.random.default_rng(SEED)
    crops: list[Image] = []
    for picture in _pictures(media):
        for points in find(picture):
            crops.append(align(picture, points))
            distance = float(np.linalg.norm(points[1] - points[0]))
            moved = points + chance.normal(0, JITTER * distance, points.shape)
            light = align(picture, moved).astype(np.float32) * chance.uniform(*GAINS)
            varied = np.clip(np.rint(light), 0, 255).astype(np.uint8)
            crops.append(np.ascontiguousarray(varied[:, ::-1]))
    if len(crops) < 2 * MIN_FACES:
        raise ModelError(
            f"{media}: only {len(crops) // 2} faces found in the calibration media; delete the folder, and it is fetched again"
        )
    return crops


def _pictures(media: Path) -> Iterator[Image]:
    for path in sorted(media.iterdir()):
        if path.suffix in PICTURE_SUFFIXES:
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is None:
                raise ModelError(f"{path}: not a picture; delete the folder {media}, and it is fetched again")
            yield np.asarray(picture, np.uint8)
        elif path.suffix in CLIP_SUFFIXES:
            yield from _frames(path)


def _frames(path: Path) -> Iterator[Image]:
    clip = cv2.VideoCapture(str(path))
    try:
        # read through rather than seek: seeking lands on different frames in different builds of FFmpeg
        count = max(1, int(clip.get(cv2.CAP_PROP_FRAME_COUNT)))
        wanted = {int(index) for index in np.linspace(0, count - 1, FRAMES_A_CLIP)}
        index = 0
        while True:
            more, frame = clip.read()
            if not more:
                return
            if index in wanted:
                yield np.asarray(frame, np.uint8)
            index += 1
    finally:
        clip.release()
