"""SQLite: one connection that threads take in turn."""

import contextlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from blinkd.errors import StoreError
from blinkd.relay.connections import ERA_BYTES, Cursor

BUSY_S = 10.0  # the relay's own writer holds the file for a batch; longer means that something hangs


class SqliteConnections:
    """A file, in write-ahead mode and synced at every commit."""

    mark = "?"
    dialect = "sqlite"
    locking = ""  # a transaction that writes has the whole file

    def __init__(self, path: Path) -> None:
        """Open it. Raises StoreError."""
        self._path = path
        self.name = f"SQLite, {path}"
        self.era = secrets.token_hex(ERA_BYTES)
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}; check that the folder exists and may be written") from None

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

    def lock_schema(self, cursor: Cursor) -> None:
        """It is locked already."""

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()
