"""Warps of a still face, so that it seems to blink or to turn: from landmarks to a smooth map of pixels."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.vision.face import LEFT_EYE_CONTOUR, RIGHT_EYE_CONTOUR, Points

Flat = npt.NDArray[np.float32]
"""float32 (N, 2): points in pixels."""

MESH_POINTS = 468  # without the irises, which move inside of the eyes
# Upper and lower lid of each eye from the picture's left to its right, corner to corner, in the 478-point mesh
RIGHT_UPPER, RIGHT_LOWER = (33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_UPPER, LEFT_LOWER = (362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)
SLIT = 0.06  # share of the opening that lids moved by the net leave
UNDER_EYE = 0.12  # of the eye's width below the lower lid, where the skin for a closed lid is taken from
LASHES = 0.11  # of the eye's width above the upper lid's rim that the lid covers too: its own lashes are there
FEATHER, LASH_LINE, LASH_DARKNESS = (
    0.025,
    0.03,
    0.6,
)  # softness of the lid's border and half width of the lashes, in eye widths; their depth
STEP_PX = 2  # the mesh map is made on a grid of this step; a coarser one smooths the lids' closing away
FACE_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
             172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
AROUND = ((1.35, 0.75), (1.8, 0.35))  # rings around the face's outline: their size against it and how far they move with it


@dataclass(frozen=True, slots=True, eq=False)
class LidWarp:
    """Closes the eyes of a picture: skin from under each eye, mirrored, slides down over the eyeball, with a line of lashes at its rim.

    landmarks: float32 (468 or 478, 2 or 3) in pixels of the picture.
    """

    picture: Image
    landmarks: Points

    def closed_by(self, amount: float) -> Image:
        """The picture with its eyes closed by `amount`, 0 open, 1 shut; uint8 (H, W, 3)."""
        out = self.picture.copy()
        if amount <= 0:
            return out
        for upper, lower in ((RIGHT_UPPER, RIGHT_LOWER), (LEFT_UPPER, LEFT_LOWER)):
            self._close(out, upper, lower, amount)
        return out

    def _close(self, out: Image, upper: tuple[int, ...], lower: tuple[int, ...], amount: float) -> None:
        above, below = self.landmarks[list(upper), :2], self.landmarks[list(lower), :2]
        across = above[-1] - above[0]
        width = float(np.hypot(*across))
        if width < 2:
            return
        cos, sin = across / width
        # the eye's own axes: s along the line through its corners, n at right angles, down
        axes = np.array([[cos, sin], [-sin, cos]])
        a, b = (above - above[0]) @ axes.T, (below - above[0]) @ axes.T
        middle = (above[0] + above[-1]) / 2
        x0, y0 = (int(value) for value in np.maximum(np.floor(middle - width), 0))
        x1, y1 = (int(value) for value in np.minimum(np.ceil(middle + width) + 1, out.shape[1::-1]))
        px, py = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))
        dx, dy = px - above[0][0], py - above[0][1]
        s, n = cos * dx + sin * dy, -sin * dx + cos * dy
        # a head that is turned away may show a corner's points out of order
        lid = np.interp(s, *_rising(a))
        rim = np.maximum(np.interp(s, *_rising(b)), lid)
        edge = lid + amount * (rim - lid)
        source = rim + UNDER_EYE * width + (edge - n)
        move = source - n
        skin = cv2.remap(
            self.picture,
            (px - sin * move).astype(np.float32),
            (py + cos * move).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        covered = ((n >= lid - LASHES * width) & (n <= edge) & (s > 0) & (s < width)).astype(np.float32)
        covered = np.asarray(cv2.GaussianBlur(covered, (0, 0), max(0.6, FEATHER * width)), np.float32)
        lashes = np.exp(-(((n - edge) / (LASH_LINE * width)) ** 2)) * ((s > 0) & (s < width)) * min(1.0, 3 * amount)
        part = out[y0:y1, x0:x1]
        mixed = (part + (skin - part.astype(np.float32)) * covered[:, :, None]) * (1 - LASH_DARKNESS * lashes)[:, :, None]
        part[:] = np.clip(mixed, 0, 255).astype(np.uint8)


class MeshWarp:
    """Moves a face's landmarks and with them the picture, each triangle of a net by its own affine map.

    Around the face stand rings of points that move less and less with it, so that hair and neck follow and the picture's edge stays.
    """

    def __init__(self, picture: Image, landmarks: Points) -> None:
        self._picture = picture
        self.rest = np.asarray(landmarks[:MESH_POINTS, :2], np.float32)
        height, width = picture.shape[:2]
        outline = self.rest[list(FACE_OVAL)]
        middle = outline.mean(axis=0)
        self._followers = [(middle + (outline[::3] - middle) * size, follow) for size, follow in AROUND]
        xs, ys = np.linspace(0, width - 1, 5), np.linspace(0, height - 1, 5)
        edge = [(x, y) for x in xs for y in ys if x in (xs[0], xs[-1]) or y in (ys[0], ys[-1])]
        self._edge = np.array(edge, np.float32)
        limit = np.array([width - 2, height - 2], np.float32)
        self._followers = [(np.clip(points, 1, limit), follow) for points, follow in self._followers]
        self._points = np.vstack([self.rest, *(points for points, _ in self._followers), self._edge]).astype(np.float32)
        self._triangles = _triangulated(self._points, (width, height))

    def moved_to(self, target: Flat, depth: Flat | None = None) -> Image:
        """The picture with its landmarks at `target` (468, 2); depth (468,): smaller is nearer and covers what is behind."""
        shift = target - self.rest
        outline = shift[list(FACE_OVAL)][::3]
        rings = [points + follow * outline for points, follow in self._followers]
        moved = np.vstack([target, *rings, self._edge]).astype(np.float32)
        height, width = self._picture.shape[:2]
        size = (-(-width // STEP_PX) + 1, -(-height // STEP_PX) + 1)
        far = np.full(len(moved), 1e6, np.float32)
        if depth is not None:
            far[:MESH_POINTS] = depth
        order = np.argsort(-far[self._triangles].mean(axis=1), kind="stable")
        which = np.full((size[1], size[0]), -1, np.int32)
        # in sixteenths of a grid cell, the precision of OpenCV's polygon filling
        corners = np.round(moved[self._triangles] / STEP_PX * 16).astype(np.int32)
        for number in order:
            cv2.fillConvexPoly(which, corners[number], int(number), cv2.LINE_8, 4)
        gx, gy = np.meshgrid(np.arange(size[0]) * STEP_PX, np.arange(size[1]) * STEP_PX)
        here = np.stack([gx, gy, np.ones_like(gx)], axis=-1).astype(np.float64)
        back = _affine_back(self._points[self._triangles], moved[self._triangles])
        source = np.einsum("hwij,hwj->hwi", back[which], here)
        source[which < 0] = here[which < 0][:, :2]
        offset = (source - here[:, :, :2]).astype(np.float32)
        fx = np.arange(width, dtype=np.float32)
        fy = np.arange(height, dtype=np.float32)
        px, py = np.meshgrid(fx, fy)
        fine = cv2.remap(offset, px / STEP_PX, py / STEP_PX, cv2.INTER_LINEAR)
        return np.asarray(
            cv2.remap(self._picture, px + fine[:, :, 0], py + fine[:, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )


def turned(landmarks: Points, yaw: float, pitch: float) -> tuple[Flat, Flat]:
    """Landmarks (478, 3) turned by degrees about the head's middle, seen from the front without perspective: (468, 2) and depth (468,)."""
    points = landmarks[:MESH_POINTS].astype(np.float64)
    # a head turns about the neck, which lies behind the mesh
    pivot = np.array([points[:, 0].mean(), points[:, 1].mean(), points[:, 2].max()])
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    moved = (points - pivot) @ (about_y @ about_x).T + pivot
    return moved[:, :2].astype(np.float32), moved[:, 2].astype(np.float32)


def lids_lowered(landmarks: Flat, amount: float) -> Flat:
    """Landmarks (468, 2) with the upper lids moved towards the lower ones by `amount`, 0 to 1."""
    out = landmarks.copy()
    for upper, lower in ((RIGHT_UPPER, RIGHT_LOWER), (LEFT_UPPER, LEFT_LOWER)):
        inner_up, inner_low = list(upper[1:-1]), list(lower[1:-1])
        out[inner_up] += np.float32(amount * (1 - SLIT)) * (landmarks[inner_low] - landmarks[inner_up])
    return out


def eye_masks(landmarks: Flat, size: tuple[int, int], grow: float) -> npt.NDArray[np.float32]:
    """Opacity of eye holes, float32 (height, width), 1 inside; landmarks (478, 2 or 3); grow: size of a hole against the eye."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    for contour in (RIGHT_EYE_CONTOUR, LEFT_EYE_CONTOUR):
        points = landmarks[list(contour), :2]
        middle = points.mean(axis=0)
        around = points - middle
        # scissors cut a smoother and rounder shape than the lids have
        across = float(np.abs(around).max())
        hole = middle + around * grow + np.array([0, 0.16 * across]) * np.sign(around[:, 1:]) * grow
        cv2.fillPoly(mask, [np.round(hole).astype(np.int32)], 255, cv2.LINE_AA)
    return np.asarray(mask, np.float32) / np.float32(255)


def blink_curve(t: float, starts: npt.ArrayLike, closed_s: float) -> float:
    """How far the lids are shut at t seconds, 0 to 1: each blink falls in the first third and rises in the rest, as lids do."""
    for start in np.atleast_1d(np.asarray(starts, np.float64)):
        phase = (t - float(start)) / closed_s
        if 0 <= phase <= 1:
            return float(np.sin(np.pi * phase**0.75) ** 1.2)
    return 0.0


def _triangulated(points: Flat, size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Delaunay triangles as indices (T, 3) of points that lie inside of (width, height)."""
    net = cv2.Subdiv2D((0, 0, size[0] + 1, size[1] + 1))
    clipped = np.clip(points, 0, np.array(size, np.float32))
    index: dict[int, int] = {}
    for number, (x, y) in enumerate(clipped):
        index.setdefault(int(net.insert((float(x), float(y)))), number)
    lookup = {(float(x), float(y)): number for number, (x, y) in enumerate(clipped)}
    found = []
    for triangle in net.getTriangleList():
        corners = [lookup.get((float(triangle[i]), float(triangle[i + 1]))) for i in (0, 2, 4)]
        if None not in corners:
            found.append([corner for corner in corners if corner is not None])
    return np.array(found, np.int64)


def _rising(points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coordinates of points (N, 2) as two arrays, in the order of the first."""
    ordered = points[np.argsort(points[:, 0], kind="stable")]
    return ordered[:, 0], ordered[:, 1]


def _affine_back(rest: npt.NDArray[np.float32], moved: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """For triangles (T, 3, 2) the affine maps (T, 2, 3) that bring moved corners back to rest; degenerate ones stay where they are."""
    a = np.concatenate([moved.astype(np.float64), np.ones((*moved.shape[:2], 1))], axis=2)
    flat = np.abs(np.linalg.det(a)) < 1e-3
    a[flat] = np.eye(3)
    wanted = rest.astype(np.float64)
    wanted[flat] = 0
    return np.asarray(np.linalg.solve(a, wanted).transpose(0, 2, 1))
