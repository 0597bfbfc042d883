"""The second value of the flow: one face in one frame, with its landmarks and what follows from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Embedding = npt.NDArray[np.float32]
"""float32 (D,), L2-normalised; D is the model's own."""

# Indices into the 478-point MediaPipe face mesh. "Left" and "right" are the person's own unless said otherwise.
RIGHT_EYE_EAR = (33, 160, 158, 133, 153, 144)  # outer corner, upper lid 1 and 2, inner corner, lower lid 2 and 1
LEFT_EYE_EAR = (362, 385, 387, 263, 373, 380)  # inner corner, upper lid 1 and 2, outer corner, lower lid 2 and 1
RIGHT_EYE_CONTOUR = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE_CONTOUR = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 33, 263
NOSE_TIP = 1
NOSE_ALIGN = 4  # the most prominent point of the nose, where the alignment template puts its nose
MOUTH_RIGHT, MOUTH_LEFT = 61, 291
CHEEK_IMAGE_LEFT, CHEEK_IMAGE_RIGHT = 234, 454  # the cheeks as they stand in an unmirrored picture
FOREHEAD, CHIN = 10, 152


@dataclass(frozen=True)
class Pose:
    """Head pose in degrees, from the mesh's own depth.

    yaw: positive when the nose points to the right edge of the picture; pitch: positive when it points up;
    roll: positive when the head leans clockwise as seen in the picture.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False)
class Face:
    """One face.

    bbox: x, y, width, height in pixels of the frame, the extent of the landmarks (may reach over the frame's edge).
    score: the mesh network's own probability that its crop holds a face, 0..1.
    landmarks: float32 (478, 3); x and y in pixels of the frame, z in the same unit with 0 near the head's middle, smaller is nearer.
    """

    bbox: tuple[float, float, float, float]
    score: float
    landmarks: Points

    @property
    def size(self) -> float:
        """Larger of width and height in pixels, by which faces are ranked."""
        return max(self.bbox[2], self.bbox[3])

    @cached_property
    def points5(self) -> Points:
        """float32 (5, 2): eye at the picture's left, other eye, nose, mouth corner at the left, other corner (upright face)."""
        xy = self.landmarks[:, :2]
        return np.stack(
            [
                xy[list(RIGHT_EYE_CONTOUR)].mean(axis=0),
                xy[list(LEFT_EYE_CONTOUR)].mean(axis=0),
                xy[NOSE_ALIGN],
                xy[MOUTH_RIGHT],
                xy[MOUTH_LEFT],
            ]
        ).astype(np.float32)

    @cached_property
    def eye_aspect_ratio(self) -> float:
        """Mean over both eyes of EAR = (|v1| + |v2|) / (2 |h|), lid distances over eye width (Soukupova and Cech, 2016)."""
        return sum(self.eye_aspect_ratios) / 2

    @cached_property
    def eye_aspect_ratios(self) -> tuple[float, float]:
        """EAR of the person's right and left eye."""
        return _ear(self.landmarks, RIGHT_EYE_EAR), _ear(self.landmarks, LEFT_EYE_EAR)

    @cached_property
    def yaw_ratio(self) -> float:
        """Distance nose to left cheek over nose to right cheek in the picture; about 1 when the head is straight."""
        xy = self.landmarks[:, :2]
        left = float(np.linalg.norm(xy[NOSE_TIP] - xy[CHEEK_IMAGE_LEFT]))
        right = float(np.linalg.norm(xy[NOSE_TIP] - xy[CHEEK_IMAGE_RIGHT]))
        return left / max(right, 1e-6)

    @cached_property
    def width_between_cheeks(self) -> float:
        """Pixels from cheek to cheek, depth included, so that a turned head does not count as a small one."""
        return float(np.linalg.norm(self.landmarks[CHEEK_IMAGE_RIGHT] - self.landmarks[CHEEK_IMAGE_LEFT]))

    @cached_property
    def pose(self) -> Pose:
        """Pose from two axes of the mesh: outer eye corner to outer eye corner, and forehead to chin."""
        across = self.landmarks[LEFT_EYE_OUTER] - self.landmarks[RIGHT_EYE_OUTER]
        down = self.landmarks[CHIN] - self.landmarks[FOREHEAD]
        roll = float(np.arctan2(across[1], across[0]))
        cos, sin = np.cos(-roll), np.sin(-roll)
        down_x, down_y = cos * down[0] - sin * down[1], sin * down[0] + cos * down[1]
        yaw = float(np.arctan2(across[2], np.hypot(across[0], across[1])))
        pitch = float(np.arctan2(down[2], np.hypot(down_x, down_y)))
        return Pose(yaw=float(np.degrees(yaw)), pitch=float(np.degrees(pitch)), roll=float(np.degrees(roll)))


def _ear(landmarks: Points, index: tuple[int, ...]) -> float:
    p = landmarks[list(index), :2]
    lids = np.linalg.norm(p[1] - p[5]) + np.linalg.norm(p[2] - p[4])
    return float(lids / max(2 * float(np.linalg.norm(p[0] - p[3])), 1e-6))
