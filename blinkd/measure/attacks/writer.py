"""Writes clips: Motion-JPEG in AVI, each frame by itself, at a quality whose own artefacts stay below the sensor's noise."""

from collections.abc import Iterable
from pathlib import Path

import cv2

from blinkd.capture.frame import Image
from blinkd.errors import MediaError

SUFFIX = ".avi"
JPEG_QUALITY = 93  # of 100


def write_clip(path: Path, frames: Iterable[Image], fps: int) -> int:
    """Write the frames, uint8 (H, W, 3) BGR of one size, and return how many; the file appears under its name only when it is whole.

    Raises MediaError naming the file when nothing can be written or no frame came.
    """
    partial = path.with_name(f".{path.name}.part{SUFFIX}")
    written = 0
    video: cv2.VideoWriter | None = None
    try:
        for frame in frames:
            if video is None:
                height, width = frame.shape[:2]
                video = cv2.VideoWriter(str(partial), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), float(fps), (width, height))
                if not video.isOpened():
                    raise MediaError(f"{path}: cannot be written; check the folder's owner, mode and free space")
                video.set(cv2.VIDEOWRITER_PROP_QUALITY, JPEG_QUALITY)
            video.write(frame)
            written += 1
        if video is None:
            raise MediaError(f"{path}: no frames to write; its source has none")
        video.release()
        if not _whole(partial):
            raise MediaError(f"{path}: cannot be written whole; free some space")
        partial.replace(path)
    except cv2.error as error:
        raise MediaError(f"{path}: cannot be written: {error.err}; check the folder's free space") from error
    except OSError as error:
        raise MediaError(f"{path}: cannot be written: {error.strerror}; check the folder's owner, mode and free space") from error
    finally:
        if video is not None:
            video.release()
        partial.unlink(missing_ok=True)
    return written


def _whole(path: Path) -> bool:
    """Whether an AVI file is as long as its RIFF header, which is filled in last, says: OpenCV does not tell of a full disk."""
    with path.open("rb") as file:
        head = file.read(8)
    return head[:4] == b"RIFF" and int.from_bytes(head[4:], "little") + 8 == path.stat().st_size
