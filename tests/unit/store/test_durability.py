import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blinkd.clock import ReplayClock
from blinkd.settings import StoreSettings
from blinkd.store.database import DATABASE_FILE, Store
from tests.unit.store.stores import QUICK, open_store, punch, rows, sample


def _pragma(store: Store, name: str) -> object:
    database: Any = store._database
    return database.execute_sql(f"PRAGMA {name}").fetchone()[0]


def test_each_new_connection_has_the_settings_that_make_a_punch_last(tmp_path: Path) -> None:
    for _ in range(2):
        with Store.open(tmp_path, StoreSettings(busy_timeout_ms=1234)) as store:
            found = {
                name: _pragma(store, name) for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
            }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 1234}


def test_an_old_database_gets_them_too(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / DATABASE_FILE).close()
    with open_store(tmp_path) as store:
        assert _pragma(store, "journal_mode") == "wal"


def test_files_and_folder_are_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    before = os.umask(0)
    try:
        with open_store(folder) as store:
            store.people.enrol("E-1", "Ann", [sample(1)])
            names = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert names == dict.fromkeys(("blinkd.db", "blinkd.db-wal", "blinkd.db-shm", "signing.key", "template.key"), 0o600)


def test_a_committed_punch_is_visible_to_another_connection_at_once(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.book.append_punch(punch(1))
        assert rows(tmp_path, "SELECT seq FROM punches") == [(1,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE punches SET us = 2020",
        "UPDATE punches SET seq = 9",
        "UPDATE punches SET rowid = 9",
        "UPDATE punches SET oid = 9",
        "UPDATE punches SET subject = subject",
        "UPDATE OR REPLACE punches SET status = 'CHECK_OUT'",
        "DELETE FROM punches",
        "INSERT OR REPLACE INTO punches SELECT * FROM punches",
        "REPLACE INTO punches SELECT seq + 5, id, subject, us, boot_s, boot_id, clock, status, punctuality, 7, shift, terminal, similarity, method"
        " FROM punches",
        "INSERT INTO punches SELECT * FROM punches WHERE true ON CONFLICT (seq) DO UPDATE SET minutes = 7",
        "UPDATE chain SET sync = 'LOST'",
        "UPDATE chain SET salt = x'01'",
        "UPDATE chain SET commitment = x'01'",
        "UPDATE chain SET signature = NULL",
        "DELETE FROM chain WHERE seq = 0",
        "DELETE FROM chain",
        "INSERT OR REPLACE INTO chain SELECT * FROM chain",
        "UPDATE entries SET content = '{}'",
        "UPDATE entries SET note = 'other'",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries (seq, content) SELECT seq, content FROM entries",
        "UPDATE scan_log SET reason = 'other'",
        "UPDATE scan_log SET rowid = 9",
        "DELETE FROM scan_log",
        "INSERT OR REPLACE INTO scan_log SELECT * FROM scan_log",
    ],
)
def test_punches_and_scan_log_only_grow(tmp_path: Path, sql: str) -> None:
    with open_store(tmp_path) as store:
        store.book.append_punch(punch(1))
        _scan(store)
    tables = ("punches", "chain", "entries", "scan_log")
    before = [rows(tmp_path, f"SELECT * FROM {table}") for table in tables]
    assert all(before)
    raw = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)  # another program, without our settings
    try:
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(sql)
    finally:
        raw.close()
    assert [rows(tmp_path, f"SELECT * FROM {table}") for table in tables] == before


def _scan(store: Store) -> None:
    store.scans.append(ReplayClock(punch(1).utc).now(), "refused", "not_live", "E-1", 0.5, {"frames": 3})


def test_the_sync_column_may_change(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.book.append_punch(punch(1))
    raw = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
    raw.execute("UPDATE chain SET sync = 'SYNCED'")
    raw.close()
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        assert next(store.book.punches()).sync == "SYNCED"


def test_a_store_may_be_closed_twice(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    store.close()
    assert {file.name for file in tmp_path.iterdir()} == {DATABASE_FILE}


def test_another_process_does_not_delete_the_log_when_this_one_has_opened_the_database_twice(tmp_path: Path) -> None:
    opening = "import sys; from pathlib import Path; from tests.unit.store.stores import open_store; open_store(Path(sys.argv[1])).close()"
    with open_store(tmp_path) as store:
        store.book.append_punch(punch(1))
        open_store(tmp_path).close()  # as the daily upkeep does in a thread of the daemon
        subprocess.run([sys.executable, "-c", opening, str(tmp_path)], check=True)
        store.book.append_punch(punch(2))
        assert rows(tmp_path, "SELECT seq FROM punches ORDER BY seq") == [(1,), (2,)]
