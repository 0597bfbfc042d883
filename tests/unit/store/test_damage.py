import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blinkd.errors import StoreError
from blinkd.store.database import DATABASE_FILE, Store
from blinkd.store.lock import StateLock
from tests.unit.store.stores import QUICK, at_once, contents, old_database, open_store, punch, rows, sample


def _overwritten(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(os.urandom(size // 3))


def _text(path: Path) -> None:
    path.write_text("remember to buy milk\n" * 400)


def _short_text(path: Path) -> None:
    path.write_text("milk")


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _truncated_within_the_header(path: Path) -> None:
    os.truncate(path, 60)


def _index_and_table_disagree(path: Path) -> None:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA writable_schema = ON")
    raw.execute("UPDATE sqlite_master SET sql = 'CREATE INDEX punches_by_time ON punches (clock)' WHERE name = 'punches_by_time'")
    raw.close()


def _orphaned_template(path: Path) -> None:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("DELETE FROM people")  # without foreign_keys, as another program might
    raw.close()


DAMAGES: list[Callable[[Path], None]] = [
    _overwritten,
    _text,
    _short_text,
    _truncated,
    _truncated_within_the_header,
    _index_and_table_disagree,
    _orphaned_template,
]


def _filled(folder: Path) -> None:
    with open_store(folder) as store:
        store.people.enrol("E-1", "Ann", [sample(seed) for seed in range(40)])
        with store.transaction():
            for seq in range(1, 200):
                store.book.append_punch(punch(seq))


def _set_aside(folder: Path) -> list[Path]:
    """The databases, without what goes with them."""
    return [file for file in folder.glob("blinkd.db.corrupt-*") if not file.name.endswith(("-wal", "-shm", "-head"))]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    _filled(tmp_path)
    damage(tmp_path / DATABASE_FILE)
    damaged, key = (tmp_path / DATABASE_FILE).read_bytes(), (tmp_path / "template.key").read_bytes()
    with open_store(tmp_path) as store:
        assert store.people.all() == []
        store.book.append_punch(punch(1))
    (aside,) = _set_aside(tmp_path)
    assert aside.read_bytes() == damaged
    assert (tmp_path / "template.key").read_bytes() == key
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert str(aside) in record.getMessage()
    with open_store(tmp_path) as store:
        assert [row.seq for row in store.book.punches()] == [1]
    assert len(_set_aside(tmp_path)) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_reader_refuses_a_damaged_database_and_leaves_it_untouched(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    _filled(tmp_path)
    damage(tmp_path / DATABASE_FILE)
    damaged, names = (tmp_path / DATABASE_FILE).read_bytes(), {"blinkd.db", "template.key", "signing.key", "book.head"}
    with pytest.raises(StoreError, match=r"damaged .*restore a backup"):
        Store.open(tmp_path, QUICK, read_only=True)
    assert (tmp_path / DATABASE_FILE).read_bytes() == damaged
    # an empty -wal and the -shm index may stay behind a reader
    assert {file.name for file in tmp_path.iterdir()} - {"blinkd.db-wal", "blinkd.db-shm"} == names


def test_its_log_and_index_go_aside_with_it(tmp_path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / (DATABASE_FILE + suffix)).write_text(f"milk {suffix} " * 1000)
    open_store(tmp_path).close()
    (wal,) = tmp_path.glob("*.corrupt-*-wal")
    assert wal.read_text() == "milk -wal " * 1000  # SQLite would delete it when it closes the database
    names = sorted(file.name.partition(".corrupt-")[2] for file in tmp_path.glob("*.corrupt-*"))
    assert [name[len("20260101T000000Z") :] for name in names] == ["", "-shm", "-wal"]
    assert rows(tmp_path, "SELECT count(*) FROM punches") == [(0,)]


def test_a_database_that_its_log_makes_whole_again_is_no_damage(tmp_path: Path) -> None:
    with open_store(tmp_path / "live") as store:
        store.book.append_punch(punch(1))
        (tmp_path / "crashed").mkdir()
        shutil.copy(tmp_path / "live" / (DATABASE_FILE + "-wal"), tmp_path / "crashed")
    shutil.copy(tmp_path / "live" / DATABASE_FILE, tmp_path / "crashed")
    _truncated(tmp_path / "crashed" / DATABASE_FILE)
    with open_store(tmp_path / "crashed") as store:
        assert [row.seq for row in store.book.punches()] == [1]


def test_what_was_set_aside_before_is_never_overwritten(tmp_path: Path) -> None:
    texts = [f"damage number {number} " * 100 for number in range(3)]
    for text in texts:  # within one second, so that the time in the name is the same
        (tmp_path / DATABASE_FILE).write_text(text)
        open_store(tmp_path).close()
    assert sorted(file.read_text() for file in _set_aside(tmp_path)) == texts


def test_a_journal_that_a_crash_left_is_undone_and_no_damage(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "crashed").mkdir()
    old_database(tmp_path / "live" / DATABASE_FILE, 4)
    writer = sqlite3.connect(tmp_path / "live" / DATABASE_FILE, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")  # so that half of the transaction is in the file already
    writer.execute("BEGIN")
    writer.execute("UPDATE users SET name = 'half'")
    writer.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO users (id, name, enrolled_at) SELECT i, 'half', i FROM n"
    )
    for suffix in ("", "-journal"):
        shutil.copy(tmp_path / "live" / (DATABASE_FILE + suffix), tmp_path / "crashed")
    writer.close()
    for read_only in (True, False):
        with Store.open(tmp_path / "crashed", QUICK, read_only=read_only) as store:
            assert [person.name for person in store.people.all()] == ["Bo", "Zoë O'Neill"]
    assert not list((tmp_path / "crashed").glob("*.corrupt-*"))


def test_an_empty_file_is_an_empty_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / DATABASE_FILE).touch()
    with open_store(tmp_path) as store:
        assert store.book.next_seq() == 1
    assert not list(tmp_path.glob("*.corrupt-*"))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_database_is_not_renamed_under_a_running_daemon(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_text("milk " * 1000)
    code = (
        "import sys; from pathlib import Path; from blinkd.store.lock import StateLock\n"
        "with StateLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "held\n"
        before = (tmp_path / DATABASE_FILE).read_bytes()
        with pytest.raises(StoreError, match=f"process {daemon.pid}.*restart the daemon"):
            open_store(tmp_path)
        assert (tmp_path / DATABASE_FILE).read_bytes() == before
        daemon.communicate("\n", timeout=10)
    with StateLock(tmp_path), open_store(tmp_path) as store:  # the daemon itself may
        assert store.people.all() == []


def test_two_processes_that_find_the_damage_set_aside_one_database(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_text("milk " * 1000)
    code = (
        "import sys; from pathlib import Path; from blinkd.settings import StoreSettings; from blinkd.store.database import Store\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with Store.open(Path(sys.argv[1]), StoreSettings()) as store: store.preferences.set(sys.argv[2], 'here')\n"
    )
    ended = at_once(code, [[str(tmp_path), str(number)] for number in range(3)])
    assert [child.returncode for child in ended] == [0, 0, 0]
    assert len(_set_aside(tmp_path)) == 1
    assert rows(tmp_path, "SELECT count(*) FROM settings") == [(3,)]


def test_a_damage_met_while_working_is_named_and_nothing_is_renamed(tmp_path: Path) -> None:
    _filled(tmp_path)
    with open_store(tmp_path) as store:
        database: Any = store._database
        database.execute_sql("PRAGMA shrink_memory")
        names = set(contents(tmp_path))
        path = tmp_path / DATABASE_FILE
        with path.open("r+b") as file:
            file.write(b"\xff" * path.stat().st_size)
        with pytest.raises(StoreError, match=r"damaged|not a database"):
            list(store.book.punches())
    assert not list(tmp_path.glob("*.corrupt-*"))
    assert names >= {DATABASE_FILE}
