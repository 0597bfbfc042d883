from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from blinkd.attendance.imports import IMPORTED, read_rows, take_in
from blinkd.attendance.punch import Direction
from blinkd.errors import ImportRefused
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import clerk_of, open_store

MADRID = ZoneInfo("Europe/Madrid")
HEAD = "person_id,timestamp,status,id,terminal\n"
GOOD = HEAD + "E-1,2026-03-01T08:55,CHECK_IN,a-1,door-2\nE-1,2026-03-01T17:05:30+01:00,check_out,,\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "punches.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def _import(store: Store, path: Path) -> int:
    return take_in(path, read_rows(path, MADRID), store.book, SetClock(), "S-7", "from the old clock")


def test_rows_become_signed_punches_of_another_system(tmp_path: Path, write: Callable[[str], Path]) -> None:
    with open_store(tmp_path / "state") as store:
        store.people.enrol("E-1", "Ann", [])
        assert _import(store, write("﻿" + GOOD)) == 2
        punches = list(store.book.punches())
        assert [(p.person_id, p.utc, p.status, p.terminal, p.boot_id) for p in punches] == [
            ("E-1", datetime(2026, 3, 1, 7, 55, tzinfo=UTC), Direction.CHECK_IN, "door-2", IMPORTED),
            ("E-1", datetime(2026, 3, 1, 16, 5, 30, tzinfo=UTC), Direction.CHECK_OUT, IMPORTED, IMPORTED),
        ]
        ((_, content, why),) = store.book.entries("import")
        assert (content["by"], content["count"], why) == ("S-7", 2, "from the old clock")
        assert len(store.book.stamps().seq) == 2


def test_the_same_file_is_not_taken_in_twice(tmp_path: Path, write: Callable[[str], Path]) -> None:
    with open_store(tmp_path / "state") as store:
        store.people.enrol("E-1", "Ann", [])
        _import(store, write(GOOD))
        with pytest.raises(ImportRefused, match=r"row 2, column id: 'a-1' is in the book already[\s\S]*row 3, column id"):
            _import(store, write(GOOD))
        assert len(list(store.book.punches())) == 2


def test_the_same_punch_is_not_taken_in_under_another_id(tmp_path: Path, write: Callable[[str], Path]) -> None:
    header, first, *_ = GOOD.splitlines()
    other = first.replace("a-1", "b-7")
    with open_store(tmp_path / "state") as store:
        store.people.enrol("E-1", "Ann", [])
        with pytest.raises(ImportRefused, match="row 3: the same person, time and direction as row 2"):
            _import(store, write("\n".join((header, first, other))))
        _import(store, write("\n".join((header, first))))
        with pytest.raises(ImportRefused, match=r"row 2: punch 2 of the book has the same person, time and direction"):
            _import(store, write("\n".join((header, other))))
        assert len(list(store.book.punches())) == 1


def test_what_was_imported_does_not_turn_the_next_arrival_into_a_departure(tmp_path: Path, write: Callable[[str], Path]) -> None:
    with open_store(tmp_path / "state") as store:
        store.people.enrol("E-1", "Ann", [])
        _import(store, write(HEAD + "E-1,2026-03-02T07:00,CHECK_IN,,\n"))
        punch = clerk_of(store, SetClock()).attend("E-1", 0.7, {})
        assert getattr(punch, "status", None) is Direction.CHECK_IN


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (HEAD + "E-1,2026-13-01T08:00,CHECK_IN,,\n", "row 2, column timestamp: '2026-13-01T08:00' is no time"),
        (HEAD + "E-1,1969-12-31T23:00:00Z,CHECK_IN,,\n", "row 2, column timestamp: .*before 1970 or after 2099"),
        (HEAD + "E-1,2100-01-01T00:00:00Z,CHECK_IN,,\n", "row 2, column timestamp: .*before 1970 or after 2099"),
        (HEAD + "E-1,0001-01-01T00:00,CHECK_IN,,\n", "row 2, column timestamp: .*before 1970 or after 2099"),
        (HEAD + "E-1,2026-03-29T02:30,CHECK_IN,,\n", "row 2, column timestamp: .*does not come that night.*offset"),
        (HEAD + "E-1,2025-10-26T02:30,CHECK_IN,,\n", "row 2, column timestamp: .*comes twice that night.*offset"),
        (HEAD + "E-1,2026-03-02T08:00:01+00:00,CHECK_IN,,\n", "row 2, column timestamp: .*future"),
        (HEAD + "E-1,2026-03-01T08:00,IN,,\n", "row 2, column status: 'IN' is neither"),
        (HEAD + ",2026-03-01T08:00,CHECK_IN,,\n", "row 2, column person_id: empty"),
        (HEAD + "E-9,2026-03-01T08:00,CHECK_IN,,\n", "row 2, column person_id: nobody has the id 'E-9'"),
        (HEAD + "E-1,2026-03-01T08:00,CHECK_IN,x,\n\nE-1,2026-03-01T09:00,CHECK_OUT,x,\n", "row 4, column id: 'x' stands in row 2 too"),
        (HEAD + "E-1,2026-03-01T08:00,CHECK_IN,,\n" * 2, "row 3, column id: .* stands in row 2 too"),
        (HEAD + f"E-1,2026-03-01T08:00,CHECK_IN,{'x' * 65},\n", "row 2, column id: more than 64"),
        (HEAD + "E-1,2026-03-01T08:00,CHECK_IN\n", "row 2: 3 cells where the header has 5"),
        (HEAD + 'E-1,"2026-03-01T08:00,CHECK_IN,,\n', "row [23]: .*write it as CSV"),
        ("person_id;timestamp;status\n", "row 1: columns missing: 'person_id', 'timestamp', 'status'"),
        ("person_id,timestamp,status,status\n", "twice: 'status'"),
        ("person_id,timestamp,status,salary\n", "unknown: 'salary'"),
        ("", "row 1: columns missing"),
    ],
)
def test_what_is_wrong_is_named_by_row_and_column_and_nothing_is_imported(
    tmp_path: Path, write: Callable[[str], Path], text: str, named: str
) -> None:
    with open_store(tmp_path / "state") as store:
        store.people.enrol("E-1", "Ann", [])
        before = store.book.head()
        with pytest.raises(ImportRefused, match=named):
            _import(store, write(text))
        assert store.book.head() == before


def test_every_problem_is_listed_at_once(write: Callable[[str], Path]) -> None:
    with pytest.raises(ImportRefused) as caught:
        read_rows(write(HEAD + "E-1,when,IN,,\n" * 30), MADRID)
    assert "row 2, column status" in str(caught.value)
    assert "row 2, column timestamp" in str(caught.value)
    assert "and 40 more" in str(caught.value)


def test_bytes_that_are_no_text_are_named_by_their_row(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(HEAD.encode() + b"E-1,2026-03-01T08:00,CHECK_IN,,\nJos\xe9,2026-03-01T08:00,CHECK_IN,,\n")
    with pytest.raises(ImportRefused, match=r"row 3: not UTF-8 text"):
        read_rows(path, MADRID)
    with pytest.raises(ImportRefused, match="cannot be read"):
        read_rows(tmp_path / "none.csv", MADRID)
