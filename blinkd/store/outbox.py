"""What waits for the relay: every entry of the chain, from the transaction that adds it until a receipt says that it is stored."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.punch import SyncState
from blinkd.crypto.chain import NO_HASH, commitment_of

Guard = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Parcelled:
    """An entry as it will be sent. commitment, hash: 32 bytes; content, salt: None where `missing` says why; note: words and their salt."""

    seq: int
    commitment: bytes
    hash: bytes
    content: Mapping[str, Any] | None
    salt: bytes | None
    note: tuple[str, bytes] | None
    missing: str | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """An entry whose content the relay does not have. reason: a word; words: for people."""

    seq: int
    reason: str
    words: str


class Outbox:
    """Entries by their number. What is PENDING waits; SYNCED: a receipt covers it; FAILED: its place in the chain is stored, its content not."""

    def __init__(
        self,
        database: SqliteDatabase,
        guard: Guard,
        reading: Guard,
        punch_content: Callable[[int, int], Mapping[int, Mapping[str, Any]]],
    ) -> None:
        """punch_content: the signed contents of the punches between two numbers, both included."""
        self._database = database
        self._guard = guard
        self._reading = reading
        self._punch_content = punch_content

    def book(self) -> str | None:
        """The book's id; None while it has not begun."""
        with self._reading():
            row = self._database.execute_sql("SELECT content FROM entries WHERE seq = 0").fetchone()
        return None if row is None else str(json.loads(row[0])["book"])

    def first(self) -> int:
        """The number of the first entry that waits; one more than the last where none does."""
        with self._reading():
            row = self._database.execute_sql("SELECT min(seq) FROM chain WHERE sync = 'PENDING'").fetchone()
        return self.end() if row[0] is None else int(row[0])

    def end(self) -> int:
        """One more than the number of the last entry."""
        with self._reading():
            row = self._database.execute_sql("SELECT max(seq) FROM chain").fetchone()
        return 0 if row[0] is None else int(row[0]) + 1

    def counts(self) -> dict[str, int]:
        """How many entries wait and how many were set aside. The chain is contiguous, so that a difference tells the first."""
        with self._reading():
            pending = self._database.execute_sql("SELECT count(*) FROM chain WHERE sync = 'PENDING'").fetchone()[0]
            failed = self._database.execute_sql("SELECT count(*) FROM set_aside").fetchone()[0]
        return {SyncState.PENDING.value: int(pending), SyncState.FAILED.value: int(failed)}

    def hash_of(self, seq: int) -> bytes | None:
        """Of an entry, 32 bytes; before the first there are zeros; None for one that is not there."""
        if seq < 0:
            return NO_HASH
        with self._reading():
            row = self._database.execute_sql("SELECT hash FROM chain WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else bytes(row[0])

    def read(self, first: int, limit: int) -> list[Parcelled]:
        """Entries from a number on, at most `limit`."""
        with self._reading():
            rows = self._database.execute_sql(
                "SELECT c.seq, c.salt, c.commitment, c.hash, e.content, e.note, e.note_salt, s.reason IS NOT NULL FROM chain c "
                "LEFT JOIN entries e ON e.seq = c.seq LEFT JOIN set_aside s ON s.seq = c.seq WHERE c.seq >= ? ORDER BY c.seq LIMIT ?",
                (first, limit),
            ).fetchall()
            punches = self._punch_content(int(rows[0][0]), int(rows[-1][0])) if rows else {}
        return [_parcelled(row, punches.get(int(row[0]))) for row in rows]

    def stored(self, upto: int) -> None:
        """The relay has everything up to an entry."""
        with self._guard():
            self._database.execute_sql("UPDATE chain SET sync = 'SYNCED' WHERE sync = 'PENDING' AND seq <= ?", (upto,))

    def lost(self, upto: int) -> None:
        """The relay has nothing after an entry any more: what was stored waits again."""
        with self._guard():
            self._database.execute_sql("UPDATE chain SET sync = 'PENDING' WHERE sync = 'SYNCED' AND seq > ?", (upto,))

    def set_aside(self, seq: int, reason: str, words: str) -> None:
        """The relay will get the place of an entry in the chain, and not what it holds."""
        with self._guard():
            self._database.execute_sql("INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?)", (seq, reason, words))
            self._database.execute_sql("UPDATE chain SET sync = 'FAILED' WHERE seq = ?", (seq,))

    def aside(self) -> list[SetAside]:
        """Everything that was set aside."""
        with self._reading():
            rows = self._database.execute_sql("SELECT seq, reason, words FROM set_aside ORDER BY seq").fetchall()
        return [SetAside(*row) for row in rows]

    def try_again(self) -> int:
        """What was set aside waits once more; returns how much it was."""
        with self._guard():
            count = int(self._database.execute_sql("SELECT count(*) FROM set_aside").fetchone()[0])
            self._database.execute_sql("UPDATE chain SET sync = 'PENDING' WHERE sync = 'FAILED'")
            self._database.execute_sql("DELETE FROM set_aside WHERE seq >= 0")
        return count


def _parcelled(row: Any, punch: Mapping[str, Any] | None) -> Parcelled:  # noqa: ANN401  a row of SQLite's
    seq, salt, commitment, hash_, text, note, note_salt, aside = row
    missing: str | None = None
    content = punch if text is None else json.loads(text)
    if aside:
        missing = "rejected"
    elif salt is None:
        missing = "erased"
    elif content is None or commitment_of(bytes(salt), content) != bytes(commitment):
        missing = "damaged"  # what is sent would prove nothing
    if missing is not None:
        return Parcelled(int(seq), bytes(commitment), bytes(hash_), None, None, None, missing)
    words = None if note is None else (str(note), bytes(note_salt or b""))
    return Parcelled(int(seq), bytes(commitment), bytes(hash_), content, bytes(salt), words, None)
