"""Reads one picture of any usual kind into the one form that the rest knows."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from blinkd.capture.frame import Image
from blinkd.errors import MediaError

MOST_PIXELS = 100_000_000  # a picture that claims more is a decompression bomb or a mistake
WORKING_PIXELS = 12_000_000  # larger ones are shrunk: a face does not need them and the terminal's memory is small
SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I", "F")


def read_picture(path: Path) -> Image:
    """Return uint8 (H, W, 3) BGR, turned upright by its EXIF orientation; larger pictures come shrunk to about 12 megapixels.

    Grey, 16-bit, CMYK, palette and transparent pictures are converted (transparency onto white). Raises MediaError naming the file for
    what is missing, empty, truncated, no picture, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow about sizes and odd metadata; sizes are judged below
            with Pillow.open(path) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise MediaError(
                        f"{path}: {picture.width}x{picture.height} pixels are too many; shrink it below {MOST_PIXELS // 10**6} megapixels"
                    )
                shrink = (picture.width * picture.height / WORKING_PIXELS) ** 0.5
                if shrink > 1:
                    # a JPEG is decoded at a smaller scale at once, which bounds the memory
                    picture.draft("RGB", (round(picture.width / shrink), round(picture.height / shrink)))
                picture.load()
                return _to_bgr(picture)
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise MediaError(f"{path}: is a folder; name a picture") from None
    except UnidentifiedImageError:
        size = path.stat().st_size
        what = "is empty (0 bytes)" if size == 0 else "is no picture that can be read"
        raise MediaError(f"{path}: {what}; use a JPEG, PNG, WebP, BMP or TIFF file") from None
    except Pillow.DecompressionBombError:
        raise MediaError(f"{path}: claims too many pixels; shrink it below {MOST_PIXELS // 10**6} megapixels") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise MediaError(f"{path}: damaged or truncated ({error}); copy it again from its source") from None


def _to_bgr(picture: Pillow.Image) -> Image:
    turned = ImageOps.exif_transpose(picture)
    if turned.width * turned.height > WORKING_PIXELS:
        scale = (WORKING_PIXELS / (turned.width * turned.height)) ** 0.5
        turned = turned.resize((max(1, round(turned.width * scale)), max(1, round(turned.height * scale))), Pillow.Resampling.BOX)
    if turned.mode in SIXTEEN_BIT_MODES:
        deep = np.asarray(turned, np.float32)
        top = 255.0 if deep.size and float(deep.max()) <= 255 else 65535.0
        grey = np.clip(deep * (255.0 / top), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
    if turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info:
        layered = turned.convert("RGBA")
        background = Pillow.new("RGBA", layered.size, "white")
        turned = Pillow.alpha_composite(background, layered)
    rgb = np.asarray(turned.convert("RGB"), np.uint8)
    return np.ascontiguousarray(rgb[:, :, ::-1])
