"""Recordings as frame sources: video files, and folders of pictures."""

import logging
import re
from pathlib import Path

import cv2
import numpy as np

from blinkd.capture.frame import Frame
from blinkd.capture.paths import file_size, looks_like_text
from blinkd.capture.pictures import read_picture
from blinkd.capture.quiet import quiet_opencv
from blinkd.capture.timeline import Timeline
from blinkd.capture.transform import upright
from blinkd.errors import MediaError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
FALLBACK_FPS = 25.0  # for containers that state no rate
DAMAGED_READS = 50  # frames in a row that may be undecodable before the rest counts as lost
SHORT_FRAMES, SHORT_SHARE = 3, 0.05  # containers round their frame count: fewer frames by more than both of these is a tear

log = logging.getLogger(__name__)


class VideoFile:
    """A video file, frame by frame. Its times are those of the container (see `Timeline`), so a variable frame rate is right.

    A rotation that the file states is applied by OpenCV before `rotation` and `mirror` of the settings are.

    Damage: a recording whose end is torn off is read up to the tear; frames in the middle that cannot be decoded are left out. Either is
    told by `truncated` and `damaged` once `read` has returned None, and logged once. Only a file without one readable frame is an error.
    The same file gives the same frames and times every time.
    """

    live = False

    def __init__(self, path: Path, rotation: int = 0, mirror: bool = False) -> None:
        self.name = str(path)
        self.truncated = False  # clearly fewer frames came than the container promises
        self.damaged = 0  # places in the middle where frames could not be decoded
        self._path = path
        self._rotation, self._mirror = rotation, mirror
        self._video: cv2.VideoCapture | None = None
        self._timeline = Timeline(FALLBACK_FPS)
        self._index = 0
        self._expected = 0

    def open(self) -> None:
        """Open the file from its beginning. Raises MediaError naming it."""
        self.close()
        file_size(self._path, "a video file or a folder of pictures")
        if looks_like_text(self._path):
            raise MediaError(f"{self._path}: is a text file, no video; use MP4, MOV, MKV, AVI or WebM")
        quiet_opencv()
        video = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not video.isOpened():
            raise MediaError(
                f"{self._path}: no video in it that can be read; it is torn, or of another kind: use MP4, MOV, MKV, AVI or WebM, copied whole"
            )
        rate = float(video.get(cv2.CAP_PROP_FPS))
        self._timeline = Timeline(rate if 0.1 <= rate <= 1000 else FALLBACK_FPS)
        self._expected = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        self._video = video
        self._index, self.damaged, self.truncated = 0, 0, False

    def read(self) -> Frame | None:
        """The next frame, or None at the end. Raises MediaError when not even one frame can be decoded."""
        if self._video is None:
            raise MediaError(f"{self._path}: not open")
        for attempt in range(DAMAGED_READS):
            got, image = self._video.read()
            if got and image is not None:
                self.damaged += attempt > 0 and self._index > 0
                t = self._timeline.place(float(self._video.get(cv2.CAP_PROP_POS_MSEC)) / 1000)
                frame = Frame(upright(np.asarray(image, np.uint8), self._rotation, self._mirror), t, self._index)
                self._index += 1
                return frame
        self._judge_the_end()
        return None

    def close(self) -> None:
        """Close the file."""
        if self._video is not None:
            self._video.release()
            self._video = None

    def _judge_the_end(self) -> None:
        if self._index == 0:
            raise MediaError(
                f"{self._path}: no frame can be decoded; it is torn or of a kind that is not known: copy it again, or convert it to MP4"
            )
        missing = self._expected - self._index
        truncated = missing > max(SHORT_FRAMES, SHORT_SHARE * self._expected)
        if truncated and not self.truncated:
            log.warning("%s: truncated: %d of %d frames can be read", self._path, self._index, self._expected)
        elif self.damaged and not self.truncated:
            log.warning("%s: damaged in %d places, where frames are left out", self._path, self.damaged)
        self.truncated = truncated


class PictureFolder:
    """The pictures of a folder in the natural order of their names (2 before 10), as a recording; sizes may differ. A single picture is a
    recording of one frame.

    A picture that cannot be read is left out and listed in `refused` with the reason; only when none can be read is it an error. Its place
    in time stays empty, so the others keep theirs.
    """

    live = False

    def __init__(self, path: Path, fps: float, rotation: int = 0, mirror: bool = False) -> None:
        """path: folder or picture; fps: pictures/s, above 0."""
        self.name = str(path)
        self.refused: list[str] = []
        self._path = path
        self._fps = fps
        self._rotation, self._mirror = rotation, mirror
        self._pictures: list[Path] = []
        self._next = 0
        self._delivered = 0

    def open(self) -> None:
        """List the pictures. Raises MediaError when there are none."""
        self._next = self._delivered = 0
        self.refused = []
        try:
            if self._path.is_dir():
                self._pictures = pictures_in(self._path)
            elif self._path.exists():
                self._pictures = [self._path]
            else:
                raise MediaError(f"{self._path}: no such folder; check the spelling")
        except OSError as error:
            raise MediaError(f"{self._path}: cannot be listed: {error.strerror}; check its owner and mode") from None
        if not self._pictures:
            raise MediaError(f"{self._path}: no pictures in this folder; it needs files ending in {' '.join(sorted(PICTURE_SUFFIXES))}")

    def read(self) -> Frame | None:
        """The next readable picture; its time is its place over the rate. Raises MediaError when none can be read, or not open."""
        if not self._pictures:
            raise MediaError(f"{self._path}: not open")
        while self._next < len(self._pictures):
            path, number = self._pictures[self._next], self._next
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
            raise MediaError(f"{self._path}: none of {len(self._pictures)} pictures can be read; the first: {self.refused[0]}")
        return None

    def close(self) -> None:
        """Nothing is held open."""
        self._pictures = []


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder by their suffix, in natural order; hidden files are none (some systems leave such beside each picture)."""
    found = (one for one in folder.iterdir() if one.suffix.lower() in PICTURE_SUFFIXES and not one.name.startswith("."))
    return sorted(found, key=_natural)


def _natural(path: Path) -> tuple[tuple[tuple[int, int, str], ...], str]:
    # even parts are text and odd ones numbers, so like is compared with like; the name itself settles 7 against 07
    parts = re.split(r"([0-9]+)", path.name)
    return tuple((0, int(part), "") if place % 2 else (1, 0, part) for place, part in enumerate(parts)), path.name
