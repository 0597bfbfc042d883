"""The day's upkeep beside the door: in a thread and by a connection of its own, so that no frame waits for it."""

import logging
import math
import threading
import time
from collections.abc import Callable

from blinkd.errors import BlinkdError
from blinkd.upkeep import Done

RETRY_S = 3600.0  # after one that failed

log = logging.getLogger(__name__)


class Daily:
    """At most one at a time. work: does it, asking its argument between portions whether to go on."""

    def __init__(self, work: Callable[[Callable[[], bool]], Done], clock: Callable[[], float] = time.monotonic) -> None:
        self._work = work
        self._clock = clock
        self._tried = -math.inf
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def look(self, due: Callable[[], bool]) -> None:
        """Begin where it is due, and was not tried a moment ago."""
        if self._clock() - self._tried >= RETRY_S and due():
            self._tried = self._clock()
            self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
            self._thread.start()

    def ask_to_end(self) -> None:
        """It leaves off between two portions."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for it at most so long."""
        if self._thread is not None:
            self._thread.join(max(seconds, 0))

    def _run(self) -> None:
        try:
            done = self._work(lambda: not self._stop.is_set())
        except BlinkdError as error:
            log.error("upkeep: %s", error)
        else:
            log.info(
                "upkeep: erased %d scans and %d punches; %s", done.scans, done.punches, "; ".join(done.notes) or "the database is sound"
            )
