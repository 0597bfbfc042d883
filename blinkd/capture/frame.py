"""The first value of the flow: one picture with the time at which its source took it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""uint8 array of shape (height, width, 3), channels in OpenCV's order: blue, green, red."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture.

    image: uint8 (height, width, 3) BGR, rotated and mirrored as the settings ask; nobody writes into it.
    t: seconds on the source's own time line (position in a recording; monotonic clock of a camera), never decreasing.
    index: number of the frame in its source, from 0; a gap means that frames were dropped.
    """

    image: Image
    t: float
    index: int


class FrameSource(Protocol):
    """A camera or a recording. One thread uses it: open, read until None or an error, close.

    `live` tells a camera (frames may be dropped, the newest counts) from a recording (every frame counts).
    `name` says in words what is read, without credentials, for logs and status.
    """

    live: bool
    name: str

    def open(self) -> None:
        """Open the device or file. Raises CameraLost (live) or MediaError (recording)."""

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end of a recording. Raises CameraLost or MediaError."""

    def close(self) -> None:
        """Release the device; may be called twice and after a failed open."""
