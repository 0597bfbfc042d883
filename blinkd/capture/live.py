"""A camera that heals: read by a thread of its own, only the newest frame kept, reopened when lost, and never an old frame taken for live."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from blinkd.capture.frame import Frame, FrameSource
from blinkd.capture.reader import Reader
from blinkd.settings import CameraSettings

FROZEN_S = 1.5  # a sensor's noise never repeats bit by bit; pictures that do for so long come from a stuck driver
FROZEN_CODED_S = 12.0  # of RTSP: its codec repeats a still, dark scene exactly until the next key frame, up to 10 s in cameras that save
OPENING_S = 6.0  # from opening to the first frame; libcamera, USB cameras and network streams may take seconds
HUNG_MOST = 3  # threads that hang in the driver at once; no further opening is tried before one of them returns
CLOSE_WAIT_S = 1.5  # how long `close` waits for the threads; a hung one is left behind, it is a daemon thread
WATCH_S = 0.1  # how often the supervisor looks at the reader
REASONS_MOST = 5  # different reasons told in one outage
JUMP_S = 1.0  # a source's time that goes back by more has a new origin
TICK_S = 1e-6  # smallest step of time between two frames
RATE_WINDOW_S = 1.0  # over about which the measured rate is averaged

Status = Literal["open", "opening", "lost"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraState:
    """The camera at one moment.

    status: opening (at the start, before the first frame or failure), open (frames come), or lost until frames come again. reason: in words,
    without credentials. since: monotonic seconds at which frames began or ceased to come. attempts: openings since the last frame.
    next_try_in_s: delay before the next opening, 0 while one is going on. frames: how many were handed out since the start. fps: frames/s
    measured over about the last second, 0 unless open.
    """

    status: Status
    reason: str
    since: float
    attempts: int
    next_try_in_s: float
    frames: int = 0
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class _Loss:
    reason: str
    frozen: bool = False


class LiveCapture:
    """Supervises one camera: opens it, notices when it is lost, opens it again with doubled delays. Use start, latest and close.

    Lost is: an error of the source; no frame for `stall_timeout_s`; the same picture bit by bit for FROZEN_S. After a frozen picture the
    camera is trusted again only when its picture changes; until then nothing is handed out, and the opened camera is listened to rather
    than left closed, so that a camera in a dark room is back with the first light.
    """

    def __init__(
        self,
        source_factory: Callable[[], FrameSource],
        settings: CameraSettings,
        on_state: Callable[[CameraState], None] = lambda _state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with `start`.

        source_factory: makes a new source for every opening. on_state: told once per change, not per attempt, from the supervisor's thread;
        what it raises is logged, and the camera goes on. clock: monotonic seconds.
        """
        self._factory = source_factory
        self._settings = settings
        self._on_state = on_state
        self._clock = clock
        self._frozen_s = FROZEN_CODED_S if settings.driver == "stream" and not settings.url.lower().startswith("http") else FROZEN_S
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="blinkd-camera-watch", daemon=True)
        self._reader: Reader | None = None
        self._abandoned: list[Reader] = []
        self._newest: Frame | None = None
        self._arrived = 0.0  # when the newest frame came
        self._same_since = 0.0  # since when the picture has been the same, bit by bit
        self._trusted = True
        self._count = 0
        self._last_t = clock()
        self._base: tuple[float, float] | None = None  # the source's time and our time of the same moment
        self._interval: float | None = None  # mean seconds between frames
        self._state = CameraState("opening", "not opened yet", clock(), 0, 0.0)
        self._told: set[str] = set()  # the reasons of this outage that have been told

    @property
    def state(self) -> CameraState:
        """How the camera is now."""
        with self._changed:
            opened = self._state.status == "open"
            return replace(self._state, frames=self._count, fps=1 / self._interval if opened and self._interval else 0.0)

    @property
    def stuck(self) -> bool:
        """Whether it cannot heal in this process: too many reads hang in the driver, or nobody supervises any more."""
        return sum(one.alive for one in self._abandoned) >= HUNG_MOST or not self._supervisor.is_alive()

    def start(self) -> None:
        """Begin; frames come when the camera answers."""
        self._supervisor.start()

    def latest(self, after_index: int, timeout_s: float) -> Frame | None:
        """The newest frame with an index above `after_index`, waiting for it at most so long, else None.

        Never a frame that came longer than `stall_timeout_s` ago. Indexes count from 0 on and, like t (seconds of the clock), go on
        rising when the camera is opened again.
        """
        deadline = time.monotonic() + timeout_s  # the caller's patience is real time
        with self._changed:
            while not self._closing.is_set():
                frame = self._newest
                if frame is not None and frame.index > after_index and self._clock() - self._arrived <= self._settings.stall_timeout_s:
                    return frame
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
        return None

    def close(self) -> None:
        """Stop; returns within two seconds even if the driver hangs. May be called twice, and without `start`."""
        deadline = time.monotonic() + CLOSE_WAIT_S
        self._closing.set()
        with self._changed:
            reader = self._reader
            self._changed.notify_all()
        if reader is not None:
            reader.abandon()
        if self._supervisor.is_alive():
            self._supervisor.join(CLOSE_WAIT_S / 2)
        if reader is not None and reader.alive:
            reader.join(deadline - time.monotonic())

    def _supervise(self) -> None:
        delay = self._settings.reopen_first_s
        while not self._closing.is_set():
            loss, was_open = self._one_opening(delay)
            if self._closing.is_set():
                return
            if was_open:
                delay = self._settings.reopen_first_s
            if loss.frozen:
                self._trusted = False
            # a frozen camera is watched for the length of the delay while it is open, so the pause itself is short
            pause = self._settings.reopen_first_s if loss.frozen else delay
            self._enter("lost", loss.reason, next_try_in_s=pause)
            self._pause(pause)
            delay = min(delay * 2, self._settings.reopen_max_s)

    def _one_opening(self, delay: float) -> tuple[_Loss, bool]:
        """Open once and watch until it is lost; returns why, and whether frames had come that were handed out."""
        self._abandoned = [one for one in self._abandoned if one.alive]
        if len(self._abandoned) >= HUNG_MOST:
            return _Loss(f"{self._abandoned[-1].name}: {HUNG_MOST} reads hang in the driver; unplug the camera, or restart blinkd"), False
        reader = Reader(self._factory, tuple(self._abandoned), self._deliver, self._clock)
        with self._changed:
            self._reader, self._newest, self._base, self._interval = reader, None, None, None
            self._arrived = self._same_since = self._clock()
        before = self._state
        self._enter(*("lost", before.reason) if before.status == "lost" else ("opening", "opening the camera"), attempt=True)
        frozen_s = self._frozen_s if self._trusted else max(self._frozen_s, delay)
        reader.start()
        try:
            return self._watch(reader, frozen_s)
        finally:
            reader.abandon()
            self._abandoned.append(reader)
            with self._changed:
                self._reader = self._newest = None

    def _watch(self, reader: Reader, frozen_s: float) -> tuple[_Loss, bool]:
        stall_s = self._settings.stall_timeout_s
        was_open = False
        while not self._closing.is_set():
            alive = reader.alive  # asked first: once it has ended, every frame that it gave is seen below
            with self._changed:
                if alive:
                    self._changed.wait(WATCH_S)
                now = self._clock()
                silent, frozen, started, opened = now - self._arrived, now - self._same_since, reader.distinct > 0, self._newest is not None
            if opened and not was_open:
                was_open = True
                self._enter("open", reader.name)
            if not alive:
                return _Loss(reader.failure or f"{reader.name}: its thread ended by an error of the program; see the log"), was_open
            if silent > (stall_s if started else max(stall_s, OPENING_S)):
                what = "no frames any more" if started else "opens, but gives no frame"
                return _Loss(f"{reader.name}: {what}; check cable, power and network"), was_open
            if started and frozen > frozen_s:
                return _Loss(
                    f"{reader.name}: gives the same picture again and again; the driver is stuck, or it is pitch dark", True
                ), was_open
        return _Loss("closed"), was_open

    def _pause(self, seconds: float) -> None:
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0 and not self._closing.wait(min(left, WATCH_S)):
            pass

    def _deliver(self, reader: Reader, frame: Frame) -> None:
        """Take a frame, in the reader's thread."""
        with self._changed:
            now = self._clock()
            if reader is not self._reader or self._closing.is_set():
                return  # from an abandoned thread
            if self._newest is not None:
                self._measure(now - self._arrived)
            self._arrived = now
            if not reader.repeated:
                self._same_since = now
            if not self._trusted and reader.distinct < 2:
                return
            self._trusted = True
            self._last_t = self._place(frame.t, now)
            self._newest = replace(frame, t=self._last_t, index=self._count)
            self._count += 1
            self._changed.notify_all()

    def _measure(self, interval: float) -> None:
        if self._interval is None:
            self._interval = interval
        else:
            self._interval += min(1.0, interval / RATE_WINDOW_S) * (interval - self._interval)

    def _place(self, t: float, now: float) -> float:
        """The source's time on our clock: its own intervals kept, always later than the frame before and never later than now.

        Arrival is late by a varying delay; moving the origin back whenever a frame would come from the future leaves the smallest delay.
        """
        ours = None if self._base is None else self._base[1] + t - self._base[0]
        if ours is None or ours > now or now - ours > self._settings.stall_timeout_s or self._last_t - ours > JUMP_S:
            ours = now
            self._base = (t, now)
        return max(ours, self._last_t + TICK_S)

    def _enter(self, status: Status, reason: str, *, next_try_in_s: float = 0.0, attempt: bool = False) -> None:
        """Take a state, and tell it unless it says nothing new, as most attempts while the camera is away."""
        with self._changed:
            before = self._state
            attempts = 0 if status == "open" else before.attempts + attempt
            if status != before.status:
                self._told.clear()
            since = self._clock() if (status == "open") != (before.status == "open") else before.since
            self._state = CameraState(status, reason, since, attempts, next_try_in_s)
            news = reason not in self._told and len(self._told) < REASONS_MOST
            self._told.add(reason)
        log.debug("camera %s: %s (attempt %d, next in %.1f s)", status, reason, attempts, next_try_in_s)
        if news:
            self._tell()

    def _tell(self) -> None:
        try:
            self._on_state(self.state)
        except Exception:  # of whoever listens: supervision must go on, or a lost camera would stay lost
            log.exception("camera: telling of its state failed")
