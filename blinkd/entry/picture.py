"""A badge as a picture: the QR code that the lens reads."""

import cv2
import numpy as np

MODULE_PX = 12  # of the picture of a badge: printed 3 cm wide it has more than 300 dots an inch
QUIET_MODULES = 2  # of white around it, besides the two that OpenCV leaves: four are the norm (ISO/IEC 18004)


def picture_of(code: str) -> bytes:
    """A PNG of the QR code."""
    wanted = cv2.QRCodeEncoder.Params()
    wanted.correction_level, wanted.mode = cv2.QRCodeEncoder_CORRECT_LEVEL_M, cv2.QRCodeEncoder_MODE_ALPHANUMERIC
    modules = np.pad(cv2.QRCodeEncoder.create(wanted).encode(code), QUIET_MODULES, constant_values=255)
    _, data = cv2.imencode(".png", np.kron(modules, np.ones((MODULE_PX, MODULE_PX), np.uint8)))
    return data.tobytes()
