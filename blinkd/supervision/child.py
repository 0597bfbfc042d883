"""Keeps a process of ours running beside the door: it may die as often as it likes, and nobody at the door notices."""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from blinkd.ourselves import COMMAND
from blinkd.supervision.restarts import RestartPolicy, Restarts

STOP_S = 3.0  # from asking it to end until it is killed
SAY_S = 60.0  # between two lines of the log on failures
PR_SET_PDEATHSIG = 1  # prctl(2)
FIRST_TO_GO = "500"  # proc(5), oom_score_adj: as if it used half of the memory more than it does

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Given:
    """What a life of the child is begun with, beside its verb. arguments: of the command line; descriptors: files that stay open in it."""

    arguments: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()


Give = Callable[[], AbstractContextManager[Given]]


def nothing() -> AbstractContextManager[Given]:
    """For a child that needs no more than its settings."""
    return contextlib.nullcontext(Given())


class Child:
    """A child process with a restart policy. Nothing here waits but `stop`; call `look` about once a second."""

    def __init__(
        self,
        name: str,
        verb: Sequence[str],
        policy: RestartPolicy,
        config: Path | None,
        clock: Callable[[], float] = time.monotonic,
        command: Sequence[str] = COMMAND,
        give: Give = nothing,
    ) -> None:
        """name: for the log; verb: the command that it runs, which takes `--parent PID`; config: the settings file that the daemon was started
        with, the environment goes on to the child as it is; give: entered for each life, and left as soon as it has begun or failed to.
        """  # fmt: skip
        shared = [] if config is None else ["--config", str(config)]
        self._name = name
        self._command = [*command, *shared, *verb, "--parent", str(os.getpid())]
        self._give = give
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._restarts = Restarts(policy, clock)
        self._said = float("-inf")
        self._renewing: float | None = None  # since when it has been asked to end, so that another begins

    @property
    def running(self) -> bool:
        """Whether there is a child that has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def failures(self) -> int:
        """In a row."""
        return self._restarts.failures

    def look(self) -> None:
        """Start it where it does not run and the wait is over."""
        if self._child is not None:
            if (code := self._child.poll()) is None:
                if self._renewing is not None and self._clock() - self._renewing >= STOP_S:
                    self._child.kill()
                return
            self._child = None
            if self._renewing is None:
                self._failed(code)
            self._renewing = None
        if self._restarts.due:
            self._start()

    def renew(self) -> None:
        """Let another take its place, which reads the settings anew; it is no failure, and nobody waits for it."""
        if self.running and self._renewing is None:
            self._renewing = self._clock()
            self.ask_to_end()

    def ask_to_end(self) -> None:
        """So that it finishes what it has while others end too."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it one, where there is a child."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(number)

    def stop(self, within_s: float | None = None) -> None:
        """End it: asked first, then killed. within_s: seconds in between, STOP_S without it."""
        if self._child is None:
            return
        self.ask_to_end()
        try:
            self._child.wait(STOP_S if within_s is None else max(within_s, 0))
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _failed(self, code: int) -> None:
        now, wait = self._clock(), self._restarts.failed()
        if now - self._said >= SAY_S:
            log.warning("the %s process has ended (%s); it is started again in %.0f s", self._name, _words(code), wait)
            self._said = now

    def _start(self) -> None:
        try:
            with self._give() as given:
                self._child = subprocess.Popen(  # noqa: S603  our own program
                    [*self._command, *given.arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=given.descriptors
                )
            self._restarts.began()
        except OSError as error:  # no memory, no process or no file left: the door goes on
            self._restarts.failed()
            log.error("the %s process cannot be started: %s", self._name, error.strerror)


def die_with(parent: int) -> None:
    """For the child, first of all: end when the daemon ends, however it ends. parent: the daemon's process number."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os.kill(os.getpid(), signal.SIGTERM)


def go_first() -> None:
    """For a child whose memory others can fill: where there is none left, it ends, and not the door."""
    with contextlib.suppress(OSError):  # where /proc is closed the kernel takes the largest
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")


def _words(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
