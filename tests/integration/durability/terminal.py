"""The terminal under test. `opened` is the only place of these tests that knows how a store is opened and a clerk made."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blinkd.attendance.clerk import Clerk
from blinkd.attendance.punch import Punch
from blinkd.clock import SystemClock
from blinkd.settings import AttendanceSettings, StoreSettings, TerminalSettings
from blinkd.store.database import DATABASE_FILE, Store

PERSON = "E-1"


@dataclass(frozen=True, slots=True)
class Terminal:
    """An open store with its clerk."""

    store: Store
    clerk: Clerk

    def punch(self) -> str:
        """Punch; returns the id once it may be announced. Raises StoreError."""
        punch = self.clerk.attend(PERSON, 0.7, {})
        assert isinstance(punch, Punch), punch
        return punch.id

    def pragma(self, text: str) -> Any:
        """Execute a PRAGMA on the store's connection; returns its first row."""
        database: Any = self.store._database
        return database.execute_sql(f"PRAGMA {text}").fetchone()


@contextmanager
def opened(folder: Path) -> Iterator[Terminal]:
    """Open the terminal of a state folder, in which PERSON is enrolled."""
    with Store.open(folder, StoreSettings()) as store:
        if store.people.find(PERSON) is None:
            store.people.enrol(PERSON, "Ann", [])
        yield Terminal(store, Clerk(store.book, AttendanceSettings(min_interval_s=0), TerminalSettings(), SystemClock()))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store holds, each in the order of its numbers."""

    punches: tuple[str, ...]
    seqs: tuple[int, ...]
    accepted: tuple[str, ...]  # punch ids that the scan log names
    jobs: tuple[str, ...]  # punch ids that wait for the relay
    people: frozenset[str]


def kept(terminal: Terminal) -> Kept:
    """Read everything that a punch has written."""
    book = terminal.store.book
    punches = list(book.punches())
    return Kept(
        punches=tuple(punch.id for punch in punches),
        seqs=tuple(punch.seq for punch in punches),
        accepted=tuple(scan["details"]["punch"] for scan in book.scans() if scan["outcome"] == "accepted" and "punch" in scan["details"]),
        jobs=tuple(record for _, kind, record in book.pending(10**9) if kind == "punch"),
        people=frozenset(person.id for person in terminal.store.people.all()),
    )


def integrity(folder: Path) -> str:
    """What SQLite itself says of the database, by a connection that is none of blinkd's."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as raw:
        return str(raw.execute("PRAGMA integrity_check").fetchone()[0])
