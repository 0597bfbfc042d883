"""Who is signed in at the terminal's pages."""

from dataclasses import dataclass

from peewee import SqliteDatabase

from blinkd.clock import Instant
from blinkd.store.outbox import Guard

MOST_PER_OPERATOR = 10  # at once; who signs in once more ends the oldest


@dataclass(frozen=True, slots=True)
class Sitting:
    """One browser that somebody signed in with. began_s, seen_s: seconds since boot at sign-in and at the last request that was written down."""

    token: bytes
    operator: int
    began_s: float
    seen_s: float


class SessionRepository:
    """By the SHA-256 of the token; of this boot only."""

    def __init__(self, database: SqliteDatabase, guard: Guard, reading: Guard) -> None:
        self._database = database
        self._guard = guard
        self._reading = reading

    def begin(self, token: bytes, operator: int, now: Instant) -> None:
        """Somebody signs in; what is left of other boots goes."""
        with self._guard():
            self._database.execute_sql("DELETE FROM web_sessions WHERE boot_id <> ?", (now.boot_id,))
            self._database.execute_sql(
                "DELETE FROM web_sessions WHERE token IN (SELECT token FROM web_sessions WHERE operator = ? ORDER BY seen_s DESC LIMIT -1 OFFSET ?)",
                (operator, MOST_PER_OPERATOR - 1),
            )
            self._database.execute_sql(
                "INSERT INTO web_sessions VALUES (?, ?, ?, ?, ?)", (token, operator, now.boot_id, now.boot_s, now.boot_s)
            )

    def find(self, token: bytes, now: Instant) -> Sitting | None:
        """However old; None for one that has ended, or is of another boot."""
        with self._reading():
            row = self._database.execute_sql(
                "SELECT operator, began_s, seen_s FROM web_sessions WHERE token = ? AND boot_id = ?", (token, now.boot_id)
            ).fetchone()
        return None if row is None else Sitting(token, int(row[0]), float(row[1]), float(row[2]))

    def seen(self, token: bytes, now: Instant) -> None:
        """There was a request."""
        with self._guard():
            self._database.execute_sql("UPDATE web_sessions SET seen_s = ? WHERE token = ?", (now.boot_s, token))

    def end(self, token: bytes) -> None:
        """Somebody signs out."""
        with self._guard():
            self._database.execute_sql("DELETE FROM web_sessions WHERE token = ?", (token,))

    def end_others(self, operator: int, token: bytes) -> None:
        """Of an operator all but one."""
        with self._guard():
            self._database.execute_sql("DELETE FROM web_sessions WHERE operator = ? AND token <> ?", (operator, token))

    def end_older(self, began_s: float, seen_s: float) -> None:
        """Those that began, or were last seen, before these seconds since boot."""
        with self._guard():
            self._database.execute_sql("DELETE FROM web_sessions WHERE began_s < ? OR seen_s < ?", (began_s, seen_s))
