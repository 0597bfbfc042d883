"""One opening of a camera with its thread: it reads until it is told to stop, or until the source fails.

A driver may hang inside a call for ever, and such a thread cannot be ended. It is abandoned then: it alone knows its source object, what
it still delivers is ignored by whoever gets it, and it closes the source when the call ever returns.
"""

import threading
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from blinkd.capture.frame import Frame, FrameSource, Image
from blinkd.errors import CameraLost, ConfigError, MediaError

LONGEST_PAUSE_S = 1.0  # a recording played as a camera never pauses for longer, or its gaps would look like a lost camera
PACE_STEP_S = 0.05


class Reader:
    """Runs one source in a thread; calls back from that thread."""

    def __init__(
        self,
        factory: Callable[[], FrameSource],
        others: Sequence["Reader"],
        deliver: Callable[["Reader", Frame], None],
        clock: Callable[[], float],
    ) -> None:
        """factory: makes the source, in the thread, for even that may hang. others: abandoned readers whose sources must not be used."""
        self.name = "camera"
        self.source: FrameSource | None = None
        self.failure: str | None = None  # set when the source is closed again
        self.distinct = 0  # how often a picture came that differs from the one before; the first counts
        self.repeated = False  # whether the newest is the same, bit by bit, as the one before
        self._factory = factory
        self._others = others
        self._deliver = deliver
        self._clock = clock
        self._stop = threading.Event()
        self._previous: Image | None = None
        self._paced_from: tuple[float, float] | None = None
        self._thread = threading.Thread(target=self._work, name="blinkd-camera", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def abandon(self) -> None:
        """Ask it to stop after the call it is in."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for it at most so long."""
        self._thread.join(max(0.0, timeout_s))

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def _work(self) -> None:
        failure = None
        try:
            self._read_on()
        except (CameraLost, MediaError, ConfigError) as error:
            failure = str(error)
        except (OSError, cv2.error) as error:  # a driver's own; the text may hold an address with a password, so only its kind is told
            kind = "in OpenCV" if isinstance(error, cv2.error) else type(error).__name__
            failure = f"{self.name}: the driver failed ({kind}); check cable, power and network"
        finally:
            if self.source is not None:
                self.source.close()
        self.failure = failure

    def _read_on(self) -> None:
        source = self._factory()
        if any(other.source is source and other.alive for other in self._others):
            raise CameraLost(f"{source.name}: an earlier read of it still hangs; unplug the camera and plug it in again")
        self.source, self.name = source, source.name
        source.open()
        while not self._stop.is_set():
            frame = source.read()
            if frame is None:
                raise CameraLost(f"{source.name}: has ended")
            if not source.live:
                self._pace(frame.t)
            self.repeated = source.live and self._previous is not None and same(self._previous, frame.image)
            self.distinct += not self.repeated
            self._previous = frame.image
            if not self._stop.is_set():
                self._deliver(self, frame)

    def _pace(self, t: float) -> None:
        """A recording is played at its own speed when it stands in for a camera."""
        now = self._clock()
        if self._paced_from is None:
            self._paced_from = (t, now)
        due = self._paced_from[1] + t - self._paced_from[0]
        if due - now > LONGEST_PAUSE_S:
            due = now + LONGEST_PAUSE_S
            self._paced_from = (t, due)
        while (left := due - self._clock()) > 0 and not self._stop.is_set():
            self._stop.wait(min(left, PACE_STEP_S))


def same(a: Image, b: Image) -> bool:
    """Whether two pictures are equal bit by bit; a coarse sample settles nearly every case in a few microseconds."""
    return a.shape == b.shape and np.array_equal(a[::32, ::32], b[::32, ::32]) and np.array_equal(a, b)
