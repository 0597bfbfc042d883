"""The device that types, read by a thread of its own: the kernel keeps few keys, and readers are quick."""

import errno
import fcntl
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from blinkd.entry.keys import Key, KeyDecoder
from blinkd.errors import ReaderLost

GRAB = 0x40044590  # EVIOCGRAB of linux/input.h: nobody else gets the keys, or a PIN would end up at the login of a console
READ_BYTES = 24 * 64
MOST_KEYS = 1000  # that wait; whoever plugs in a machine that types must not fill the memory
AGAIN_FIRST_S, AGAIN_MOST_S = 0.5, 10.0  # before it is opened again, doubled each time
CLOSE_WAIT_S = 0.5

log = logging.getLogger(__name__)


class KeyDevice:
    """One opening of the device."""

    def __init__(self, path: Path) -> None:
        """Open and take it for this program alone. Raises ReaderLost."""
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ReaderLost(f"{path}: cannot be opened: {error.strerror}; {_remedy(error)}") from None
        try:
            fcntl.ioctl(self._descriptor, GRAB, 1)
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):  # a pipe has nobody else who could read it
                os.close(self._descriptor)
                raise ReaderLost(f"{path}: cannot be had alone: {error.strerror}; stop the other program that uses it") from None

    def read(self, wake: int) -> bytes:
        """What has come, waiting for it or for something on the descriptor `wake`. Raises ReaderLost when it is gone."""
        try:
            ready, _, _ = select.select([self._descriptor, wake], [], [])
            if self._descriptor not in ready:
                return b""
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise ReaderLost(f"{self._path}: is gone ({error.strerror}); plug it in again") from None
        if not data:
            raise ReaderLost(f"{self._path}: gives nothing more; plug it in again")
        return data

    def close(self) -> None:
        """Others may have it again."""
        os.close(self._descriptor)


class KeyReader:
    """Opens the device, and opens it again when it was lost; `typed` hands out the keys."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        """Begin at once. now: monotonic seconds, with which keys are handed out."""
        self._path = path
        self._now = now
        self._keys: deque[tuple[float, Key]] = deque(maxlen=MOST_KEYS)
        self._changed = threading.Condition()
        self._failure: str | None = f"{path}: not opened yet"
        self._closing = False
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._run, name="blinkd-entry", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str:
        """Why it does not work; empty while it does."""
        with self._changed:
            return self._failure or ""

    def typed(self) -> list[tuple[float, Key]]:
        """What was typed since the last call, and when it came."""
        with self._changed:
            taken = list(self._keys)
            self._keys.clear()
        return taken

    def wait(self, seconds: float) -> None:
        """Until there are keys or the state changes, for tests and who has nothing else to do."""
        with self._changed:
            if not self._keys:
                self._changed.wait(seconds)

    def close(self) -> None:
        """Give the device back. May be called twice."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        os.write(self._woken, b"x")
        self._thread.join(CLOSE_WAIT_S)
        if not self._thread.is_alive():  # else it may still look at them
            os.close(self._wake)
            os.close(self._woken)

    def _run(self) -> None:
        wait = AGAIN_FIRST_S
        while not self._closing:
            try:
                device = KeyDevice(self._path)
            except ReaderLost as error:
                self._tell(str(error))
            else:
                self._tell(None)
                wait = AGAIN_FIRST_S
                self._listen(device)
            with self._changed:
                if not self._closing:
                    self._changed.wait(wait)
            wait = min(wait * 2, AGAIN_MOST_S)

    def _listen(self, device: KeyDevice) -> None:
        decoder = KeyDecoder()
        try:
            while not self._closing:
                keys = decoder.feed(device.read(self._wake))
                with self._changed:
                    self._keys.extend((self._now(), key) for key in keys)
                    if keys:
                        self._changed.notify_all()
        except ReaderLost as error:
            self._tell(str(error))
        finally:
            device.close()

    def _tell(self, failure: str | None) -> None:
        with self._changed:
            news, self._failure = failure != self._failure, failure
            self._changed.notify_all()
        if news and failure is not None:
            log.warning("%s", failure)
        elif news:
            log.info("%s: keypad or reader at work", self._path)


def _remedy(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "put the user of the service into the group input"
    return "look at the cable, and at entry.device: ls /dev/input/by-id"
