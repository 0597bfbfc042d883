"""The terminal under test. `opened` is the only place of these tests that knows how a store is opened and a clerk made."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blinkd.attendance.clerk import Clerk
from blinkd.attendance.proof import in_order, prove
from blinkd.attendance.punch import Punch
from blinkd.clock import SystemClock
from blinkd.settings import AttendanceSettings, StoreSettings
from blinkd.store.database import DATABASE_FILE, Store
from tests.unit.store.stores import clerk_of, waiting

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
        store.book.begin()  # as the daemon does, so that what an older version recorded is in the chain
        yield Terminal(store, clerk_of(store, SystemClock(), AttendanceSettings(min_interval_s=0)))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store holds, each in the order of its numbers."""

    punches: tuple[str, ...]
    seqs: tuple[int, ...]  # of every entry in the chain
    fault: tuple[int, str] | None  # the first entry that the proof of the book calls bad
    accepted: tuple[str, ...]  # punch ids that the scan log names
    jobs: tuple[str, ...]  # punch ids that wait for the relay
    people: frozenset[str]


def kept(terminal: Terminal) -> Kept:
    """Read everything that a punch has written."""
    book = terminal.store.book
    punches = list(book.punches())
    entries, strays = book.audit()
    chain = list(in_order(entries, strays))
    return Kept(
        punches=tuple(punch.id for punch in punches),
        seqs=tuple(entry.seq for entry in chain),
        fault=prove(chain, [], None).first_bad,
        accepted=tuple(
            scan["details"]["punch"] for scan in terminal.store.scans.read() if scan["outcome"] == "accepted" and "punch" in scan["details"]
        ),
        jobs=tuple(waiting(terminal.store)),
        people=frozenset(person.id for person in terminal.store.people.all()),
    )


def integrity(folder: Path) -> str:
    """What SQLite itself says of the database, by a connection that is none of blinkd's."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as raw:
        return str(raw.execute("PRAGMA integrity_check").fetchone()[0])
