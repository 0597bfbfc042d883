"""A QR code in a console: two modules in a character, dark on light whatever the console's own colours are."""

import numpy as np
import numpy.typing as npt

QUIET = 2  # modules of margin; the standard asks for four, and cameras of telephones need no more than two
DARK_ON_LIGHT, PLAIN = "\x1b[30;107m", "\x1b[0m"
HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def modules(text: str) -> npt.NDArray[np.bool_]:
    """The code of a text: (n, n), True where it is dark, without a margin."""
    import cv2  # noqa: PLC0415  half a hundred megabytes, for the one verb that draws

    picture = cv2.QRCodeEncoder.create().encode(text)
    dark = np.asarray(picture) < 128
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    return dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def shown(text: str) -> str:
    """Lines for a console."""
    dark = np.pad(modules(text), QUIET)
    if len(dark) % 2:
        dark = np.pad(dark, ((0, 1), (0, 0)))
    lines = [
        "".join(HALVES[bool(above), bool(below)] for above, below in zip(*pair, strict=True))
        for pair in zip(dark[::2], dark[1::2], strict=True)
    ]
    return "\n".join(f"{DARK_ON_LIGHT}{line}{PLAIN}" for line in lines)
