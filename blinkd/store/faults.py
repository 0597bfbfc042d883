"""What SQLite's errors mean for the person at the terminal, by SQLite's own result codes (https://sqlite.org/rescode.html)."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee

from blinkd.errors import StoreError

PRIMARY_CODE = 0xFF  # an extended code holds its primary one in the lowest byte

DATABASE_ERRORS = (peewee.PeeweeException, sqlite3.Error)
"""All that peewee and sqlite3 raise; peewee hands most of sqlite3's on in classes of its own."""


def code_of(error: BaseException) -> int:
    """SQLite's primary result code of an error, or 0 (SQLITE_OK) when it carries none."""
    for candidate in (error, getattr(error, "orig", None)):  # peewee keeps sqlite3's own there
        if isinstance(candidate, sqlite3.Error):
            # the attribute is only there when SQLite itself, not the Python module, raised the error
            return int(getattr(candidate, "sqlite_errorcode", 0)) & PRIMARY_CODE
    return 0


def is_damage(error: BaseException) -> bool:
    """Whether the file is no sound database; never true for a lock, a full disk or an I/O error."""
    return code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_refused_place(error: BaseException) -> bool:
    """Whether SQLite could not make the files that it keeps beside the database, or not write to it."""
    return code_of(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def explain(path: Path, error: BaseException) -> str:
    """Say what went wrong with the database at `path`, and what to do."""
    match code_of(error):
        case sqlite3.SQLITE_FULL:
            return f"{path}: the disk is full; nothing was recorded: free some space"
        case sqlite3.SQLITE_READONLY:
            return f"{path}: the state folder is read-only; nothing was recorded: check the mount and the owner of {path.parent}"
        case sqlite3.SQLITE_CANTOPEN:
            return f"{path}: cannot be opened; nothing was recorded: check owner, mode and mount of {path.parent}, and free space"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"{path}: another process holds the database for too long (locked); nothing was recorded: try again"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return f"{path}: damaged ({error}); nothing was recorded: start again, which sets it aside, and restore a backup"
        case sqlite3.SQLITE_CONSTRAINT:
            return f"{path}: refused by the schema ({error}); nothing was recorded"
        case sqlite3.SQLITE_IOERR:
            # SQLite tells an EROFS of a disk that was writable before from an EIO no more than we can
            return (
                f"{path}: the disk fails, is full or has become read-only ({error}); nothing was recorded: check disk, mount and free space"
            )
        case _:
            return f"{path}: {error}; nothing was recorded: check the disk"


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn every database error within into StoreError, explained for the database at `path`."""
    try:
        yield
    except DATABASE_ERRORS as error:
        raise StoreError(explain(path, error)) from error
    except UnicodeEncodeError as error:  # bytes of the command line that are no UTF-8
        raise StoreError(f"{error.object!r} is no text that can be looked up or stored; write it in UTF-8") from None
