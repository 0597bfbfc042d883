"""Draws what the terminal sees into a copy of a frame, for previews and annotated recordings."""

import cv2
import numpy as np

from blinkd.capture.frame import Image
from blinkd.vision.face import Face

Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {  # BGR; each state also has its word, never the colour alone
    "tracking": (255, 200, 0),
    "challenged": (0, 200, 255),
    "accepted": (80, 200, 60),
    "refused": (60, 60, 230),
}
ARM = 0.22  # length of a corner's arm, as a share of the box's side
TEXT_HEIGHT = 24.0  # pixels of frame height per unit of font scale, divided by 20 below


def draw(image: Image, face: Face | None, state: str, caption: str) -> Image:
    """Return a copy with corner brackets round the face, its score, the state and a caption.

    image: uint8 (H, W, 3) BGR, left as it is. state: a key of COLOURS (others are drawn as tracking). Text that the font cannot
    draw (it knows ASCII only) is shown as question marks.
    """
    out = np.array(image)
    colour = COLOURS.get(state, COLOURS["tracking"])
    height = out.shape[0]
    scale = max(0.4, height / 20 / TEXT_HEIGHT)
    thick = max(1, round(height / 240))
    if face is not None:
        x, y, w, h = (round(value) for value in face.bbox)
        arm = max(4, round(ARM * min(w, h)))
        for cx, dx in ((x, 1), (x + w, -1)):
            for cy, dy in ((y, 1), (y + h, -1)):
                cv2.line(out, (cx, cy), (cx + dx * arm, cy), colour, thick * 2, cv2.LINE_AA)
                cv2.line(out, (cx, cy), (cx, cy + dy * arm), colour, thick * 2, cv2.LINE_AA)
        _text(out, f"{face.score:.2f}", (x, max(12, y - 6)), scale * 0.8, colour, thick)
    _text(out, state, (8, round(height * 0.06)), scale, colour, thick)
    _text(out, caption, (8, height - round(height * 0.03)), scale, (255, 255, 255), thick)
    return out


def _text(image: Image, text: str, at: tuple[int, int], scale: float, colour: Colour, thick: int) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(image, plain, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thick * 3, cv2.LINE_AA)
    cv2.putText(image, plain, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)
