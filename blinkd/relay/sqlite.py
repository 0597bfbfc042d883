"""SQLite: one connection that threads take in turn."""

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from blinkd.errors import StoreError
from blinkd.relay.connections import ERA_BYTES, Cursor

BUSY_S = 10.0  # the relay's own writer holds the file for a batch; longer means that something hangs
LOOK_S = 0.02  # between looks whether a new file is free


class SqliteConnections:
    """A file, in write-ahead mode and synced at every commit."""

    mark = "?"
    dialect = "sqlite"
    locking = ""  # a transaction that writes has the whole file

    def __init__(self, path: Path) -> None:
        """Open it. Raises StoreError."""
        self._path = path
        self.name = f"SQLite, {path.absolute()}"
        self.era = secrets.token_hex(ERA_BYTES)
        self._lock = threading.Lock()
        try:
            with contextlib.suppress(FileExistsError):  # made here and not by SQLite, for which anybody may read it
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            self._log_ahead()
            self._connection.execute("PRAGMA synchronous = FULL")
        except (sqlite3.Error, OSError) as error:
            words = error.strerror if isinstance(error, OSError) else error
            raise StoreError(f"{path}: {words}; check that the folder exists and may be written") from None

    @contextlib.contextmanager
    def transaction(self, *, reading: bool = False) -> Iterator[sqlite3.Cursor]:
        """See Connections."""
        try:
            with self._lock, contextlib.closing(self._connection.cursor()) as cursor:
                cursor.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
                try:
                    yield cursor
                except BaseException:
                    self._connection.rollback()
                    raise
                cursor.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}; check the disk, and that `blinkd relay migrate` has been run") from None

    def insert(self, cursor: Cursor, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], conflict: str) -> None:
        """Row by row, which costs little where the database is no other process."""
        marks = ", ".join("?" * len(columns))
        cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) {conflict}", rows)

    def _log_ahead(self) -> None:
        """Of a new file; SQLite's own time-out does not hold for this, where another relay begins at the same moment."""
        until = time.monotonic() + BUSY_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                    raise
                time.sleep(LOOK_S)
            else:
                return

    def lock_schema(self, cursor: Cursor) -> None:
        """It is locked already."""

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()
