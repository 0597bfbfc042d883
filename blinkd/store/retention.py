"""Shortens the scan log and the book to the days that the settings allow; portion by portion, so that the door never waits."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from peewee import SqliteDatabase

from blinkd.clock import Instant, microseconds
from blinkd.settings import PrivacySettings
from blinkd.store.book import BookRepository
from blinkd.store.scans import ScanLog

PORTION = 2_000  # entries erased in one transaction: some tens of milliseconds


@dataclass(frozen=True, slots=True)
class Erased:
    """scans, punches: how many; why_not: in words, when nothing could be erased."""

    scans: int
    punches: int
    why_not: str | None = None


class Retention:
    """Goes by sequence: what a clock in 1970 recorded is as old as what stands around it."""

    def __init__(
        self,
        database: SqliteDatabase,
        book: BookRepository,
        scans: ScanLog,
        reading: Callable[[], AbstractContextManager[object]],
        forget: Callable[[], None],
    ) -> None:
        self._database = database
        self._book = book
        self._scans = scans
        self._reading = reading
        self._forget = forget

    def run(self, settings: PrivacySettings, now: Instant, goes_on: Callable[[], bool] = lambda: True, *, dry: bool = False) -> Erased:
        """Erase what is older than the limits. goes_on: asked between portions; dry: only count. Raises StoreError.

        While the clock is not trusted nothing is erased: it cannot be said what is old.
        """
        if now.confidence == "unsynced":
            return Erased(0, 0, "the clock is not trusted, so it cannot be said what is old; nothing was erased")
        scans = punches = 0
        if settings.scan_log_days and (last := self._old("scan_log", "", settings.scan_log_days, now)):
            scans = self._count("scan_log", last)
            if not dry:
                self._scans.erase_until(last)
        if settings.punches_days and (last := self._old("punches", " AND boot_id <> 'import'", settings.punches_days, now)):
            punches = self._count("punches", last)
            while not dry and goes_on() and (seqs := self._oldest(last)):
                self._book.erase(seqs, f"older than {settings.punches_days} days", now)
        if not dry and scans + punches:
            self._forget()
        return Erased(scans, punches)

    def _old(self, table: str, own: str, days: int, now: Instant) -> int:
        """Up to which number everything is older: the newest trusted old entry before the first trusted one that is not old; 0 for none.

        What lies after that by number is kept though its time may be older: a recording of long ago that was replayed today is no reason to
        erase what was recorded yesterday.
        """
        limit = microseconds(now.utc - timedelta(days=days))
        trusted = f"clock <> 'unsynced'{own}"
        sql = f"""SELECT max(seq) FROM {table} WHERE {trusted} AND us < ?
            AND seq < coalesce((SELECT min(seq) FROM {table} WHERE {trusted} AND us >= ?), 9223372036854775807)"""
        with self._reading():
            return int(self._database.execute_sql(sql, (limit, limit)).fetchone()[0] or 0)

    def _count(self, table: str, last: int) -> int:
        with self._reading():
            return int(self._database.execute_sql(f"SELECT count(*) FROM {table} WHERE seq <= ?", (last,)).fetchone()[0])

    def _oldest(self, last: int) -> list[int]:
        """The next portion: punches, and what was said of punches; assignments and the book's own entries stay."""
        sql = """SELECT seq FROM punches WHERE seq <= ? UNION SELECT seq FROM entries WHERE seq <= ? AND kind IN ('correction', 'disowned')
            ORDER BY seq LIMIT ?"""
        with self._reading():
            return [int(row[0]) for row in self._database.execute_sql(sql, (last, last, PORTION)).fetchall()]
