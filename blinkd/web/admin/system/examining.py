"""Doctor's examination for the System screen: in a thread of its own, for it takes seconds, and kept for a while."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from blinkd.clock import Clock
from blinkd.doctor.check import Check
from blinkd.errors import BlinkdError

KEPT_S = 60.0  # until a look at the screen examines anew

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """checks: what was found when; under_way: another examination runs; trouble: why it ended early."""

    checks: tuple[Check, ...] = ()
    at: datetime | None = None
    under_way: bool = False
    trouble: str = ""


class Examining:
    """One at a time."""

    def __init__(self, examine: Callable[[], Iterable[Check]], clock: Clock) -> None:
        self._examine = examine
        self._clock = clock
        self._lock = threading.Lock()
        self._found = Found()
        self._done_s = float("-inf")

    def look(self, *, anew: bool = False) -> Found:
        """What there is; begins an examination where that is old, or `anew` says so."""
        with self._lock:
            old = self._clock.monotonic() - self._done_s >= KEPT_S
            if (old or anew) and not self._found.under_way:
                self._found = Found(self._found.checks, self._found.at, under_way=True)
                threading.Thread(target=self._run, name="blinkd-doctor", daemon=True).start()
            return self._found

    def state(self) -> Found:
        """What there is; begins nothing."""
        with self._lock:
            return self._found

    def _run(self) -> None:
        checks: list[Check] = []
        trouble = ""
        try:
            checks.extend(self._examine())
        except BlinkdError as error:
            trouble = str(error)
        except OSError as error:
            log.exception("the examination ended early")
            trouble = str(error)
        finally:
            with self._lock:
                self._found = Found(tuple(checks), self._clock.now().utc, trouble=trouble)
                self._done_s = self._clock.monotonic()
