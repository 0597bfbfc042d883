"""How often PINs and badges were wrong, kept through restarts."""

from dataclasses import dataclass

from peewee import SqliteDatabase

from blinkd.clock import Instant
from blinkd.store.book import Guard

TERMINAL = -1  # in the place of a pseudonym: of whomever


@dataclass(frozen=True, slots=True)
class Tries:
    """wrong: how many count; since_s: seconds since the last of them, by the boot clock."""

    wrong: int
    since_s: float


class TryRepository:
    """By the clock that nobody can set: after a restart of the machine, only the time since then counts."""

    def __init__(self, database: SqliteDatabase, guard: Guard, reading: Guard) -> None:
        self._database = database
        self._guard = guard
        self._reading = reading

    def of(self, who: int, now: Instant) -> Tries:
        """Of a pseudonym, or the terminal."""
        with self._reading():
            row = self._database.execute_sql("SELECT wrong, boot_id, boot_s FROM entry_tries WHERE who = ?", (who,)).fetchone()
        if row is None:
            return Tries(0, 0.0)
        return Tries(int(row[0]), max(0.0, now.boot_s - row[2] if row[1] == now.boot_id else now.boot_s))

    def set(self, who: int, wrong: int, now: Instant) -> None:
        """So many count from now on."""
        with self._guard():
            if wrong == 0:
                self._database.execute_sql("DELETE FROM entry_tries WHERE who = ?", (who,))
            else:
                self._database.execute_sql(
                    "INSERT INTO entry_tries VALUES (?, ?, ?, ?) ON CONFLICT (who) DO UPDATE SET wrong = excluded.wrong, "
                    "boot_id = excluded.boot_id, boot_s = excluded.boot_s",
                    (who, wrong, now.boot_id, now.boot_s),
                )
