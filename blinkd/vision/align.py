"""Turns a face in a picture into the 112 x 112 crop that embedders are trained on."""

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.errors import MediaError

CROP_SIDE = 112
# Where ArcFace puts the eye centres, nose tip and mouth corners in a crop of 112 pixels (x, y); left means left in the picture
FIVE_POINT_TEMPLATE: tuple[tuple[float, float], ...] = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


def similarity(source: npt.ArrayLike, target: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The rotation, uniform scale and shift that bring `source` nearest to `target` in the least squares sense, as a matrix (2, 3).

    source, target: (N, 2). With points as complex numbers every map z -> a z + b is a similarity without reflection, so the best one is
    a plain linear regression; it is the two-dimensional case of Umeyama (1991). Raises MediaError when all source points coincide.
    """
    points, wanted = np.asarray(source, np.float64), np.asarray(target, np.float64)
    p, q = points[:, 0] + 1j * points[:, 1], wanted[:, 0] + 1j * wanted[:, 1]
    spread = p - p.mean()
    power = float(np.sum(np.abs(spread) ** 2))
    if not np.isfinite(power) or power <= 0:
        raise MediaError("the face's five points fall together, so it cannot be aligned; use another picture")
    a = complex(np.vdot(spread, q - q.mean()) / power)
    b = complex(q.mean() - a * p.mean())
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(image: Image, points5: npt.ArrayLike, size: int = CROP_SIDE) -> Image:
    """Crop a face by its five points (5, 2) in pixels of the image: eye, eye, nose, mouth corner, mouth corner, left ones first.

    image: uint8 (H, W, 3) BGR. Returns uint8 (size, size, 3) BGR; what lies outside of the picture is black. A face more than twice as
    large as the crop is first shrunk by a whole factor with area averaging, because bilinear sampling alone skips pixels then.
    """
    points = np.asarray(points5, np.float64)
    template = np.asarray(FIVE_POINT_TEMPLATE) * (size / CROP_SIDE)
    matrix = similarity(points, template)
    factor = int(1 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-6))
    if factor >= 2:
        image, points = _shrunk(image, points, matrix, factor, size)
        matrix = similarity(points, template)
    warped = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(warped, np.uint8)


def _shrunk(
    image: Image, points: npt.NDArray[np.float64], matrix: npt.NDArray[np.float64], factor: int, size: int
) -> tuple[Image, npt.NDArray[np.float64]]:
    """The part of the picture that the crop will show, shrunk by `factor`, and the points in it."""
    back = np.linalg.inv(matrix[:, :2])
    corners = (np.array([[0, 0], [size, 0], [0, size], [size, size]]) - matrix[:, 2]) @ back.T
    margin = 2 * factor  # for the taps of the bilinear filter
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, [width - 1, height - 1])
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + margin, [left + 1, top + 1], [width, height])
    # whole blocks only, so that area averaging is exact; the rest of less than a block lies in the margin or at the picture's edge
    blocks_x, blocks_y = max(1, (right - left) // factor), max(1, (bottom - top) // factor)
    part = image[top : top + blocks_y * factor, left : left + blocks_x * factor]
    small = cv2.resize(part, (int(blocks_x), int(blocks_y)), interpolation=cv2.INTER_AREA)
    # a pixel's centre is at its whole number, its corner half a pixel before
    return np.asarray(small, np.uint8), (points - [left, top] + 0.5) / factor - 0.5
