"""PostgreSQL: a few connections, taken by threads and given back."""

import contextlib
import queue
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from blinkd.errors import DatabaseAway, StoreError
from blinkd.relay.connections import ERA_BYTES, Cursor

MOST_CONNECTIONS = 4  # of a process: a request holds one for milliseconds, and a managed database counts them
# Unless the address says otherwise, so that a server that vanished without a word is noticed within a minute; by the system's own times it
# takes a quarter of an hour or two. In seconds but the last, which is in milliseconds: libpq's own units.
PATIENCE = {"connect_timeout": 10, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 30_000}
FORM = "write postgresql://user:password@host:5432/name, with %40 for @ and %2F for / within user and password"
CHECK = "check it, and that `blinkd relay migrate` has been run"
REMEDIES: dict[type[psycopg.Error], str] = {
    psycopg.errors.InsufficientPrivilege: "let the role in DATABASE_URL own the database",
    psycopg.errors.ReadOnlySqlTransaction: "name the primary server in DATABASE_URL, not a standby",
}
SCHEMA_LOCK = 0x626C696E6B64  # "blinkd", of the advisory locks
WAIT_S = 10.0  # for a connection that another thread has

Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresConnections:
    """A database. Connections are opened when first needed; one that fails is thrown away."""

    mark = "%s"
    dialect = "postgres"
    locking = " FOR UPDATE"

    def __init__(self, url: str) -> None:
        """Open nothing yet. Raises StoreError for an address that is none; no message repeats it, since it may hold a password."""
        try:
            parts = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise StoreError(f"DATABASE_URL is no address of a PostgreSQL database; {FORM}") from None
        if any("@" in str(parts.get(part, "")) for part in ("host", "port", "dbname")):
            raise StoreError(f"DATABASE_URL has an @ where host and name should be, which may be a part of its password; {FORM}")
        self._url = url
        self._patience = {option: value for option, value in PATIENCE.items() if option not in parts}
        port = f":{parts['port']}" if "port" in parts else ""
        self.name = f"{parts.get('host', 'local')}{port}/{parts.get('dbname', '')}"
        self.era = secrets.token_hex(ERA_BYTES)
        self._permits = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()

    @contextlib.contextmanager
    def transaction(self, *, reading: bool = False) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:  # noqa: ARG002  readers wait for nobody here
        """See Connections."""
        if not self._permits.acquire(timeout=WAIT_S):
            raise StoreError(f"database {self.name}: all {MOST_CONNECTIONS} connections are busy; it is too slow for what is asked of it")
        try:
            connection = self._take()
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    yield cursor
            except psycopg.Error as error:
                connection.close()
                words = error.diag.message_primary or type(error).__name__  # its other parts may hold values of the rows
                raise StoreError(f"database {self.name}: {words}; {REMEDIES.get(type(error), CHECK)}") from None
            except BaseException:
                self._idle.put(connection)
                raise
            self._idle.put(connection)
        finally:
            self._permits.release()

    def insert(self, cursor: Cursor, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], conflict: str) -> None:
        """As one statement with an array for each column: a third of what a statement for each row costs, on both sides."""
        places = ", ".join(f"%b::{kind}[]" for kind in columns.values())
        statement = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({places}) {conflict}"
        if rows:
            cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])

    def lock_schema(self, cursor: Cursor) -> None:
        """By a lock that PostgreSQL keeps for whoever asks by this number."""
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))

    def close(self) -> None:
        """Give the idle connections back."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _take(self) -> Connection:
        """An idle connection that is still alive, or a new one: the server may have restarted since."""
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                break
            try:
                connection.execute("SELECT 1")
                connection.rollback()
            except psycopg.Error:
                connection.close()
            else:
                return connection
        try:
            connection = psycopg.connect(self._url, **self._patience)  # type: ignore[arg-type]  # options of libpq, by name
        except psycopg.Error as error:
            words = (str(error).splitlines() or [type(error).__name__])[0]  # libpq's own, which never has a password
            raise DatabaseAway(f"database {self.name}: {words}; check that it runs and DATABASE_URL is right") from None
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # whatever the database prefers: rows are locked where it counts
        connection.prepare_threshold = None  # a pooler that hands out connections by the transaction knows no prepared statements
        self.era = secrets.token_hex(ERA_BYTES)
        return connection
