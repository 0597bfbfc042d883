"""A camera read by a thread of its own that keeps only the newest frame, and that never lets an old one pass for live.

The driver may hang inside a read for ever. Such a thread cannot be stopped, so it is abandoned: it holds its own source object, what
it still delivers is ignored, and a new thread opens the device again.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from blinkd.capture.frame import Frame, FrameSource, Image
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings

FROZEN_S = 1.5  # a sensor's noise never repeats bit by bit; pictures that do for so long come from a stuck driver
CLOSE_WAIT_S = 1.5  # how long `close` waits for the reader; a hung one is left behind, it is a daemon thread
WATCH_S = 0.1  # how often the supervisor looks at the reader
CLOCK_SLACK_S = 1e-6

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraState:
    """reason: in words; since: monotonic seconds of the last change; attempts: openings since the last frame; next_try_in_s: 0 unless lost."""

    status: Literal["opening", "open", "lost"]
    reason: str
    since: float
    attempts: int
    next_try_in_s: float


class _Reader:
    """One opening of the device, with its thread."""

    def __init__(self, source: FrameSource, deliver: Callable[["_Reader", Frame], None], fail: Callable[["_Reader", str], None]) -> None:
        self._source = source
        self._deliver = deliver
        self._fail = fail
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._work, name="blinkd-camera", daemon=True)

    def abandon(self) -> None:
        self._stop.set()

    def _work(self) -> None:
        try:
            self._source.open()
            while not self._stop.is_set():
                frame = self._source.read()
                if frame is None:
                    raise CameraLost(f"{self._source.name}: the stream has ended")
                self._deliver(self, frame)
        except CameraLost as error:
            self._fail(self, str(error))
        finally:
            self._source.close()


class LiveCapture:
    """Supervises one camera: opens it, notices within two seconds when it is lost, opens it again with growing delays."""

    def __init__(
        self,
        source_factory: Callable[[], FrameSource],
        settings: CameraSettings,
        on_state: Callable[[CameraState], None] = lambda _state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._factory = source_factory
        self._settings = settings
        self._on_state = on_state
        self._clock = clock
        self._changed = threading.Condition()
        self._reader: _Reader | None = None
        self._newest: Frame | None = None
        self._arrived = 0.0  # when the newest frame came
        self._count = 0
        self._last_t = 0.0
        self._base: tuple[float, float] | None = None  # source time and own time of an opening's first frame
        self._same_since = 0.0  # since when the picture has been the same, bit by bit
        self._failure: str | None = None
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="blinkd-camera-watch", daemon=True)
        self.state = CameraState("opening", "not opened yet", clock(), 0, 0.0)

    def start(self) -> None:
        """Begin; frames come when the camera answers."""
        self._supervisor.start()

    def latest(self, after_index: int, timeout_s: float) -> Frame | None:
        """The newest frame with an index above `after_index`, waiting at most so long; None rather than one older than the stall time."""
        deadline = self._clock() + timeout_s
        with self._changed:
            while True:
                frame = self._newest
                fresh = frame is not None and self._clock() - self._arrived <= self._settings.stall_timeout_s
                if frame is not None and fresh and frame.index > after_index:
                    return frame
                left = deadline - self._clock()
                if left <= 0 or self._closing.is_set():
                    return None
                self._changed.wait(min(left, WATCH_S))

    def close(self) -> None:
        """Stop; returns within two seconds even if the driver hangs."""
        self._closing.set()
        with self._changed:
            reader = self._reader
            self._changed.notify_all()
        if reader is not None:
            reader.abandon()
        if self._supervisor.is_alive():
            self._supervisor.join(CLOSE_WAIT_S)
        if reader is not None:
            reader.thread.join(CLOSE_WAIT_S / 3)

    def _supervise(self) -> None:
        delay = self._settings.reopen_first_s
        while not self._closing.is_set():
            frames_before = self._count
            reason = self._one_opening()
            if self._closing.is_set():
                return
            if self._count > frames_before:
                delay = self._settings.reopen_first_s
            self._publish("lost", reason, attempts=self.state.attempts, next_try_in_s=delay)
            self._closing.wait(delay)
            delay = min(delay * 2, self._settings.reopen_max_s)

    def _one_opening(self) -> str:
        """Open once and watch until it is lost; returns why."""
        began = self._clock()
        try:
            source = self._factory()
        except CameraLost as error:
            return str(error)
        reader = _Reader(source, self._deliver, self._fail)
        with self._changed:
            self._reader, self._failure, self._base, self._newest = reader, None, None, None
            self._arrived = self._same_since = began
        self._publish("opening", source.name, attempts=self.state.attempts + 1, next_try_in_s=0.0)
        reader.thread.start()
        try:
            while not self._closing.is_set():
                failure, opened, silent, frozen = self._observe()
                if failure is not None:
                    return failure
                if silent > self._settings.stall_timeout_s and (opened or silent > 3 * self._settings.stall_timeout_s):
                    return f"{source.name}: no frame for {silent:.1f} s; check cable and power"
                if opened and frozen > FROZEN_S:
                    return f"{source.name}: the same picture, bit by bit, for {frozen:.1f} s; the driver is stuck"
                if opened and self.state.status != "open":
                    self._publish("open", source.name, attempts=0, next_try_in_s=0.0)
            return "closed"
        finally:
            reader.abandon()
            with self._changed:
                self._reader = self._newest = None

    def _observe(self) -> tuple[str | None, bool, float, float]:
        """Wait a moment; returns why the reader failed, whether it has delivered, and for how long it has been silent and frozen."""
        with self._changed:
            self._changed.wait(WATCH_S)
            now = self._clock()
            return self._failure, self._newest is not None, now - self._arrived, now - self._same_since

    def _deliver(self, reader: _Reader, frame: Frame) -> None:
        now = self._clock()
        with self._changed:
            if reader is not self._reader:
                return  # from an abandoned thread
            if self._newest is None or not _same(self._newest.image, frame.image):
                self._same_since = now
            # frames are numbered and timed across openings: the source's own intervals, never going back
            if self._base is None:
                self._base = (frame.t, max(now, self._last_t + CLOCK_SLACK_S))
            t = max(self._base[1] + frame.t - self._base[0], self._last_t + CLOCK_SLACK_S)
            self._newest = replace(frame, t=t, index=self._count)
            self._last_t = t
            self._count += 1
            self._arrived = now
            self._changed.notify_all()

    def _fail(self, reader: _Reader, reason: str) -> None:
        with self._changed:
            if reader is self._reader:
                self._failure = reason
                self._changed.notify_all()

    def _publish(self, status: Literal["opening", "open", "lost"], reason: str, *, attempts: int, next_try_in_s: float) -> None:
        before = self.state
        self.state = CameraState(status, reason, self._clock(), attempts, next_try_in_s)
        # opening and losing alternate for as long as the camera is away; say so once
        if (status == "open") != (before.status == "open") or (status == "lost" and before.reason != reason and attempts <= 1):
            self._on_state(self.state)


def _same(a: Image, b: Image) -> bool:
    """Whether two pictures are equal bit by bit; a coarse sample settles nearly every case."""
    return a.shape == b.shape and np.array_equal(a[::32, ::32], b[::32, ::32]) and np.array_equal(a, b)
