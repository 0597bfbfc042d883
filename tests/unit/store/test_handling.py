import logging
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blinkd.attendance.punch import Direction, Punch
from blinkd.clock import Instant
from blinkd.errors import KeyMissing, StoreError
from blinkd.settings import AttendanceSettings, TerminalSettings
from blinkd.store.database import DATABASE_FILE
from tests.unit.store.stores import MODEL, clerk_of, open_store, rows, sample


class SetClock:
    """Shows what it was last told."""

    def __init__(self) -> None:
        self.instant = Instant(datetime(1970, 1, 1, tzinfo=UTC), 0.0, "boot-1", "unsynced")

    def now(self) -> Instant:
        return self.instant

    def monotonic(self) -> float:
        return self.instant.boot_s


def _directions(folder: Path, instants: list[Instant]) -> list[Direction]:
    clock = SetClock()
    found = []
    with open_store(folder) as store:
        store.people.enrol("E-1", "Ann", [])
        clerk = clerk_of(store, clock, AttendanceSettings(), TerminalSettings(timezone="Europe/Madrid"))
        for clock.instant in instants:
            made = clerk.attend("E-1", 0.7, {})
            assert isinstance(made, Punch)
            found.append(made.status)
    return found


def test_a_check_in_before_the_clock_was_set_is_followed_by_a_check_out(tmp_path: Path) -> None:
    evening = datetime(2026, 3, 2, 16, tzinfo=UTC)
    morning = Instant(datetime(1970, 1, 1, 0, 1, tzinfo=UTC), 60.0, "boot-1", "unsynced")
    assert _directions(tmp_path, [morning, Instant(evening, 60.0 + 8 * 3600, "boot-1", "synced")]) == ["CHECK_IN", "CHECK_OUT"]


def test_a_forgotten_check_out_is_no_departure_this_morning_even_when_the_clock_was_set_in_between(tmp_path: Path) -> None:
    yesterday = Instant(datetime(1970, 1, 1, 0, 1, tzinfo=UTC), 60.0, "boot-1", "unsynced")
    today = Instant(datetime(2026, 3, 3, 8, tzinfo=UTC), 60.0 + 24 * 3600, "boot-1", "synced")
    assert _directions(tmp_path, [yesterday, today]) == ["CHECK_IN", "CHECK_IN"]


def test_after_a_restart_the_boot_clock_says_nothing_of_the_last_punch(tmp_path: Path) -> None:
    start = datetime(2026, 3, 2, 8, tzinfo=UTC)
    later = Instant(start + timedelta(hours=8), 90_000.0, "boot-2", "synced")
    assert _directions(tmp_path, [Instant(start, 1000.0, "boot-1", "synced"), later]) == ["CHECK_IN", "CHECK_OUT"]


def test_a_closed_store_stays_closed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    with pytest.raises(StoreError, match=r"closed|not opened"):
        store.book.next_seq()
    assert {file.name for file in tmp_path.iterdir()} == {DATABASE_FILE}


def test_a_deletion_while_templates_are_being_read_is_done_and_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1), sample(2)])
        reading = store.people.templates(MODEL)
        next(reading)
        with caplog.at_level(logging.WARNING):
            assert store.people.erase("E-1", keep_id=True).templates == 2
        reading.close()
        assert store.people.find("E-1") is None
    assert "restart the daemon" in caplog.text


def test_what_a_reader_keeps_in_the_log_after_a_deletion_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Wilhelmina", [sample(1)])
        reader = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
        reader.execute("BEGIN")
        assert len(list(reader.execute("SELECT * FROM people"))) == 1
        with caplog.at_level(logging.WARNING):
            store.people.erase("E-1", keep_id=True)
        reader.close()
        assert "restart the daemon" in caplog.text
    assert all(b"Wilhelmina" not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize("model", [MODEL, "sface@1"])
def test_nobody_is_enrolled_under_a_second_key(tmp_path: Path, model: str) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
    (tmp_path / "template.key").write_bytes(os.urandom(32))
    with open_store(tmp_path) as store:
        with pytest.raises(KeyMissing, match=r"person E-1"):
            store.people.enrol("E-2", "Bo", [sample(2, model=model)])
        assert store.people.find("E-2") is None
    assert rows(tmp_path, "SELECT count(*) FROM templates") == [(1,)]


def test_bytes_that_are_no_text_are_refused_by_name(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(StoreError, match=r"udcff.*UTF-8"):
            store.people.find("\udcff")
        with pytest.raises(StoreError, match=r"udcff.*UTF-8"):
            list(store.book.punches(person_id="\udcff"))
        with pytest.raises(StoreError, match=r"udcff.*UTF-8"):
            store.preferences.set("k", "\udcff")
        store.preferences.set("k", "v")
        assert store.preferences.get("k") == "v"
