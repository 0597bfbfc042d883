"""BlazeFace, MediaPipe's face detector: short range (128 px input) and full range (192 px input)."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.vision.litert import LiteNetwork

Floats = npt.NDArray[np.float32]

SHORT_RANGE_STRIDES = (8, 16, 16, 16)  # one pair of anchors per cell and entry: 16*16*2 + 8*8*6 = 896
FULL_RANGE_STRIDE = 4  # one anchor per cell: 48*48 = 2304
OVERLAP_MERGED = 0.3  # candidates of one face overlap at least so much (intersection over union); the value MediaPipe uses
RIGHT_EYE, LEFT_EYE = 0, 1  # of the six key points: eyes, nose tip, mouth centre, ears


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A candidate face: bbox as x, y, width, height in pixels; score 0..1; keypoints float32 (6, 2) in pixels."""

    bbox: tuple[float, float, float, float]
    score: float
    keypoints: Floats


class BlazeFace:
    """Finds faces in a whole picture."""

    def __init__(self, network: LiteNetwork, min_score: float) -> None:
        self._network = network
        self._side = network.input_shape[1]
        self._anchors = short_range_anchors(self._side) if self._side == 128 else full_range_anchors(self._side)
        self._min_logit = float(np.log(min_score / (1 - min_score))) if 0 < min_score < 1 else 0.0

    def detect(self, image: Image) -> list[Detection]:
        """Return the faces, largest first; image is uint8 (H, W, 3) BGR. Faces that reach over the edge are kept."""
        tensor, scale, left, top = _letterbox(image, self._side)
        outputs = self._network.run(tensor)
        by_width = {output.shape[-1]: output[0] for output in outputs.values()}
        raw, logits = by_width[16], by_width[1][:, 0]
        hit = np.flatnonzero(logits >= self._min_logit)
        if hit.size == 0:
            return []
        scores = 1 / (1 + np.exp(-np.clip(logits[hit], -80, 80)))
        values = raw[hit].reshape(-1, 8, 2) / self._side  # centre, size, six key points; offsets from the anchor
        values[:, 0] += self._anchors[hit]
        values[:, 2:] += self._anchors[hit, None]
        values *= self._side
        values[:, 1] /= scale
        origin = np.array([left, top], np.float32)
        values[:, 0] = (values[:, 0] - origin) / scale
        values[:, 2:] = (values[:, 2:] - origin) / scale
        return _merge(values, scores)


def short_range_anchors(side: int) -> Floats:
    """Anchor centres, float32 (896, 2) in 0..1, in the network's order (source: MediaPipe's SSD anchor options)."""
    layers = [(8, 2), (16, 6)]
    return np.concatenate([_grid(side // stride, count) for stride, count in layers])


def full_range_anchors(side: int) -> Floats:
    """Anchor centres, float32 (2304, 2) in 0..1."""
    return _grid(side // FULL_RANGE_STRIDE, 1)


def _grid(cells: int, repeats: int) -> Floats:
    centre = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    y, x = np.meshgrid(centre, centre, indexing="ij")
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0).astype(np.float32)


def _letterbox(image: Image, side: int) -> tuple[Floats, float, float, float]:
    """Shrink to side x side with the aspect kept and black bars; returns the tensor (1, side, side, 3) RGB in -1..1, scale and offsets."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    new_w, new_h = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (side - new_w) // 2, (side - new_h) // 2
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[top : top + new_h, left : left + new_w] = small
    tensor = cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB).astype(np.float32) / 127.5 - 1.0
    return tensor[None].astype(np.float32), scale, float(left), float(top)


def _merge(values: Floats, scores: Floats) -> list[Detection]:
    """Join overlapping candidates into score-weighted means; values is (N, 8, 2): centre, size, key points in pixels."""
    order = np.argsort(-scores, kind="stable")
    values, scores = values[order], scores[order]
    half = values[:, 1] / 2
    low, high = values[:, 0] - half, values[:, 0] + half
    area = np.prod(values[:, 1], axis=1)
    found: list[Detection] = []
    open_ = np.ones(len(scores), bool)
    for best in range(len(scores)):
        if not open_[best]:
            continue
        inter = np.prod(np.clip(np.minimum(high[best], high) - np.maximum(low[best], low), 0, None), axis=1)
        same = open_ & (inter / np.maximum(area[best] + area - inter, 1e-9) > OVERLAP_MERGED)
        same[best] = True
        open_ &= ~same
        weight = scores[same] / scores[same].sum()
        mean = np.tensordot(weight, values[same], axes=1)
        (x, y), (w, h) = mean[0] - mean[1] / 2, mean[1]
        found.append(Detection((float(x), float(y), float(w), float(h)), float(scores[best]), mean[2:].astype(np.float32)))
    return sorted(found, key=lambda d: -d.bbox[2] * d.bbox[3])
