"""Reads one picture of any usual kind into the one form that the rest knows."""

import math
import struct
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from blinkd.capture.frame import Image
from blinkd.capture.jpeg import is_whole
from blinkd.capture.paths import file_size
from blinkd.errors import MediaError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # Pillow knows more, some of which start other programs (EPS); JPEG includes MPO
REMEDY = "use a JPEG, PNG, WebP, BMP or TIFF file (a phone's HEIC must be converted)"
MOST_PIXELS = 100_000_000  # a picture that claims more is a decompression bomb or a mistake
WORKING_PIXELS = 12_000_000  # larger ones are shrunk: a face does not need them and the terminal's memory is small
DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # grey with more than 8 bits
EXIF_ORIENTATION = 0x0112
TURNS = {  # what undoes each orientation of EXIF 2.3, table 4.6.4
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
# What Pillow's readers raise for damaged files (found by feeding them broken ones), beside its own errors
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)


def read_picture(path: Path) -> Image:
    """Return uint8 (H, W, 3) BGR, turned upright by its EXIF orientation; larger pictures come shrunk to at most 12 megapixels.

    Grey, 16-bit, CMYK, palette and transparent pictures are converted (transparency onto white). A JPEG is decoded at a reduced scale, so
    its memory is bounded by the result; other kinds are decoded whole (4 bytes a pixel, twice that with transparency). Raises MediaError naming file and remedy for what is missing,
    empty, truncated, no picture, or claims more than 100 megapixels.
    """
    file_size(path, "a picture")
    try:
        with path.open("rb") as file:
            return decode_picture(file, str(path))
    except OSError as error:
        raise MediaError(f"{path}: damaged or truncated ({error}); copy it again from its source") from None


def decode_picture(file: BinaryIO, name: str, most_pixels: int = MOST_PIXELS) -> Image:
    """As `read_picture`, of an open file, which may lie in memory. name: for messages; most_pixels: what the picture may claim."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about sizes and odd metadata; sizes are judged below
            with Pillow.open(file, formats=FORMATS) as picture:
                if picture.width * picture.height > most_pixels:
                    raise MediaError(
                        f"{name}: {picture.width}x{picture.height} pixels are too many; shrink it below {most_pixels // 10**6} megapixels"
                    )
                scale = _shrink(picture.width, picture.height)
                if scale < 1:
                    picture.draft(None, (int(picture.width * scale), int(picture.height * scale)))
                picture.load()
                if picture.format in ("JPEG", "MPO") and not is_whole(file):
                    raise MediaError(f"{name}: truncated, its end is missing; copy it again from its source")
                return _to_bgr(picture)
    except UnidentifiedImageError:
        raise MediaError(f"{name}: is no picture that can be read; {REMEDY}") from None
    except Pillow.DecompressionBombError:
        raise MediaError(f"{name}: claims too many pixels; shrink it below {most_pixels // 10**6} megapixels") from None
    except MemoryError:
        raise MediaError(f"{name}: too large for this machine's memory; shrink it first") from None
    except DAMAGE as error:
        raise MediaError(f"{name}: damaged or truncated ({error}); copy it again from its source") from None


def _shrink(width: int, height: int) -> float:
    return min(1.0, math.sqrt(WORKING_PIXELS / (width * height)))


def _to_bgr(picture: Pillow.Image) -> Image:
    turn = TURNS.get(_orientation(picture))
    if picture.mode in DEEP_MODES:
        picture = Pillow.fromarray(_eight_bits(np.asarray(picture)))
    transparent = picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info
    flat = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA" if transparent else "RGB")
    scale = _shrink(flat.width, flat.height)
    if scale < 1:
        flat = flat.resize((max(1, int(flat.width * scale)), max(1, int(flat.height * scale))), Pillow.Resampling.BOX)
    if transparent:
        flat = flat.convert("RGBA")
        flat = Pillow.alpha_composite(Pillow.new("RGBA", flat.size, "white"), flat)
    if turn is not None:
        flat = flat.transpose(turn)
    rgb = flat if flat.mode == "RGB" else flat.convert("RGB")
    return np.ascontiguousarray(np.asarray(rgb, np.uint8)[:, :, ::-1])


def _orientation(picture: Pillow.Image) -> int:
    """EXIF's orientation, 1 (upright) where there is none or its block is damaged: the pixels themselves are whole."""
    try:
        return int(picture.getexif().get(EXIF_ORIENTATION, 1))
    except DAMAGE:
        return 1


def _eight_bits(deep: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Grey of 16 bits, 32 bits or floats, scaled by the range that its largest value belongs to: 0-1, 0-255 or 0-65535."""
    if deep.dtype.kind == "f":
        deep = np.nan_to_num(deep, nan=0.0, posinf=0.0, neginf=0.0)
        if deep.max() <= 1:
            deep = deep * 255
    if deep.max() > 255:
        deep = np.clip(deep, 0, 65535).astype(np.uint16) >> 8
    return np.asarray(np.clip(deep, 0, 255), np.uint8)
