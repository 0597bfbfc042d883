"""MediaPipe's face mesh: 478 landmarks from an upright square crop around one face."""

from dataclasses import dataclass

import cv2
import numpy as np

from blinkd.capture.frame import Image
from blinkd.vision.detector import LEFT_EYE, RIGHT_EYE, Detection
from blinkd.vision.face import LEFT_EYE_OUTER, RIGHT_EYE_OUTER, Face, Points
from blinkd.vision.litert import LiteNetwork

ROI_SCALE = 1.5  # side of the crop over the longer side of the face's box, as the network was trained
LANDMARKS_OUTPUT, PRESENCE_OUTPUT = "Identity", "Identity_1"


@dataclass(frozen=True, slots=True)
class Roi:
    """A square in the picture: centre x and y and side in pixels, angle in radians (clockwise, 0 upright)."""

    x: float
    y: float
    side: float
    angle: float

    @staticmethod
    def around_detection(found: Detection) -> "Roi":
        """The crop for a face that the detector found, turned upright by the eyes."""
        x, y, w, h = found.bbox
        across = found.keypoints[LEFT_EYE] - found.keypoints[RIGHT_EYE]
        return Roi(x + w / 2, y + h / 2, ROI_SCALE * max(w, h), float(np.arctan2(across[1], across[0])))

    @staticmethod
    def around_landmarks(landmarks: Points) -> "Roi":
        """The crop for the next frame of a face whose landmarks are known."""
        across = landmarks[LEFT_EYE_OUTER, :2] - landmarks[RIGHT_EYE_OUTER, :2]
        angle = float(np.arctan2(across[1], across[0]))
        turn = _rotation(-angle)
        upright = landmarks[:, :2] @ turn.T
        low, high = upright.min(axis=0), upright.max(axis=0)
        x, y = _rotation(angle) @ ((low + high) / 2)
        return Roi(float(x), float(y), ROI_SCALE * float((high - low).max()), angle)


class FaceMesh:
    """Finds the landmarks of the face in a region."""

    def __init__(self, network: LiteNetwork) -> None:
        self._network = network
        self._side = network.input_shape[1]

    def locate(self, image: Image, roi: Roi) -> Face:
        """Return the face in the region, whose `score` says whether there is one; image is uint8 (H, W, 3) BGR."""
        scale = roi.side / self._side
        turn = _rotation(roi.angle) * scale
        # crop pixel (u, v), measured from the crop's centre, lies at turn @ (u, v) + centre in the picture
        half = self._side / 2
        offset = np.array([roi.x, roi.y]) - turn @ np.array([half, half])
        matrix = np.hstack([turn, offset[:, None]]).astype(np.float32)
        crop = cv2.warpAffine(
            image,
            matrix,
            (self._side, self._side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
        tensor = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32) * np.float32(1 / 255)
        outputs = self._network.run(tensor[None])
        points = outputs[LANDMARKS_OUTPUT].reshape(-1, 3).astype(np.float32)
        points[:, :2] = points[:, :2] @ turn.T.astype(np.float32) + offset.astype(np.float32)
        points[:, 2] *= np.float32(scale)
        presence = float(outputs[PRESENCE_OUTPUT].ravel()[0])
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        bbox = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
        points.setflags(write=False)
        return Face(bbox, 1 / (1 + float(np.exp(-presence))), points)


def _rotation(angle: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
