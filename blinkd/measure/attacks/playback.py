"""Plays live clips: cut to the head, resized to what is wanted, for as long as it is wanted, with bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.measure.attacks.motion import Chance
from blinkd.measure.attacks.sources import BlinkSpan, LiveClip, frames_of
from blinkd.vision.face import Face

MOST_KEPT = 100  # frames of a short run that are kept to play it back and forth; about 90 MB at 640 x 480
WIDEST_SHARE = 0.78  # of the picture's width that a face takes
LEAD_S = 1.3  # seconds of open eyes before the first blink shown, which a terminal needs to learn the open level
OPEN_SHARE = 0.6  # of the clip's usual eye aspect ratio that counts as open


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame of a playback: image uint8 (H, W, 3); landmarks float32 (478, 2) in its pixels; index in the clip's run."""

    image: Image
    landmarks: npt.NDArray[np.float32]
    index: int


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle of the source, left, top, width, height in pixels (it may reach over the edge), and the size it is resized to."""

    left: float
    top: float
    width: float
    height: float
    size: tuple[int, int]

    @property
    def scale(self) -> float:
        """Pixels of the result for one of the source."""
        return self.size[0] / self.width

    def cut(self, image: Image) -> Image:
        """The crop, uint8; what lies beyond the picture's edge repeats the edge."""
        s = self.scale
        matrix = np.array([[s, 0, -self.left * s + (s - 1) / 2], [0, s, -self.top * s + (s - 1) / 2]])
        if s < 0.75:  # bilinear sampling alone would skip pixels
            left, top = max(0, int(self.left)), max(0, int(self.top))
            right, bottom = min(image.shape[1], int(self.left + self.width) + 1), min(image.shape[0], int(self.top + self.height) + 1)
            if (left, top) == (int(self.left), int(self.top)) and right - left >= self.width and bottom - top >= self.height:
                return np.asarray(cv2.resize(image[top:bottom, left:right], self.size, interpolation=cv2.INTER_AREA), np.uint8)
            image = cv2.GaussianBlur(image, (0, 0), 0.4 / s).astype(np.uint8)
        return np.asarray(cv2.warpAffine(image, matrix, self.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    def place(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Landmarks (N, 2 or more) in pixels of the source, as (N, 2) in pixels of the crop."""
        corner = np.array([self.left, self.top], np.float32)
        return np.asarray((points[:, :2] - corner) * np.float32(self.scale), np.float32)


def head_crop(faces: list[Face], image_size: tuple[int, int], size: tuple[int, int], face_share: float) -> Crop:
    """A crop of the aspect of `size` in which the faces, of about face_share of its height, stay in the middle.

    It is moved and shrunk to lie inside the picture of (width, height) where that is possible.
    """
    boxes = np.array([face.bbox for face in faces])
    x, y = float(np.median(boxes[:, 0] + boxes[:, 2] / 2)), float(np.median(boxes[:, 1] + boxes[:, 3] / 2))
    aspect = size[0] / size[1]
    # on a narrow screen the head's width sets the scale
    height = max(float(np.median(boxes[:, 3])) / face_share, float(np.median(boxes[:, 2])) / (WIDEST_SHARE * aspect))
    height = min(height, image_size[1], image_size[0] / aspect)
    width = height * aspect
    left = float(np.clip(x - width / 2, 0, image_size[0] - width))
    top = float(np.clip(y - 0.48 * height, 0, image_size[1] - height))
    return Crop(left, top, width, height, size)


def start_before_blink(clip: LiveClip, chance: Chance, seconds: float) -> int:
    """A frame of the run from which a blink is seen within `seconds`; 0 for clips without one."""
    if not clip.blinks:
        return 0
    lead = int(LEAD_S * clip.fps)
    ratios = np.array([face.eye_aspect_ratio for face in clip.faces])
    open_level = float(np.percentile(ratios, 75))

    def suits(span: BlinkSpan) -> bool:
        opened = float(np.median(ratios[max(0, span.before - lead) : span.before + 1])) > OPEN_SHARE * open_level
        return opened and len(clip.faces) - span.before > 0.4 * seconds * clip.fps

    fitting = [span for span in clip.blinks if suits(span)] or list(clip.blinks[:1])
    return max(0, fitting[int(chance.integers(len(fitting)))].before - lead)


def play(clip: LiveClip, start: int, count: int, crop: Crop) -> Iterator[Shot]:
    """`count` shots from frame `start` of the run on. A run that is too short is played back and forth, which leaves no jump in it; a run
    that is also too long to be kept ends early.
    """
    available = len(clip.faces) - start
    kept: list[Shot] = []
    shown = 0
    for offset, (image, face) in enumerate(frames_of(clip, start)):
        if shown == count:
            return
        shot = Shot(crop.cut(image), crop.place(face.landmarks), start + offset)
        if available < count and available <= MOST_KEPT:
            kept.append(shot)
        yield shot
        shown += 1
    forward = False
    while kept and shown < count:
        way = kept[1:] if forward else kept[-2::-1]
        if not way:
            return
        for shot in way[: count - shown]:
            yield shot
            shown += 1
        forward = not forward
