"""How far each terminal of the site has reported, as far as is known here."""

from datetime import datetime

from peewee import SqliteDatabase

from blinkd.attendance.reports.watermark import Watermark
from blinkd.clock import microseconds, moment_of
from blinkd.store.outbox import Guard


class Watermarks:
    """One a terminal; they only rise."""

    def __init__(self, database: SqliteDatabase, guard: Guard, reading: Guard) -> None:
        self._database = database
        self._guard = guard
        self._reading = reading

    def report(self, terminal: str, utc: datetime, seq: int) -> Watermark:
        """Every punch of a terminal before an aware time is here, and its entries up to a number; returns what holds now.

        Less than was reported before changes nothing. Raises StoreError.
        """
        with self._guard():
            self._database.execute_sql(
                """INSERT INTO watermarks (terminal, us, seq) VALUES (?, ?, ?)
                ON CONFLICT (terminal) DO UPDATE SET us = max(us, excluded.us), seq = max(seq, excluded.seq)""",
                (terminal, microseconds(utc), seq),
            )
        return self.all()[terminal]

    def all(self) -> dict[str, Watermark]:
        """By terminal."""
        with self._reading():
            rows = self._database.execute_sql("SELECT terminal, us, seq FROM watermarks ORDER BY terminal").fetchall()
        return {str(terminal): Watermark(str(terminal), moment_of(int(us)), int(seq)) for terminal, us, seq in rows}
