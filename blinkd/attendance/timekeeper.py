"""Watches the clock: once it can be trusted, says in the book what the time of this boot's earlier punches really was."""

from collections.abc import Mapping
from typing import Any, Protocol

from blinkd.clock import Clock, Instant, microseconds


class ClockBook(Protocol):
    """The book, as the timekeeper needs it."""

    def unsynced(self, boot_id: str) -> bool:
        """Whether a punch of that boot has an untrusted time and no clock entry after it."""

    def append(self, kind: str, members: Mapping[str, Any], now: Instant, note: str | None = None) -> int:
        """Add an entry; returns its number."""


class Timekeeper:
    """Looks at every chance that the daemon or the clerk gives it; a look costs one search in an index."""

    def __init__(self, book: ClockBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def look(self) -> bool:
        """Append a clock entry when the clock is trusted and a punch of this boot is waiting for that. Raises StoreError.

        The entry pairs the boot clock, which nobody sets, with the true time at one moment; the wall clock may have been stepped in
        between as often as it likes. Returns whether one was appended.
        """
        now = self._clock.now()
        if now.confidence != "synced" or not self._book.unsynced(now.boot_id):
            return False
        mark = {"boot_id": now.boot_id, "boot_us": round(now.boot_s * 1_000_000), "us": microseconds(now.utc)}
        self._book.append("clock", mark, now)
        return True
