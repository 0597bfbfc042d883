"""The passive texture model: two small networks that look at the face and what is around it, and tell skin from print and screen.

MiniFASNet V2 sees the face with some of its surroundings (2.7 times its box), V1SE more of them (4 times): edges of paper and bezels
lie there. Their probabilities of `live` are averaged, over the networks and then over the track.
"""

import math
from collections import deque

import cv2
import numpy as np

from blinkd.capture.frame import Image
from blinkd.errors import ModelError
from blinkd.liveness.finding import Finding
from blinkd.models.manifest import Manifest
from blinkd.models.runtime import open_session
from blinkd.settings import LivenessSettings
from blinkd.vision.face import Face

SIDE = 80  # pixels of the networks' square input
LIVE_CLASS = 1  # of the three outputs; the others are print and screen
WINDOW = 12  # looks: the last two or three seconds
FEWEST = 4  # looks before it says anything
FAR_YAW_DEG = 30.0  # beyond it the networks were not trained
NARROW_VIEW = 2.0  # the picture ends within so many times the face's box: what a screen's edge would show is out of sight,
NARROW_DOUBT = 0.9  # so the networks must be surer of what they do see
CLOSE_VIEW = 1.7  # so near that a large screen would show no edge at all: a blink alone is not enough then


class TextureModel:
    """All texture networks of the manifest. Raises ModelError when one is missing or torn."""

    def __init__(self, manifest: Manifest, threads: int) -> None:
        self._networks = []
        for entry in manifest.models.values():
            if entry.kind != "texture" or entry.crop_scale is None:
                continue
            model = manifest.verified(entry.name)
            session = open_session(model.path, model.content, threads)
            self._networks.append((session, session.get_inputs()[0].name, entry.crop_scale))
        if not self._networks:
            raise ModelError(f"{manifest.models_dir}: the manifest names no texture network; restore it from the release")

    def look(self, image: Image, face: Face) -> tuple[float, ...]:
        """Each network's probability, 0..1, that the face is live; image is the whole frame, uint8 (H, W, 3) BGR."""
        answers = []
        for session, name, scale in self._networks:
            crop = cut_out(image, face.bbox, scale)
            (output,) = session.run(None, {name: crop.transpose(2, 0, 1)[None].astype(np.float32)})
            answers.append(float(output[0, LIVE_CLASS]))
        return tuple(answers)


class TextureWatch:
    """The looks along one track."""

    def __init__(self, settings: LivenessSettings) -> None:
        self._deny, self._doubt = settings.texture_deny, settings.texture_doubt
        self._recent: deque[tuple[float, ...]] = deque(maxlen=WINDOW)
        self._sum, self._count = 0.0, 0
        self._view = math.inf

    def observe(self, answers: tuple[float, ...], view: float) -> None:
        """Take one look's probabilities, one a network; view: how many times the face's box fits into the picture."""
        self._recent.append(answers)
        self._view = view
        self._sum += float(np.mean(answers))
        self._count += 1

    def finding(self) -> Finding:
        """By the lower of the median of the last looks and the mean of all: one good moment does not clear a bad track.

        A single network that denies is a doubt: what lies at the edge of the picture only the wider view sees.
        """
        if self._count < FEWEST:
            return Finding("texture", "unsure", None)
        value = min(float(np.median(np.mean(self._recent, axis=1))), self._sum / self._count)
        if value < self._deny:
            return Finding("texture", "deny", value)
        lone = float(np.median(self._recent, axis=0).min()) < self._deny
        doubted = lone or value < (max(self._doubt, NARROW_DOUBT) if self._view < NARROW_VIEW else self._doubt)
        return Finding("texture", "doubt" if doubted else "clear", value)

    def view(self) -> Finding:
        """`doubt` while the face is so near that nothing around it is seen."""
        return Finding("view", "doubt" if self._view < CLOSE_VIEW else "open", None if math.isinf(self._view) else self._view)


def view_of(image: Image, face: Face) -> float:
    """How many times the face's box fits into the picture, in the narrower direction."""
    return float(min(image.shape[0] / max(face.bbox[3], 1.0), image.shape[1] / max(face.bbox[2], 1.0)))


def cut_out(image: Image, bbox: tuple[float, float, float, float], scale: float) -> Image:
    """The box enlarged by `scale` about its centre and stretched to 80 x 80; shrunk and shifted where the picture ends, as in training."""
    height, width = image.shape[:2]
    x, y, w, h = bbox
    w, h = max(w, 1.0), max(h, 1.0)
    scale = min(scale, (width - 1) / w, (height - 1) / h)
    half_w, half_h = w * scale / 2, h * scale / 2
    centre_x = float(np.clip(x + w / 2, half_w, width - 1 - half_w))
    centre_y = float(np.clip(y + h / 2, half_h, height - 1 - half_h))
    left, top = int(centre_x - half_w), int(centre_y - half_h)
    right, bottom = int(centre_x + half_w), int(centre_y + half_h)
    return np.asarray(cv2.resize(image[top : bottom + 1, left : right + 1], (SIDE, SIDE)), np.uint8)
