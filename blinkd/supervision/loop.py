"""The loop of the terminal: frames in, events out, signs of life to systemd for work that was really done."""

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from threading import Event as Flag
from typing import Protocol

from blinkd.capture.frame import Frame
from blinkd.capture.live import CameraState
from blinkd.errors import KeyMissing, StoreError
from blinkd.session.events import Event
from blinkd.supervision.notify import Notifier
from blinkd.supervision.vision import Vision

FRAME_WAIT_S = 0.5  # how long the loop waits for a frame before it looks whether it shall stop
LOOK_S = 1.0  # between looks at everything else

log = logging.getLogger(__name__)


class Capture(Protocol):
    """The camera; LiveCapture behaves so."""

    @property
    def state(self) -> CameraState:
        """How it is."""

    @property
    def stuck(self) -> bool:
        """Whether only a new process can help."""

    def latest(self, after_index: int, timeout_s: float) -> Frame | None:
        """The newest frame."""


class Entry(Protocol):
    """PINs and badges; entry.Entry behaves so."""

    def see(self, frame: Frame) -> None:
        """A frame, on which a badge may be."""

    def poll(self) -> list[Event]:
        """What has been decided since the last call."""


class Loop:
    """One thread's work. The door is opened by `report`, so nothing slow may stand before it."""

    def __init__(
        self,
        capture: Capture,
        vision: Vision,
        entry: Entry | None,
        report: Callable[[list[Event]], None],
        look: Callable[[], None],
        ready: Callable[[], None],
        notifier: Notifier,
        show: Callable[[Frame], None] = lambda _frame: None,
        aside: Callable[[], bool] = lambda: False,
    ) -> None:
        """report: is handed the events of each frame; look: called about once a second; ready: once, when a frame has been looked at and the
        store takes what it is given; show: is handed each frame when it has been looked at; aside: whether no face is to be decided about now,
        which the look may change.
        """  # fmt: skip
        self._capture = capture
        self._vision = vision
        self._entry = entry
        self._report = report
        self._look = look
        self._ready: Callable[[], None] | None = ready
        self._notifier = notifier
        self._show = show
        self._aside = aside
        self.t = 0.0  # of the last frame, in seconds on the camera's time line
        self._troubles: dict[str, str] = {}  # the store's last complaint at each kind of work

    @property
    def trouble(self) -> str:
        """What the store complains of; empty while it takes what it is given."""
        return next(iter(self._troubles.values()), "")

    def run(self, stop: Flag) -> None:
        """Until told to stop. Raises VisionFailed."""
        after, looked = -1, -math.inf
        while not stop.is_set():
            frame = self._capture.latest(after, FRAME_WAIT_S)
            if self._entry is not None:
                self._carefully("entry", partial(self._enter, self._entry, frame))
            if time.monotonic() - looked >= LOOK_S:
                self._carefully("look", self._look)
                looked = time.monotonic()
            if frame is not None:
                after, self.t = frame.index, frame.t
                self._carefully("frame", partial(self._process, frame))
                self._show(frame)
                if self._vision.works:
                    self._notifier.alive()
                    if not self.trouble:
                        self._be_ready()
            elif self._capture.state.status == "lost":
                self._interrupt(self.t)
                if not self._capture.stuck:
                    self._notifier.alive()  # a camera that is unplugged is not mended by a new process
        self._interrupt(self.t)

    def _enter(self, entry: Entry, frame: Frame | None) -> None:
        if frame is not None:
            entry.see(frame)
        self._report(entry.poll())

    def _process(self, frame: Frame) -> None:
        # PINs and badges go on: whoever uses one is not the face that is being registered
        self._report(self._vision.stand_aside(frame.t) if self._aside() else self._vision.process(frame))

    def _interrupt(self, t: float) -> None:
        self._carefully("frame", lambda: self._report(self._vision.interrupt(t)))

    def _be_ready(self) -> None:
        if self._ready is not None:
            self._ready()
            self._ready = None

    def _carefully(self, kind: str, work: Callable[[], None]) -> None:
        """A store that does not take a record lets nobody in, but must not end the daemon: it may have room again in a minute.

        The session stays open meanwhile, so the next frame tries again. Said once for each new reason.
        """
        try:
            work()
        except (StoreError, KeyMissing) as error:
            if str(error) != self._troubles.get(kind):
                log.error("%s", error)
            self._troubles[kind] = str(error)
        else:
            self._troubles.pop(kind, None)
