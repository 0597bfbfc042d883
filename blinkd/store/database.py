"""The terminal's database: opened with care, checked before it is trusted, never overwritten."""

import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import peewee

from blinkd.crypto.at_rest import TemplateCipher, load_key
from blinkd.errors import StoreError
from blinkd.settings import StoreSettings
from blinkd.store.book import BookRepository
from blinkd.store.people import PeopleRepository
from blinkd.store.preferences import PreferencesRepository
from blinkd.store.schema import migrate, newest_version, version_of
from blinkd.store.tables import tables

DATABASE_FILE = "blinkd.db"
SIDE_FILES = ("", "-wal", "-shm")

log = logging.getLogger(__name__)


class _Corrupt(Exception):
    """What is in the file is no sound database."""


class Store:
    """An open database with its repositories: `people`, `book`, `preferences`. A context manager."""

    def __init__(self, database: peewee.SqliteDatabase, path: Path, state_dir: Path) -> None:
        self._database = database
        self._state_dir = state_dir
        self._key: bytes | None = None
        self.path = path
        bound = tables(database)
        self.people = PeopleRepository(bound, self._cipher, self.transaction)
        self.book = BookRepository(database, bound, self.transaction)
        self.preferences = PreferencesRepository(bound)

    @classmethod
    def open(cls, state_dir: Path, settings: StoreSettings, *, read_only: bool = False) -> "Store":
        """Open the database of a state folder, making both when they are missing.

        A database that is not sound is set aside under another name and a new one begun, so that the door's log goes on; with
        `read_only` it is left where it is and StoreError raised. Raises StoreError too for a newer schema, a folder or disk that cannot
        be written, and a file that is locked for longer than the settings allow. A transient error never counts as corruption.
        """
        path = state_dir / DATABASE_FILE
        make_folder(state_dir)
        try:
            return cls._open(path, state_dir, settings)
        except _Corrupt as damage:
            if read_only:
                raise StoreError(
                    f"{path}: damaged ({damage}); the daemon, or any command that writes, sets it aside and begins a new one; "
                    "restore a backup to keep what it held"
                ) from None
            aside = _set_aside(path)
            log.error("%s: damaged (%s); set aside as %s and a new database begun; restore a backup if there is one", path, damage, aside)
            return cls._open(path, state_dir, settings)

    @classmethod
    @contextmanager
    def preview_of(cls, known: "Store") -> Iterator["Store"]:
        """A store that knows the same people and whose book is empty; it is gone afterwards, and nothing biometric is in it."""
        with tempfile.TemporaryDirectory(prefix="blinkd-") as folder, cls.open(Path(folder), StoreSettings()) as store:
            store.people.copy_from(known.people)
            yield store

    @classmethod
    def _open(cls, path: Path, state_dir: Path, settings: StoreSettings) -> "Store":
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be opened for writing: {error.strerror}; check owner, mode and mount of the state folder"
            ) from None
        database = peewee.SqliteDatabase(
            str(path),
            pragmas={
                "busy_timeout": settings.busy_timeout_ms,  # first: the others may have to wait
                "journal_mode": "wal",
                "synchronous": "full",  # a punch is announced only when it is on the disk
                "foreign_keys": 1,
                "secure_delete": 1,  # what is deleted is overwritten
            },
            thread_safe=False,
        )
        try:
            database.connect()
            _check(database)
            version = version_of(database)
            if version > newest_version():
                raise StoreError(
                    f"{path}: written by a newer blinkd (schema {version}, this one knows {newest_version()}); install that version again"
                )
            migrate(database, str(path))
        except (peewee.PeeweeException, sqlite3.Error) as error:
            database.close()
            if _is_damage(error):
                raise _Corrupt(str(error)) from None
            raise StoreError(_explain(path, error)) from None
        except (StoreError, _Corrupt):
            database.close()
            raise
        return cls(database, path, state_dir)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is on disk when it ends, or nothing of it. Raises StoreError when the disk does not take it."""
        try:
            with self._database.atomic("IMMEDIATE") if not self._database.in_transaction() else self._database.atomic():
                yield
        except (peewee.OperationalError, peewee.DatabaseError, sqlite3.Error) as error:
            raise StoreError(_explain(self.path, error)) from error

    def close(self) -> None:
        """Close the database; may be called twice."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _cipher(self, may_create: bool) -> TemplateCipher:
        if self._key is None:
            self._key = load_key(self._state_dir, create=may_create)
        return TemplateCipher(self._key)


def make_folder(state_dir: Path) -> None:
    """Make the state folder, closed to others, if it is missing. Raises StoreError."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{state_dir}: cannot be made or is no folder ({error.strerror}); set state_dir or BLINKD_STATE_DIR to a folder that you may write"
        ) from None


def _check(database: peewee.SqliteDatabase) -> None:
    found = database.execute_sql("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _Corrupt(str(found))
    if foreign := database.execute_sql("PRAGMA foreign_key_check").fetchone():
        raise _Corrupt(f"a row of table {foreign[0]} refers to nothing")


def _set_aside(path: Path) -> Path:
    """Rename the file and its companions; a name that is taken is never used again."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1000):
        aside = path.with_name(f"{path.name}.corrupt-{stamp}" + (f"-{number}" if number else ""))
        if not aside.exists():
            break
    for suffix in SIDE_FILES:
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(aside.with_name(aside.name + suffix))
    return aside


def _is_damage(error: Exception) -> bool:
    """SQLITE_CORRUPT and SQLITE_NOTADB; never a lock, a full disk or an I/O error."""
    text = str(error).lower()
    return "malformed" in text or "not a database" in text


def _explain(path: Path, error: Exception) -> str:
    text = str(error).lower()
    if "full" in text:
        return f"{path}: the disk is full; nothing was recorded: free some space"
    if "readonly" in text or "read-only" in text:
        return f"{path}: the state folder is read-only; nothing was recorded: check the mount and the owner of {path.parent}"
    if "locked" in text or "busy" in text:
        return f"{path}: another process holds the database for too long; nothing was recorded: try again"
    return f"{path}: {error}; nothing was recorded: check the disk"
