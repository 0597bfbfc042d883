"""Connections to the terminal's database: for writing, and for commands that only look."""

import logging
import re
import shutil
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import quote

import peewee

from blinkd.errors import StoreError
from blinkd.settings import StoreSettings
from blinkd.store.faults import DATABASE_ERRORS, PRIMARY_CODE, code_of, is_refused_place
from blinkd.store.schema import migrate, newest_version, version_of

SIDE_FILES = ("", "-wal", "-shm")
JOURNALS = ("", "-wal", "-journal")  # what holds content; the -shm index is made anew
IN_MEMORY = ":memory:"
WHOLE_CHECK_BYTES = 64 * 2**20  # checked with every index in well below a second
PAGE_NOT_READ = re.compile(r"error code=(?P<code>\d+)")  # integrity_check reports a failing read in words, as if it were damage

log = logging.getLogger(__name__)


class Damaged(Exception):
    """What is in the file is no sound database."""


class Database(peewee.SqliteDatabase):
    """peewee's, but once closed it stays closed, and a rollback may come after SQLite's own: on a full disk it does that before it reports."""

    def rollback(self) -> None:
        """End the transaction without its writes."""
        base: peewee.SqliteDatabase = self
        if base.connection().in_transaction:
            super().rollback()


def open_for_writing(path: Path, settings: StoreSettings, *, threads: bool = False) -> peewee.SqliteDatabase:
    """Open an existing file, check it, and bring it to the newest schema. threads: it is used by several, one at a time.

    Raises Damaged, StoreError (newer schema, edited migration) and whatever peewee raises; the file is then closed.
    """
    checked = _sound_for_a_reader(path, settings)
    database: peewee.SqliteDatabase = Database(
        str(path),
        pragmas={
            "busy_timeout": settings.busy_timeout_ms,  # first: the others may have to wait
            "synchronous": "full",  # a punch is announced only when it is on the disk
            "foreign_keys": 1,
            "secure_delete": 1,  # what is deleted is overwritten
        },
        thread_safe=False,
        autoconnect=False,
        check_same_thread=not threads,
    )
    try:
        database.connect()
        if not checked:
            check(database)
            _refuse_newer(database, path)
        _settle(database)
        database.execute_sql("PRAGMA journal_mode = wal")
        migrate(database, str(path))
    except BaseException:
        database.close()
        raise
    return database


def open_for_reading(path: Path, settings: StoreSettings) -> peewee.SqliteDatabase:
    """Open for a command that only looks: nothing is made, migrated, or owned by whoever happened to run it.

    Where there is no database yet, an empty one in memory is looked at; a database of an older schema is copied to memory and migrated
    there; one that cannot even be locked (a read-only mount) is copied too. Raises as `open_for_writing`.
    """
    if not _holds_anything(path):
        log.warning("%s: no database yet; it begins when somebody is enrolled or the daemon starts", path)
        return _copy_in_memory(None, path)
    try:
        database = _open_read_only(path, settings)
    except DATABASE_ERRORS as error:
        if not is_refused_place(error):
            raise
        return _copy_of_files(path, settings)
    if version_of(database) == newest_version():
        migrate(database, str(path))  # only compares the history
        return database
    try:
        return _copy_in_memory(database, path)
    finally:
        database.close()


def _sound_for_a_reader(path: Path, settings: StoreSettings) -> bool:
    """Check without the right to write: a writer that closes a damaged database may delete the log beside it, and changes a newer one.

    Returns False when only a writer can tell: a process that died in the middle left a journal that must be undone first.
    """
    try:
        _open_read_only(path, settings).close()
    except DATABASE_ERRORS as error:
        if not is_refused_place(error):
            raise
        return False
    return True


def _settle(database: peewee.SqliteDatabase) -> None:
    """Move what another process has left in the log to the database, and to the disk.

    Its last sync may have failed. Linux then still shows what was written, and SQLite takes it for committed, but no later sync brings it to
    the disk: whatever is written behind it would be lost with it. Written anew it is safe.
    """
    version_of(database)  # SQLite opens a log at the first read, and before has nothing to move
    try:
        database.execute_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # waits for nobody, as a running daemon has synced its log itself
    except DATABASE_ERRORS as error:
        if code_of(error) != sqlite3.SQLITE_FULL:  # people may still read, and be told that there is no room
            raise


def check(database: peewee.SqliteDatabase) -> None:
    """Raise Damaged when the database contradicts itself, peewee's OperationalError when the disk could not read a page of it.

    A large one is not asked whether every index agrees with its table, which would take seconds: that is done daily (`check_wholly`).
    """
    size = int(database.execute_sql("PRAGMA page_count").fetchone()[0]) * int(database.execute_sql("PRAGMA page_size").fetchone()[0])
    _ask(database, "integrity_check" if size <= WHOLE_CHECK_BYTES else "quick_check")


def check_wholly(database: peewee.SqliteDatabase) -> None:
    """The same with every index, whatever it takes. Raises as `check`."""
    _ask(database, "integrity_check")


def _ask(database: peewee.SqliteDatabase, pragma: str) -> None:
    found = " ".join(str(database.execute_sql(f"PRAGMA {pragma}(1)").fetchone()[0]).split())
    if (unread := PAGE_NOT_READ.search(found)) and int(unread["code"]) & PRIMARY_CODE == sqlite3.SQLITE_IOERR:
        raise peewee.OperationalError(f"the disk could not read it ({found})")
    if found != "ok":
        raise Damaged(found)
    if foreign := database.execute_sql("PRAGMA foreign_key_check").fetchone():
        raise Damaged(f"a row of table {foreign[0]} refers to nothing")


def _refuse_newer(database: peewee.SqliteDatabase, path: Path) -> None:
    version, newest = version_of(database), newest_version()
    if version > newest:
        raise StoreError(f"{path}: written by a newer blinkd (schema {version}, this one knows {newest}); install that version again")


def _holds_anything(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read: {error.strerror}; run the command as the owner of the state folder, or set state_dir to another one"
        ) from None


def _open_read_only(path: Path, settings: StoreSettings) -> peewee.SqliteDatabase:
    database: peewee.SqliteDatabase = Database(
        f"file:{quote(str(path))}?mode=ro",
        uri=True,
        pragmas={"busy_timeout": settings.busy_timeout_ms, "foreign_keys": 1},
        thread_safe=False,
        autoconnect=False,
    )
    try:
        database.connect()
        check(database)
        _refuse_newer(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _copy_in_memory(source: peewee.SqliteDatabase | None, path: Path) -> peewee.SqliteDatabase:
    memory: peewee.SqliteDatabase = Database(IN_MEMORY, pragmas={"foreign_keys": 1}, thread_safe=False, autoconnect=False)
    try:
        memory.connect()
        if source is not None:
            original: sqlite3.Connection = source.connection()
            original.backup(memory.connection())
        migrate(memory, str(path))
        memory.execute_sql("PRAGMA query_only = 1")  # a write here would be forgotten without a word
    except BaseException:
        memory.close()
        raise
    return memory


def _copy_of_files(path: Path, settings: StoreSettings) -> peewee.SqliteDatabase:
    """For a folder in which SQLite cannot make its -shm file, so that no other process of this user writes there either."""
    with tempfile.TemporaryDirectory(prefix="blinkd-") as folder:
        copy = Path(folder) / path.name
        try:
            for suffix in JOURNALS:
                part = path.with_name(path.name + suffix)
                if part.exists():
                    shutil.copyfile(part, copy.with_name(copy.name + suffix))
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}; run the command as the owner of the state folder") from None
        database = open_for_writing(copy, settings)
        try:
            return _copy_in_memory(database, path)
        finally:
            database.close()
