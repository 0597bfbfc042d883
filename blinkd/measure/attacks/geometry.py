"""Where a flat or bent picture in the room lands in the terminal's frame: pinhole camera, homography, cylinder.

Camera coordinates: x to the right, y down, z away from the camera, metres, origin at the pinhole. A medium (print, screen) has its own
coordinates: x and y in metres from its middle, z = 0 on its surface, facing the camera when its pose is all zero.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float32]
"""float32 (H, W)."""

GRID_STEP_PX = 8  # bent surfaces are intersected on a grid of this step and interpolated: they are smooth
MISSED = -1e4  # texture coordinate of a ray that meets no surface; outside of every texture


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera: frame size and focal length in pixels; the principal point is the frame's middle."""

    width: int = 640
    height: int = 480
    focal_px: float = 560.0  # 60 degrees across, as common wide terminal cameras

    @property
    def matrix(self) -> Matrix:
        """The 3 x 3 matrix from camera coordinates to pixels, whose centres are at whole numbers."""
        return np.array([[self.focal_px, 0, (self.width - 1) / 2], [0, self.focal_px, (self.height - 1) / 2], [0, 0, 1]])


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a medium is: its middle x, y, z in metres; yaw, pitch, roll in degrees about its vertical, horizontal and facing axis."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.5
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def rotation(self) -> Matrix:
        """From the medium's to the camera's axes, 3 x 3: first roll, then pitch, then yaw."""
        yaw, pitch, roll = np.radians([self.yaw, self.pitch, self.roll])
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        return np.asarray(about_y @ about_x @ about_z)

    def moved(self, offsets: npt.ArrayLike) -> "Pose":
        """The pose with six offsets added: x, y, z in metres, yaw, pitch, roll in degrees."""
        x, y, z, yaw, pitch, roll = (float(value) for value in np.asarray(offsets))
        return Pose(self.x + x, self.y + y, self.z + z, self.yaw + yaw, self.pitch + pitch, self.roll + roll)


@dataclass(frozen=True, slots=True)
class Bend:
    """A medium rolled about an axis in its own plane. curvature: 1/radius in 1/m, positive towards the edges away from the camera.

    axis: degrees of the cylinder's axis from the medium's vertical.
    """

    curvature: float
    axis: float = 0.0


def texture_to_medium(size: tuple[int, int], metres_per_px: float) -> Matrix:
    """3 x 3 from pixels of a texture of (width, height) to the medium's metres, middle on middle."""
    width, height = size
    return np.array(
        [
            [metres_per_px, 0, -metres_per_px * (width - 1) / 2],
            [0, metres_per_px, -metres_per_px * (height - 1) / 2],
            [0, 0, 1],
        ]
    )


def homography(lens: Lens, pose: Pose, size: tuple[int, int], metres_per_px: float) -> Matrix:
    """3 x 3 from pixels of a flat medium's texture to pixels of the frame: K [r1 r2 c] (Hartley and Zisserman, chapter 8)."""
    turn = pose.rotation
    columns = np.stack([turn[:, 0], turn[:, 1], [pose.x, pose.y, pose.z]], axis=1)
    return np.asarray(lens.matrix @ columns @ texture_to_medium(size, metres_per_px))


def project(matrix: Matrix, points: npt.ArrayLike) -> Matrix:
    """Points (N, 2) through a homography, (N, 2)."""
    flat = np.asarray(points, np.float64)
    mapped = np.hstack([flat, np.ones((len(flat), 1))]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def bent_maps(lens: Lens, pose: Pose, bend: Bend, size: tuple[int, int], metres_per_px: float) -> tuple[Plane, Plane, Plane]:
    """For each pixel of the frame the texture's x and y that it sees, and the cosine between the surface and the line of sight.

    Returns three float32 (height, width) of the frame. A ray o + k d meets the cylinder c (x² + z²) = 2 z (c: curvature, axis along y,
    touching z = 0 along the middle) at the root nearest the plane that it becomes for c = 0.
    """
    cols, rows = -(-lens.width // GRID_STEP_PX) + 1, -(-lens.height // GRID_STEP_PX) + 1
    px, py = np.meshgrid(np.arange(cols) * GRID_STEP_PX, np.arange(rows) * GRID_STEP_PX)
    rays = np.stack([px, py, np.ones_like(px)], axis=-1).reshape(-1, 3) @ np.linalg.inv(lens.matrix).T
    axis = np.radians(bend.axis)
    about = np.array([[np.cos(axis), np.sin(axis), 0], [-np.sin(axis), np.cos(axis), 0], [0, 0, 1]])
    into = about @ pose.rotation.T
    d = rays @ into.T
    o = into @ -np.array([pose.x, pose.y, pose.z])
    c = bend.curvature
    a = c * (d[:, 0] ** 2 + d[:, 2] ** 2)
    b = 2 * c * (o[0] * d[:, 0] + o[2] * d[:, 2]) - 2 * d[:, 2]
    e = c * (o[0] ** 2 + o[2] ** 2) - 2 * o[2]
    inside = b**2 - 4 * a * e
    root = np.sqrt(np.maximum(inside, 0))
    k = -2 * e / (b + np.where(b < 0, -root, root))
    x, y, z = (o[axis_] + k * d[:, axis_] for axis_ in range(3))
    along = np.arctan2(c * x, 1 - c * z) / c if abs(c) > 1e-6 else x
    normal = np.stack([c * x, np.zeros_like(x), c * z - 1], axis=-1)
    facing = np.abs(np.einsum("ij,ij->i", normal, d)) / np.maximum(np.linalg.norm(d, axis=1) * np.linalg.norm(normal, axis=1), 1e-9)
    medium = np.stack([along, y], axis=-1) @ about[:2, :2]
    u = medium[:, 0] / metres_per_px + (size[0] - 1) / 2
    v = medium[:, 1] / metres_per_px + (size[1] - 1) / 2
    missed = (inside < 0) | (k <= 0)
    u[missed] = v[missed] = MISSED
    return _full(u, cols, rows, lens), _full(v, cols, rows, lens), _full(facing, cols, rows, lens)


def _full(values: Matrix, cols: int, rows: int, lens: Lens) -> Plane:
    """A field on the grid, interpolated to every pixel."""
    coarse = values.reshape(rows, cols).astype(np.float32)
    x, y = np.meshgrid(np.arange(lens.width, dtype=np.float32) / GRID_STEP_PX, np.arange(lens.height, dtype=np.float32) / GRID_STEP_PX)
    return np.asarray(cv2.remap(coarse, x, y, cv2.INTER_LINEAR), np.float32)
