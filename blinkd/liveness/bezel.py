"""The edge of a phone, a tablet, a monitor or a sheet of paper that is held before the camera, with the face inside it.

A frame behind a person (a window, a door) is cut by the body; a frame that carries the picture of a face is not: its lower edge runs
straight on below the chin and meets the two sides. So these three edges and their two corners are looked for.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.vision.face import CHIN, FOREHEAD, Face

LOOK_WIDTH = 320  # the picture is shrunk to it: edges of things are still there, those of hairs and stripes are gone
LEAN_DEG = 18.0  # of an edge against the face's own upright
CHIN_REACH = 2.0  # face heights below the chin within which the lower edge is looked for
SIDE_REACH = 2.5  # face widths to each side of the face's axis
LEAST_LOWER = 0.9  # length of the lower edge in face widths
LEAST_SIDE = 0.75  # length of what is seen of each side, in face heights; fingers hide the rest
SHORTEST = 0.12  # of a piece of an edge, in face widths
GAP = 0.35  # in face widths: pieces in line so far apart, behind a finger, are one edge
CORNER = 0.2  # in face widths: so near the lower edge's end must a side's foot be, for corners are round
IN_LINE = 0.05  # in face widths: pieces so near a line lie on it

Segments = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Edge:
    """In face coordinates (origin on the face's axis at the chin, x to the right, y down, unit the face's width): ends along its direction."""

    start: float
    end: float
    across: float  # the other coordinate at its middle
    slope: float

    def at(self, place: float) -> float:
        """The other coordinate at a place along it, also beyond its ends."""
        return self.across + self.slope * (place - (self.start + self.end) / 2)


class BezelFinder:
    """Finds the edges in one frame; about two milliseconds."""

    def __init__(self) -> None:
        self._detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE)

    def framed(self, image: Image, face: Face) -> bool:
        """Whether the face, in a frame uint8 (H, W, 3) BGR, lies in a frame that goes on below its chin."""
        scale = LOOK_WIDTH / image.shape[1]
        grey = cv2.cvtColor(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        found = self._detector.detect(grey)[0]
        if np.ndim(found) == 0:  # nothing at all
            return False
        segments = self._in_face_coordinates(np.asarray(found, np.float64).reshape(-1, 2, 2) / scale, face)
        height = float(np.linalg.norm(face.landmarks[CHIN, :2] - face.landmarks[FOREHEAD, :2])) / max(face.width_between_cheeks, 1.0)
        lower = _joined(_edges(segments, axis=0))
        pieces = _edges(segments, axis=1)
        return any(self._closes(edge, pieces, height) for edge in lower)

    def _in_face_coordinates(self, segments: Segments, face: Face) -> Segments:
        chin = face.landmarks[CHIN, :2].astype(np.float64)
        angle = np.radians(-face.pose.roll)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned: Segments = (segments - chin) @ turn.T / max(face.width_between_cheeks, 1.0)
        return turned

    def _closes(self, lower: _Edge, pieces: list[_Edge], height: float) -> bool:
        """Whether the edge runs below the chin and meets a side on the left and one on the right."""
        if not (0 < lower.across <= CHIN_REACH * height and lower.end - lower.start >= LEAST_LOWER and lower.start < 0 < lower.end):
            return False
        return all(self._meets(lower, end, pieces, height) for end in (lower.start, lower.end))

    def _meets(self, lower: _Edge, end: float, pieces: list[_Edge], height: float) -> bool:
        """Whether a side stands on that end of the lower edge: pieces on one line, long enough in all."""
        foot_y = lower.at(end)
        for seed in pieces:
            if abs(seed.at(foot_y) - end) > CORNER or abs(end) > SIDE_REACH or seed.end - seed.start < GAP:
                continue
            on_line = [
                piece for piece in pieces if piece.start < foot_y and abs(seed.at((piece.start + piece.end) / 2) - piece.across) <= IN_LINE
            ]
            if covered(on_line, foot_y + CORNER) >= LEAST_SIDE * height and min(piece.start for piece in on_line) < -0.4 * height:
                return True
        return False


def covered(pieces: list[_Edge], until: float) -> float:
    """Length of the union of the pieces' extents, up to a place."""
    total, reached = 0.0, -np.inf
    for piece in sorted(pieces, key=lambda one: one.start):
        end = min(piece.end, until)
        total += max(0.0, end - max(piece.start, reached))
        reached = max(reached, end)
    return float(total)


def _edges(segments: Segments, axis: int) -> list[_Edge]:
    """Segments that run along an axis (0: across, 1: upright) within LEAN_DEG."""
    along = segments[:, 1] - segments[:, 0]
    steep = np.abs(along[:, 1 - axis]) <= np.tan(np.radians(LEAN_DEG)) * np.abs(along[:, axis])
    edges = []
    for a, b in segments[steep & (np.linalg.norm(along, axis=1) > SHORTEST)]:
        first, last = (a, b) if a[axis] < b[axis] else (b, a)
        run = max(float(last[axis] - first[axis]), 1e-6)
        slope = float(last[1 - axis] - first[1 - axis]) / run
        edges.append(_Edge(float(first[axis]), float(last[axis]), float(first[1 - axis] + last[1 - axis]) / 2, slope))
    return edges


def _joined(edges: list[_Edge]) -> list[_Edge]:
    """The edges, those that continue each other made one."""
    joined: list[_Edge] = []
    for edge in sorted(edges, key=lambda one: one.start):
        for place, known in enumerate(joined):
            middle = (edge.start + edge.end) / 2
            if edge.start - known.end <= GAP and abs(edge.across - (known.at(middle) + known.across) / 2) <= 2 * IN_LINE:
                start, end = known.start, max(known.end, edge.end)
                slope = (edge.at(end) - known.at(start)) / max(end - start, 1e-6)
                joined[place] = _Edge(start, end, (edge.at(end) + known.at(start)) / 2, slope)
                break
        else:
            joined.append(edge)
    return joined
