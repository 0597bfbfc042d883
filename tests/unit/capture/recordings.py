"""Small recordings and pictures made for the tests."""

import re
import struct
from pathlib import Path

import cv2
import numpy as np

from blinkd.capture.frame import FrameSource, Image

SIZE = (160, 120)  # width, height
FPS = 20.0


def numbered(number: int, size: tuple[int, int] = SIZE) -> Image:
    """A picture that shows its number and has a white left upper corner, so that turning it can be seen."""
    image = np.full((size[1], size[0], 3), 40, np.uint8)
    cv2.putText(image, str(number), (20, 90), cv2.FONT_HERSHEY_SIMPLEX, 1, (90, 160, 250), 2)
    image[: size[1] // 4, : size[0] // 4] = 255
    return image


def noise(seed: int, size: tuple[int, int] = SIZE) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)


def write_video(path: Path, frames: int = 40, codec: str = "MJPG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), FPS, SIZE)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(numbered(number))
    writer.release()
    return path


def restamp_matroska(path: Path, stamps_ms: list[int]) -> None:
    """Give the blocks of a Matroska file of JPEGs other times: 16 bits behind each block's track number, counted from their cluster's."""
    data = bytearray(path.read_bytes())
    blocks = list(re.finditer(rb"\x81(..)\x80\xff\xd8", data, re.DOTALL))
    assert len(blocks) == len(stamps_ms)
    for number, (block, stamp) in enumerate(zip(blocks, stamps_ms, strict=True)):
        cluster = round(number * 1000 / FPS) - struct.unpack(">h", block[1])[0]
        data[block.start(1) : block.end(1)] = struct.pack(">h", stamp - cluster)
    path.write_bytes(data)


def rotate_quicktime(path: Path) -> None:
    """State in the track header that the picture is to be shown a quarter turn clockwise (the matrix of ISO 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    one, unit = 0x10000, 0x40000000
    plain = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, unit)
    at = data.index(plain, data.index(b"tkhd"))
    data[at : at + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, unit)
    path.write_bytes(data)


def times_of(source: FrameSource) -> list[float]:
    """Open, read to the end, close."""
    source.open()
    times = []
    while (frame := source.read()) is not None:
        times.append(frame.t)
    source.close()
    return times
