"""Keeps the sync process running beside the door: it may die as often as it likes, and nobody at the door notices."""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from blinkd.sync.backoff import Backoff

FIRST_WAIT_S, MOST_WAIT_S, LEAST_WAIT_S = 2.0, 300.0, 1.0
GOOD_S = 600.0  # a life of this length makes the next failure the first one again
STOP_S = 3.0  # from asking it to end until it is killed
SAY_S = 60.0  # between two lines of the log on failures
PR_SET_PDEATHSIG = 1  # prctl(2)

log = logging.getLogger(__name__)


class SyncProcess:
    """A child process with a restart policy. Nothing here waits but `stop`; call `look` about once a second."""

    def __init__(
        self,
        config: Path | None,
        clock: Callable[[], float] = time.monotonic,
        command: Sequence[str] = (sys.executable, "-m", "blinkd"),
    ) -> None:
        """config: the settings file that the daemon was started with; the environment goes on to the child as it is."""
        self._command = [*command, *([] if config is None else ["--config", str(config)]), "sync", "run", "--parent", str(os.getpid())]
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff(FIRST_WAIT_S, MOST_WAIT_S, LEAST_WAIT_S)
        self._began = 0.0
        self._next = float("-inf")
        self._said = float("-inf")

    @property
    def running(self) -> bool:
        """Whether there is a child that has not ended."""
        return self._child is not None and self._child.poll() is None

    def look(self) -> None:
        """Start it where it does not run and the wait is over."""
        now = self._clock()
        if self._child is not None:
            if (code := self._child.poll()) is None:
                return
            if now - self._began >= GOOD_S:
                self._backoff.reset()
            self._next = now + self._backoff.next_s()
            self._child = None
            if now - self._said >= SAY_S:
                log.warning("the sync process has ended (%s); it is started again in %.0f s", _words(code), self._next - now)
                self._said = now
        if now >= self._next:
            self._start(now)

    def stop(self) -> None:
        """End it: asked first, then killed."""
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _start(self, now: float) -> None:
        try:
            self._child = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603  our own program
            self._began = now
        except OSError as error:  # no memory, no process left: the door goes on
            self._next = now + self._backoff.next_s()
            log.error("the sync process cannot be started: %s", error.strerror)


def die_with(parent: int) -> None:
    """For the child, first of all: end when the daemon ends, however it ends. parent: the daemon's process number."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os.kill(os.getpid(), signal.SIGTERM)


def _words(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
