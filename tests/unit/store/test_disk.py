import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blinkd.attendance.punch import PersonStatus, Punch
from blinkd.clock import ReplayClock
from blinkd.errors import StoreError
from blinkd.settings import AttendanceSettings, TerminalSettings
from blinkd.store.database import DATABASE_FILE, Store
from tests.unit.store.stores import START, clerk_of, contents, open_store, punch, rows, sample


def _execute(store: Store, sql: str) -> Any:
    database: Any = store._database
    return database.execute_sql(sql).fetchone()


@contextmanager
def full_disk(store: Store) -> Iterator[None]:
    """SQLite may not add a page, as on a full disk; what is free within the file is used up first."""
    pages = _execute(store, "PRAGMA page_count")[0]
    assert _execute(store, f"PRAGMA max_page_count = {pages}")[0] == pages
    yield
    _execute(store, "PRAGMA max_page_count = 1000000")


LONG = {"note": "x" * 400_000}  # more than the pages that the origin's dropped tables left free
WRITES: dict[str, Callable[[Store], object]] = {
    "punch": lambda store: store.book.append_punch(replace(punch(store.book.next_seq()), terminal="x" * 400_000)),
    "scan": lambda store: store.scans.append(ReplayClock(START).now(), "refused", "not_live", None, None, LONG),
    "set aside": lambda store: store.outbox.set_aside(1, "rejected", "x" * 400_000),
    "enrol": lambda store: store.people.enrol("E-2", "Bo", [sample(seed) for seed in range(50)]),
    "templates": lambda store: store.people.add_templates("E-1", [sample(seed) for seed in range(50)]),
    "preference": lambda store: store.preferences.set("k", "x" * 400_000),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_is_named_nothing_is_half_written_and_freeing_space_is_enough(tmp_path: Path, name: str) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        store.book.append_punch(punch(1))

        def attempt() -> None:
            with store.transaction():
                WRITES[name](store)

        state = _state(tmp_path)
        with full_disk(store), pytest.raises(StoreError, match=r"disk is full.*free some space"):
            attempt()
        assert _state(tmp_path) == state
        assert [row.seq for row in store.book.punches()] == [1]
        attempt()
        assert _state(tmp_path) != state


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_is_named_by_each_write_on_its_own(tmp_path: Path, name: str) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        with full_disk(store), pytest.raises(StoreError, match="disk is full"):
            WRITES[name](store)
        assert _execute(store, "PRAGMA integrity_check")[0] == "ok"


def _state(folder: Path) -> list[tuple[object, ...]]:
    tables = ("people", "templates", "punches", "scan_log", "chain", "set_aside", "settings")
    return [row for table in tables for row in rows(folder, f"SELECT '{table}', count(*) FROM {table}")]


def test_the_clerk_on_a_full_disk_books_nothing_and_goes_on_later(tmp_path: Path) -> None:
    clock = ReplayClock(START)
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        clerk = clerk_of(store, clock, AttendanceSettings(min_interval_s=0), TerminalSettings())
        clerk.attend("E-1", 0.7, {})
        state = _state(tmp_path)
        with full_disk(store), pytest.raises(StoreError, match="disk is full"):
            clerk.attend("E-1", 0.7, LONG)  # punch and job still fit, the scan log entry does not
        assert _state(tmp_path) == state
        again = clerk.attend("E-1", 0.7, LONG)
        assert isinstance(again, Punch)
        assert again.seq == 2


@pytest.mark.parametrize("failing", ["chain", "scan_log", "punches"])
def test_punch_chain_and_scan_entry_are_written_together_or_not_at_all(tmp_path: Path, failing: str) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [])
        _execute(store, f"CREATE TRIGGER fail BEFORE INSERT ON {failing} BEGIN SELECT RAISE(ABORT, 'made to fail'); END")
        clerk = clerk_of(store, ReplayClock(START), AttendanceSettings(), TerminalSettings())
        with pytest.raises(StoreError, match="made to fail"):
            clerk.attend("E-1", 0.7, {})
        assert {row[1] for row in _state(tmp_path) if row[0] in ("punches", "scan_log", "chain")} == {0}
        _execute(store, "DROP TRIGGER fail")
        clerk.attend("E-1", 0.7, {})
        assert [row[1] for row in _state(tmp_path) if row[0] in ("punches", "scan_log", "chain")] == [1, 1, 2]


def test_enrolment_that_fails_halfway_leaves_no_person(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        broken = SimpleNamespace(vectors=sample(1).vectors, quality=None, source="a.jpg", view="front", label="")
        with pytest.raises(StoreError, match="NOT NULL"):
            store.people.enrol("E-1", "Ann", [sample(1), broken])
        assert store.people.find("E-1") is None
        assert store.people.count_templates() == 0


def test_a_database_locked_by_another_is_an_error_after_the_wait_and_no_damage(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        other = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writes: list[Callable[[], object]] = [
            lambda: store.book.append_punch(punch(1)),
            lambda: store.outbox.stored(1),
            lambda: store.people.enrol("E-2", "Bo", []),
            lambda: store.people.add_templates("E-1", []),
            lambda: store.people.set_status("E-1", PersonStatus.DEACTIVATED),
            lambda: store.people.erase("E-1", keep_id=True),
            lambda: store.preferences.set("k", "v"),
        ]
        for write in writes:
            with pytest.raises(StoreError, match="another process holds the database"):
                write()
        assert [person.id for person in store.people.all()] == ["E-1"]  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        store.book.append_punch(punch(1))
    assert not list(tmp_path.glob("*.corrupt-*"))


def test_opening_a_database_locked_by_another_is_an_error_and_no_damage(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    other = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        before = contents(tmp_path)
        with pytest.raises(StoreError, match="another process holds the database"):
            open_store(tmp_path)
        assert contents(tmp_path) == before
    finally:
        other.close()


def test_a_wait_that_ends_in_time_is_no_error(tmp_path: Path) -> None:
    with open_store(tmp_path) as first, open_store(tmp_path) as second:
        first.book.append_punch(punch(1))
        second.book.append_punch(punch(second.book.next_seq()))
        assert [row.seq for row in first.book.punches()] == [1, 2]


def test_a_transaction_within_another_joins_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:

        def both() -> None:
            with store.transaction():
                with store.transaction():
                    store.book.append_punch(punch(1))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            both()
        assert list(store.book.punches()) == []
