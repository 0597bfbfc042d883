"""The pictures of the mirror view: a thread that takes the newest frame only, and works only while somebody reads."""

import contextlib
import fcntl
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2

from blinkd.capture.frame import Frame
from blinkd.outputs.channel import PictureInfo, head_of
from blinkd.settings import KioskSettings

CLOSE_WAIT_S = 0.3
FINE_PX, FINE_QUALITY = 1280, 92  # as large as most cameras give, and coarser by less than their own noise
LEAST_PIPE_BYTES = (
    4096  # rounded up to a page by the kernel: so little that a picture nobody fetches blocks the next, which is then not made
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A frame, and what is to be said of it."""

    frame: Frame
    box: tuple[float, float, float, float] | None
    state: str
    hint: str
    mirrored: bool
    fine: bool = False  # templates are made of it


class Mirror:
    """Writes pictures into a pipe. Nobody who calls waits for it."""

    def __init__(self, settings: KioskSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with `attach`. clock: monotonic seconds."""
        self._settings = settings
        self._clock = clock
        self._changed = threading.Condition()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._next: int | None = None  # descriptor that takes the place of the one in use
        self._replaced = self._closing = False
        self._shot: Shot | None = None
        self._sent = 0  # pictures that were written whole
        self._thread = threading.Thread(target=self._run, name="blinkd-mirror", daemon=True)

    @property
    def sent(self) -> int:
        """How many pictures have been written."""
        return self._sent

    def renew(self, settings: KioskSettings) -> None:
        """By other settings from the next picture on."""
        self._settings = settings

    def attach(self, descriptor: int | None) -> None:
        """Write into this pipe from now on, and close the one before; None: into none."""
        with self._changed:
            if self._next is not None:
                os.close(self._next)
            self._next, self._replaced = descriptor, True
            if not self._thread.is_alive() and not self._closing:
                self._thread.start()
            self._ring()

    def show(self, shot: Shot) -> None:
        """The newest frame."""
        with self._changed:
            self._shot = shot
            self._changed.notify()

    def close(self) -> None:
        """Let go of everything. May be called twice."""
        with self._changed:
            self._closing = True
            self._ring()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WAIT_S)

    def _ring(self) -> None:
        os.eventfd_write(self._wake, 1)
        self._changed.notify()

    # --- its thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        descriptor: int | None = None
        due = 0.0
        while True:
            with self._changed:
                if self._replaced or self._closing:
                    _close(descriptor)
                    descriptor, self._next, self._replaced = self._next, None, False
                    with contextlib.suppress(BlockingIOError):
                        os.eventfd_read(self._wake)
                if self._closing:
                    _close(descriptor)
                    return
                if descriptor is None:
                    self._changed.wait()
                    continue
            try:
                if self._writable(descriptor) and (shot := self._take(due)) is not None:
                    due = self._clock() + 1 / self._settings.fps
                    self._write(descriptor, self._coded(shot))
            except OSError:  # its reader has ended
                _close(descriptor)
                descriptor = None
            except cv2.error as error:
                log.warning("a picture cannot be coded: %s", error)

    def _writable(self, descriptor: int) -> bool:
        """Wait until somebody has read all there was; False where there is something else to be done. Raises OSError."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        poll.register(self._wake, select.POLLIN)
        found = dict(poll.poll())
        if self._wake in found:
            return False
        if found.get(descriptor, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            raise BrokenPipeError
        return True

    def _take(self, due: float) -> Shot | None:
        """The newest frame, waiting for it, and for the time at which the next picture is due."""
        with self._changed:
            while not (self._closing or self._replaced):
                wait = due - self._clock()
                if self._shot is not None and wait <= 0:
                    shot, self._shot = self._shot, None
                    return shot
                self._changed.wait(wait if wait > 0 else None)
        return None

    def _coded(self, shot: Shot) -> bytes:
        image = shot.frame.image
        height, width = image.shape[:2]
        longest, quality = (FINE_PX, FINE_QUALITY) if shot.fine else (self._settings.picture_px, self._settings.jpeg_quality)
        if (scale := longest / max(height, width)) < 1:
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        jpeg = coded.tobytes()
        info = PictureInfo(round(shot.frame.t, 4), width, height, shot.box, shot.state, shot.hint, shot.mirrored)
        return head_of(info, len(jpeg)) + jpeg

    def _write(self, descriptor: int, whole: bytes) -> None:
        left = memoryview(whole)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:
                if not self._writable(descriptor):
                    if not (self._closing or self._replaced):
                        with contextlib.suppress(BlockingIOError):
                            os.eventfd_read(self._wake)
                        continue
                    return
        self._sent += 1


def small_pipe(descriptor: int) -> None:
    """Let a pipe hold as little as the kernel allows."""
    with contextlib.suppress(OSError):  # it holds more then: some old pictures, which their reader knows by their time
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, LEAST_PIPE_BYTES)


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
