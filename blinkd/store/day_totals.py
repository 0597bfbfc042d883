"""What past days came to, kept so that a trend need not read their punches again. The schema's triggers drop what no longer holds."""

import json
from collections.abc import Iterable, Mapping
from datetime import date

from peewee import SqliteDatabase

from blinkd.attendance.reports.span import DaySpan
from blinkd.attendance.reports.trend import DayFigures
from blinkd.clock import microseconds
from blinkd.store.outbox import Guard

KEPT = 400  # days; a year, and the month before a year ago


class DayTotals:
    """One row a day; every row can be computed anew."""

    def __init__(self, database: SqliteDatabase, guard: Guard, reading: Guard, writable: bool) -> None:
        self._database = database
        self._guard = guard
        self._reading = reading
        self._writable = writable

    def read(self, wanted: Mapping[date, tuple[DaySpan, str]]) -> dict[date, DayFigures]:
        """The kept figures of those of the wanted dates whose span and fingerprint are still the same."""
        if not wanted:
            return {}
        first, last = min(wanted).toordinal(), max(wanted).toordinal()
        sql = "SELECT day, since_us, until_us, fingerprint, totals FROM day_totals WHERE day BETWEEN ? AND ?"
        with self._reading():
            rows = self._database.execute_sql(sql, (first, last)).fetchall()
        found = {}
        for number, since, until, fingerprint, text in rows:
            day = date.fromordinal(number)
            if day in wanted:
                span, mark = wanted[day]
                if (since, until, fingerprint) == (microseconds(span.since), microseconds(span.until), mark):
                    found[day] = DayFigures.of(json.loads(text))
        return found

    def forget(self) -> None:
        """Forget all of it. Raises StoreError."""
        with self._guard():
            self._database.execute_sql("DELETE FROM day_totals WHERE day > 0")

    def version(self) -> int:
        """Changes when another connection has written."""
        with self._reading():
            return int(self._database.execute_sql("PRAGMA data_version").fetchone()[0])

    def keep(self, version: int, figures: Iterable[tuple[DaySpan, str, DayFigures]]) -> None:
        """Keep figures that were counted since `version`; where somebody has written meanwhile, or this database is only read, nothing is kept.

        Raises StoreError.
        """
        rows = [
            (span.date.toordinal(), microseconds(span.since), microseconds(span.until), fingerprint, json.dumps(found.as_dict()))
            for span, fingerprint, found in figures
        ]
        if not rows or not self._writable:
            return
        with self._guard():
            if self.version() != version:
                return
            for row in rows:
                self._database.execute_sql("INSERT OR REPLACE INTO day_totals VALUES (?, ?, ?, ?, ?)", row)
            self._database.execute_sql("DELETE FROM day_totals WHERE day < (SELECT max(day) FROM day_totals) - ?", (KEPT,))
