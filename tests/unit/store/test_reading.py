import logging
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from blinkd.errors import StoreError
from blinkd.store.database import DATABASE_FILE, Store
from tests.unit.store.stores import MODEL, QUICK, contents, mode, old_database, open_store, punch, sample


def test_a_missing_folder_looks_empty_and_stays_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "not" / "there"
    with caplog.at_level(logging.WARNING), Store.open(folder, QUICK, read_only=True) as store:
        assert store.people.all() == []
        assert list(store.book.punches()) == []
        assert list(store.people.templates(MODEL)) == []
        assert store.preferences.get("x") is None
    assert "no database yet" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [None, 0])
def test_a_folder_without_content_looks_empty_and_is_left_alone(tmp_path: Path, size: int | None) -> None:
    if size is not None:
        (tmp_path / DATABASE_FILE).touch()
    before = contents(tmp_path)
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        assert store.people.all() == []
    assert contents(tmp_path) == before


def test_writing_where_one_only_looks_is_an_error_and_never_forgotten_in_silence(tmp_path: Path) -> None:
    with Store.open(tmp_path / "missing", QUICK, read_only=True) as store, pytest.raises(StoreError, match="read-only"):
        store.preferences.set("x", "y")
    open_store(tmp_path).close()
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        for write in (
            lambda: store.preferences.set("x", "y"),
            lambda: store.book.append_punch(punch(1)),
            lambda: store.people.enrol("E-1", "Ann", []),
        ):
            with pytest.raises(StoreError, match="read-only"):
                write()


def test_a_reader_sees_what_a_running_daemon_has_just_written(tmp_path: Path) -> None:
    with open_store(tmp_path) as daemon:
        daemon.book.append_punch(punch(1))
        with Store.open(tmp_path, QUICK, read_only=True) as store:
            assert [row.seq for row in store.book.punches()] == [1]
            daemon.book.append_punch(punch(2))
            assert [row.seq for row in store.book.punches()] == [1, 2]


def test_an_older_schema_is_read_without_being_changed(tmp_path: Path) -> None:
    old_database(tmp_path / DATABASE_FILE, 4)
    before = contents(tmp_path)
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        assert [person.id for person in store.people.all()] == ["u2", "u1"]
        assert [row.id for row in store.book.punches()] == ["p4", "p1", "p2", "p3"]
    assert contents(tmp_path) == before


def _filled(folder: Path) -> None:
    with open_store(folder) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        store.book.append_punch(punch(1))


def test_a_folder_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    _filled(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["blinkd.db", "book.head", "signing.key", "template.key"]
    before = contents(tmp_path)
    with mode(tmp_path, 0o500), Store.open(tmp_path, QUICK, read_only=True) as store:
        assert [person.name for person in store.people.all()] == ["Ann"]
        assert len(list(store.people.templates(MODEL))) == 1
        assert [row.seq for row in store.book.punches()] == [1]
    assert contents(tmp_path) == before


def test_a_folder_that_may_not_be_written_is_read_with_the_log_a_crash_left(tmp_path: Path) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir(0o700)
    with open_store(tmp_path / "live") as store:
        store.book.append_punch(punch(1))
        for name in (DATABASE_FILE, DATABASE_FILE + "-wal"):
            shutil.copy(tmp_path / "live" / name, crashed / name)
    assert (crashed / (DATABASE_FILE + "-wal")).stat().st_size > 0
    before = contents(crashed)
    with mode(crashed, 0o500), Store.open(crashed, QUICK, read_only=True) as store:
        assert [row.seq for row in store.book.punches()] == [1]
    assert contents(crashed) == before


def test_a_folder_that_may_not_be_written_is_a_clear_error_for_what_writes(tmp_path: Path) -> None:
    _filled(tmp_path)
    with mode(tmp_path, 0o500), pytest.raises(StoreError, match=r"read-only|cannot be opened"):
        open_store(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with mode(empty, 0o500), pytest.raises(StoreError, match="cannot be opened for writing"):
        open_store(empty)
    with mode(tmp_path, 0o500), pytest.raises(StoreError, match="cannot be made"):
        open_store(tmp_path / "below")


def test_a_folder_that_may_not_be_read_is_a_clear_error(tmp_path: Path) -> None:
    _filled(tmp_path)
    with mode(tmp_path, 0o000), pytest.raises(StoreError, match="run the command as the owner"):
        Store.open(tmp_path, QUICK, read_only=True)
    with mode(tmp_path / DATABASE_FILE, 0o000), pytest.raises(StoreError, match="cannot be"):
        Store.open(tmp_path, QUICK, read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_in_place_of_the_folder_is_a_clear_error(tmp_path: Path, read_only: bool) -> None:
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(StoreError, match="state"):
        Store.open(tmp_path / "state", QUICK, read_only=read_only)


def test_a_folder_whose_name_means_something_in_a_uri_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "a?mode=memory&b #%41 ü"
    _filled(folder)
    with Store.open(folder, QUICK, read_only=True) as store:
        assert [person.id for person in store.people.all()] == ["E-1"]


def test_files_that_a_reader_leaves_are_closed_to_others(tmp_path: Path) -> None:
    _filled(tmp_path)
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        store.people.all()
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in tmp_path.iterdir())


def test_the_preview_knows_the_people_but_writes_elsewhere(tmp_path: Path) -> None:
    _filled(tmp_path)
    with open_store(tmp_path) as known:
        with Store.preview_of(known) as preview:
            assert preview.people.name_of("E-1") == "Ann"
            assert list(preview.book.punches()) == []
            assert preview.people.count_templates() == 0
            preview.book.append_punch(punch(1))
            folder = preview.path.parent
        assert not folder.exists()
        assert len(list(known.book.punches())) == 1


def test_a_reader_waits_for_nobody_and_says_when_the_file_is_locked_for_good(tmp_path: Path) -> None:
    _filled(tmp_path)
    raw = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
    raw.execute("PRAGMA locking_mode = EXCLUSIVE")
    raw.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StoreError, match="locked"):
            Store.open(tmp_path, QUICK, read_only=True)
    finally:
        raw.close()
