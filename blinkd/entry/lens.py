"""Badges that are shown to the terminal's own camera: a look now and then, by a thread of its own, so that no face waits for it."""

import threading
from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Frame
from blinkd.crypto.pins import BADGE_PREFIX
from blinkd.entry.typing import CodeRead

WIDTH = 640  # pixels of the picture that is looked at; a badge of 3 cm at 30 cm has 60 or more of them
SAME_S = 5.0  # a badge that is still held there is not shown again
CLOSE_WAIT_S = 0.5
Grey = npt.NDArray[np.uint8]


class Lens:
    """`see` every frame; `codes` hands out the badges."""

    def __init__(self, every_ms: int) -> None:
        """Begin at once."""
        self._every_s = every_ms / 1000
        self._due = float("-inf")
        self._changed = threading.Condition()
        self._waiting: tuple[float, Grey] | None = None
        self._busy = self._closing = False
        self._found: deque[CodeRead] = deque(maxlen=1)
        self._last: tuple[str, float] = ("", float("-inf"))
        self._thread = threading.Thread(target=self._run, name="blinkd-lens", daemon=True)
        self._thread.start()

    def see(self, frame: Frame) -> None:
        """Take a frame if it is time for one and the one before is done."""
        with self._changed:
            if frame.t < self._due or self._busy or self._closing:
                return
            self._due, self._busy = frame.t + self._every_s, True
            self._waiting = (frame.t, _grey(frame))
            self._changed.notify_all()

    def codes(self) -> list[CodeRead]:
        """What was shown since the last call."""
        with self._changed:
            taken = list(self._found)
            self._found.clear()
        return taken

    def rest(self, seconds: float) -> bool:
        """Wait until no look is going on, for tests; False when that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, seconds)

    def close(self) -> None:
        """May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_WAIT_S)

    def _run(self) -> None:
        detector = cv2.QRCodeDetector()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closing)
                if self._closing or self._waiting is None:
                    return
                (t, picture), self._waiting = self._waiting, None
            code = read_code(detector, picture)
            with self._changed:
                if code is not None:
                    shown, when = self._last
                    if code != shown or t - when > SAME_S:
                        self._found.append(CodeRead(code))
                    self._last = (code, t)
                self._busy = False
                self._changed.notify_all()


def read_code(detector: cv2.QRCodeDetector, picture: Grey) -> str | None:
    """The badge's code in a grey picture (height, width), None where there is none."""
    try:
        text, _, _ = detector.detectAndDecode(picture)
    except (cv2.error, UnicodeDecodeError):  # of what only looked like a code
        return None
    return text if text.startswith(BADGE_PREFIX) else None


def _grey(frame: Frame) -> Grey:
    grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    if width > WIDTH:
        grey = cv2.resize(grey, (WIDTH, round(height * WIDTH / width)), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
