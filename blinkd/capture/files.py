"""Recordings as frame sources: video files, and folders of pictures."""

import logging
import re
from pathlib import Path

import cv2
import numpy as np

from blinkd.capture.frame import Frame
from blinkd.capture.pictures import read_picture
from blinkd.capture.transform import upright
from blinkd.errors import MediaError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
FALLBACK_FPS = 25.0  # for containers that state no rate

log = logging.getLogger(__name__)


class VideoFile:
    """A video file. Its times are those of the container, so a variable frame rate is right.

    A recording that is torn is read up to the tear: what can be decoded before it counts, and `truncated` says that some is missing.
    """

    live = False

    def __init__(self, path: Path, rotation: int = 0, mirror: bool = False) -> None:
        self.name = str(path)
        self.truncated = False
        self._path = path
        self._rotation, self._mirror = rotation, mirror
        self._video: cv2.VideoCapture | None = None
        self._index = 0
        self._t = -1.0
        self._fps = FALLBACK_FPS
        self._expected = 0

    def open(self) -> None:
        """Open the file. Raises MediaError naming it."""
        if not self._path.exists():
            raise MediaError(f"{self._path}: no such file")
        if self._path.is_dir():
            raise MediaError(f"{self._path}: is a folder without pictures; name a video file or a folder of pictures")
        try:
            with self._path.open("rb") as file:
                if not file.read(1):
                    raise MediaError(f"{self._path}: is empty (0 bytes); copy it again from its source")
        except OSError as error:
            raise MediaError(f"{self._path}: cannot be read: {error.strerror}; check its owner and mode") from None
        video = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not video.isOpened():
            raise MediaError(f"{self._path}: is no video that can be read, or torn; use MP4, MOV, MKV, AVI or WebM")
        rate = float(video.get(cv2.CAP_PROP_FPS))
        self._fps = rate if 0.1 <= rate <= 1000 else FALLBACK_FPS
        self._expected = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        self._video = video
        self._index, self._t = 0, -1.0

    def read(self) -> Frame | None:
        """The next frame, or None at the end. Raises MediaError when not even one frame can be decoded."""
        if self._video is None:
            raise MediaError(f"{self._path}: not open")
        got, image = self._video.read()
        if not got or image is None:
            if self._index == 0:
                raise MediaError(f"{self._path}: no frame can be decoded; it is torn or holds no video")
            # containers round their frame count; more than a few missing frames are a tear
            if self._expected - self._index > max(3, 0.05 * self._expected):
                self.truncated = True
                log.warning("%s: ends after %d of %d frames: truncated", self._path, self._index, self._expected)
            return None
        position = float(self._video.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        by_rate = self._index / self._fps
        if not np.isfinite(position) or position < 0 or (position == 0 and self._index > 0):
            position = by_rate
        self._t = position if position > self._t else self._t + 1e-3
        frame = Frame(upright(np.asarray(image, np.uint8), self._rotation, self._mirror), self._t, self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        """Close the file."""
        if self._video is not None:
            self._video.release()
            self._video = None


class PictureFolder:
    """The pictures of a folder in the natural order of their names, as a recording; unreadable ones are listed in `refused`."""

    live = False

    def __init__(self, folder: Path, fps: float, rotation: int = 0, mirror: bool = False) -> None:
        self.name = str(folder)
        self.refused: list[str] = []
        self._folder = folder
        self._fps = fps
        self._rotation, self._mirror = rotation, mirror
        self._paths: list[Path] = []
        self._next = 0
        self._delivered = 0

    def open(self) -> None:
        """List the pictures. Raises MediaError when there are none."""
        if not self._folder.is_dir():
            raise MediaError(f"{self._folder}: no such folder")
        self._paths = sorted((one for one in self._folder.iterdir() if one.suffix.lower() in PICTURE_SUFFIXES), key=_natural)
        if not self._paths:
            raise MediaError(f"{self._folder}: no pictures in it ({', '.join(sorted(PICTURE_SUFFIXES))})")
        self._next = self._delivered = 0
        self.refused = []

    def read(self) -> Frame | None:
        """The next readable picture; its time is its place in the folder over the rate. Raises MediaError when none can be read."""
        while self._next < len(self._paths):
            path, number = self._paths[self._next], self._next
            self._next += 1
            try:
                image = read_picture(path)
            except MediaError as error:
                self.refused.append(str(error))
                log.warning("left out: %s", error)
                continue
            self._delivered += 1
            return Frame(upright(image, self._rotation, self._mirror), number / self._fps, number)
        if self._delivered == 0:
            raise MediaError(f"{self._folder}: none of {len(self._paths)} pictures can be read; the first: {self.refused[0]}")
        return None

    def close(self) -> None:
        """Nothing is held open."""


def _natural(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Frame 2 comes before frame 10."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
