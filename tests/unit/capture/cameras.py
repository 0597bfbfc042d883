"""A camera whose behaviour a test decides while it runs."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from blinkd.capture.frame import Frame
from blinkd.capture.live import CameraState, LiveCapture
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings

PATIENCE_S = 10.0  # for conditions that come in milliseconds unless something is broken
INTERVAL_S = 0.005


class Bench:
    """The device behind the sources: plugged in or not, hanging or not, frozen or not, each for all sources opened on it."""

    def __init__(self) -> None:
        self.plugged = True
        self.frozen = False
        self.live = True
        self.go = threading.Event()  # cleared: calls hang
        self.go.set()
        self.stuck = threading.Event()  # a call hangs now
        self.hang_in_open = False
        self.sources: list[BenchCamera] = []
        self.reading = 0  # threads inside a read now
        self.most_reading_one = 0
        self.pictures = 0
        self.stamp: Callable[[], float] = time.monotonic
        self.lock = threading.Lock()

    def source(self) -> "BenchCamera":
        made = BenchCamera(self)
        self.sources.append(made)
        return made

    def pass_or_hang(self) -> None:
        if not self.go.is_set():
            self.stuck.set()
            self.go.wait()
            self.stuck.clear()


class BenchCamera:
    def __init__(self, bench: Bench) -> None:
        self.live = bench.live
        self.name = "bench"
        self.bench = bench
        self.closed = threading.Event()
        self.inside = 0
        self.index = 0

    def open(self) -> None:
        if not self.bench.plugged:
            raise CameraLost("bench: no such device; plug it in")
        if self.bench.hang_in_open:
            self.bench.pass_or_hang()

    def read(self) -> Frame | None:
        with self.bench.lock:
            self.inside += 1
            self.bench.most_reading_one = max(self.bench.most_reading_one, self.inside)
        try:
            self.bench.pass_or_hang()
            time.sleep(INTERVAL_S)  # the exposure of the next frame
            if not self.bench.plugged:
                raise CameraLost("bench: no frame came; unplugged")
            if not self.bench.frozen:
                self.bench.pictures += 1
            image = np.full((60, 80, 3), self.bench.pictures % 251, np.uint8)
            self.index += 1
            return Frame(image, self.bench.stamp(), self.index - 1)
        finally:
            with self.bench.lock:
                self.inside -= 1

    def close(self) -> None:
        self.closed.set()


class Told:
    """Collects what `on_state` is told, and waits for it."""

    def __init__(self) -> None:
        self.states: list[CameraState] = []
        self.changed = threading.Condition()

    def __call__(self, state: CameraState) -> None:
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def wait_for(self, *statuses: str) -> None:
        """Until the last states told are these."""
        with self.changed:
            assert self.changed.wait_for(lambda: [one.status for one in self.states[-len(statuses) :]] == list(statuses), PATIENCE_S), (
                self.states
            )


class ManualClock:
    """Monotonic seconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FastClock:
    """Time that passes so many times as fast as real time does."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._began = time.monotonic()

    def __call__(self) -> float:
        return self._factor * (time.monotonic() - self._began)


@contextmanager
def capturing(
    bench: Bench, told: Told | None = None, clock: Callable[[], float] = time.monotonic, **settings: float | str
) -> Iterator[LiveCapture]:
    wanted = {"stall_timeout_s": 0.3, "reopen_first_s": 0.05, "reopen_max_s": 0.2} | settings
    capture = LiveCapture(bench.source, CameraSettings.model_validate(wanted), told or Told(), clock)
    capture.start()
    try:
        yield capture
    finally:
        bench.go.set()
        capture.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def next_frame(capture: LiveCapture, after: int = -1) -> Frame:
    frame = capture.latest(after, PATIENCE_S)
    assert frame is not None
    return frame
