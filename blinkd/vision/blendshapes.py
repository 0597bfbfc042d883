"""MediaPipe's blendshapes: how far each muscle of the face is moved, from the landmarks alone."""

from blinkd.vision.face import Face
from blinkd.vision.litert import LiteNetwork

# The landmarks that the network was trained on, in its order (MediaPipe, face_blendshapes_graph).
SUBSET = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80, 81, 82, 84, 87),
    *(88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160),
    *(161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284),
    *(285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362),
    *(365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454),
    *(466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477),
)
EYE_BLINK_LEFT, EYE_BLINK_RIGHT = 9, 10  # places in the output


class Blendshapes:
    """The network; about half a millisecond a face."""

    def __init__(self, network: LiteNetwork) -> None:
        self._network = network

    def eyes_closed(self, face: Face) -> float:
        """How far both eyes are closed, 0..1: the mean of the two blink shapes."""
        outputs = self._network.run(face.landmarks[list(SUBSET), :2][None])
        shapes = next(iter(outputs.values())).ravel()
        return float(shapes[EYE_BLINK_LEFT] + shapes[EYE_BLINK_RIGHT]) / 2
