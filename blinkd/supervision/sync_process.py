"""Keeps the sync process running beside the door: it may die as often as it likes, and nobody at the door notices."""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from blinkd.ourselves import COMMAND
from blinkd.supervision.restarts import RestartPolicy, Restarts

POLICY = RestartPolicy(first_wait_s=2.0, most_wait_s=300.0, least_wait_s=1.0, good_s=600.0)  # for ever: what waits must go out some day
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
        command: Sequence[str] = COMMAND,
    ) -> None:
        """config: the settings file that the daemon was started with; the environment goes on to the child as it is."""
        self._command = [*command, *([] if config is None else ["--config", str(config)]), "sync", "run", "--parent", str(os.getpid())]
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._restarts = Restarts(POLICY, clock)
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
            wait = self._restarts.failed()
            self._child = None
            if now - self._said >= SAY_S:
                log.warning("the sync process has ended (%s); it is started again in %.0f s", _words(code), wait)
                self._said = now
        if self._restarts.due:
            self._start()

    @property
    def failures(self) -> int:
        """In a row."""
        return self._restarts.failures

    def ask_to_end(self) -> None:
        """So that it flushes what it has while others end too."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGTERM)

    def stop(self, within_s: float = STOP_S) -> None:
        """End it: asked first, then killed."""
        if self._child is None:
            return
        self.ask_to_end()
        try:
            self._child.wait(max(within_s, 0))
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _start(self) -> None:
        try:
            self._child = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603  our own program
            self._restarts.began()
        except OSError as error:  # no memory, no process left: the door goes on
            self._restarts.failed()
            log.error("the sync process cannot be started: %s", error.strerror)


def die_with(parent: int) -> None:
    """For the child, first of all: end when the daemon ends, however it ends. parent: the daemon's process number."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os.kill(os.getpid(), signal.SIGTERM)


def _words(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
