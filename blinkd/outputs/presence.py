"""How many people are present, and how many check-ins today had: read from the book each time, so that a restart loses nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Protocol

import numpy as np

from blinkd.attendance.reports.report import Site
from blinkd.attendance.reports.stats import needed, today
from blinkd.attendance.shifts.rota import Rota
from blinkd.clock import Clock, microseconds
from blinkd.errors import BlinkdError
from blinkd.store.database import Store


@dataclass(frozen=True, slots=True)
class Presence:
    """present: people whose last punch is a check-in of a shift that still runs; check_ins: since the site's midnight, as they stand after
    corrections; since: that midnight, with the site's offset.
    """  # fmt: skip

    present: int
    check_ins: int
    since: datetime


class Counter(Protocol):
    """Who counts. Both are called from one thread, which need not be the one that made it."""

    def count(self) -> Presence:
        """Now. Raises BlinkdError where the book cannot be read."""

    def close(self) -> None:
        """Let go of the book."""


class BookCounter:
    """Counts in this terminal's book, over a connection of its own."""

    def __init__(self, open_store: Callable[[], Store], rota_of: Callable[[Store], Rota], clock: Clock) -> None:
        """open_store: for reading; rota_of: who works what, by the assignments in a store."""
        self._open = open_store
        self._rota_of = rota_of
        self._clock = clock
        self._store: Store | None = None

    def count(self) -> Presence:
        """Now. Raises BlinkdError where the book cannot be read; the next call opens it again."""
        try:
            if self._store is None:
                self._store = self._open()
            return self._count(self._store)
        except BlinkdError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the book."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _count(self, store: Store) -> Presence:
        now = self._clock.now()
        site = Site("", (), self._rota_of(store))
        first, since, until = needed(site, now)
        punched = store.book.stamps(since, until)
        local = now.utc.astimezone(site.zone)
        found = today(punched, store.rosters.roster(first, local.date(), site.zone), site, {}, now)
        midnight = datetime.combine(local.date(), time.min, tzinfo=site.zone)
        ins = punched.entering & (punched.us >= microseconds(midnight.astimezone(UTC)))
        return Presence(found.in_now, int(np.count_nonzero(ins)), midnight)
