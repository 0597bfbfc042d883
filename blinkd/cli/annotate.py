"""Writes a recording again, with what the terminal saw drawn into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from blinkd.capture.frame import Frame, Image
from blinkd.cli.output import one_line
from blinkd.errors import ConfigError, MediaError
from blinkd.session.events import Event
from blinkd.session.terminal import Terminal
from blinkd.vision.overlay import draw

ANNOTATED_FPS = 25.0  # when the recording has a single frame
RATE_FRAMES = 6  # the rate is the median of the gaps between so many first frames: a phone's first gap is often an odd one
LOWEST_FPS, HIGHEST_FPS = 1.0, 120.0


@contextmanager
def annotator(path: Path | None) -> Iterator["Annotator"]:
    """An Annotator that is finished, and its file complete, at the end of the block."""
    writer = Annotator(path)
    try:
        yield writer
    finally:
        writer.close()


class Annotator:
    """Writes frames with the overlay into an MP4 file, or nothing when no path is given."""

    def __init__(self, path: Path | None) -> None:
        if path is not None and path.suffix.lower() != ".mp4":
            raise ConfigError(f"--annotate {path}: the file must end in .mp4")
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"--annotate {path}: folder {path.parent} does not exist")
        self._path = path
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._pending: list[tuple[Image, float]] = []  # drawn frames and their times, until the rate is known
        self._caption = ""

    def __call__(self, frame: Frame, terminal: Terminal, events: list[Event]) -> None:
        """Draw one frame."""
        if self._path is None:
            return
        for event in events:
            self._caption = f"{event.kind}  {one_line(event.details)}"[:70]
        drawn = draw(frame.image, terminal.face, terminal.state, self._caption)
        if self._writer is not None:
            self._write(drawn)
            return
        self._pending.append((drawn, frame.t))
        if len(self._pending) == RATE_FRAMES:
            self._open()

    def close(self) -> None:
        """Finish the file."""
        if self._writer is None and self._pending:
            self._open()
        if self._writer is not None:
            self._writer.release()

    def _open(self) -> None:
        gaps = np.diff([t for _, t in self._pending])
        gap = float(np.median(gaps)) if gaps.size else 1 / ANNOTATED_FPS
        # hundredths: MPEG-4 refuses a time base finer than 1/65535 s
        fps = round(min(max(1 / max(gap, 1e-6), LOWEST_FPS), HIGHEST_FPS), 2)
        height, width = self._pending[0][0].shape[:2]
        self._size = (width, height)
        self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*"mp4v"), fps, self._size)
        if not self._writer.isOpened():
            raise MediaError(f"--annotate {self._path}: cannot be written; check the folder and its free space")
        for image, _ in self._pending:
            self._write(image)
        self._pending.clear()

    def _write(self, image: Image) -> None:
        if self._writer is None:
            return
        if (image.shape[1], image.shape[0]) != self._size:  # a folder may hold pictures of several sizes
            image = cv2.resize(image, self._size)  # type: ignore[assignment]
        self._writer.write(image)
