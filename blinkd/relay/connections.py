"""The small part of a database that the relay needs, so that its statements run on SQLite and PostgreSQL alike."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

ERA_BYTES = 8


class Cursor(Protocol):
    """A cursor as PEP 249 has it, inside a transaction."""

    def execute(self, statement: str, values: Sequence[Any] = ...) -> object:
        """Run a statement."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> object:
        """Run a statement once for each row."""

    def fetchone(self) -> Any:  # noqa: ANN401  a row, or None
        """Return the next row."""

    def fetchall(self) -> Sequence[Any]:
        """Return the rows that are left."""


class Connections(Protocol):
    """A database. mark: how its driver writes a value's place, `?` or `%s`. May be used by many threads at once."""

    @property
    def mark(self) -> str:
        """The place of a value."""

    @property
    def dialect(self) -> str:
        """The folder of its migrations."""

    @property
    def name(self) -> str:
        """Which database it is, without credentials."""

    @property
    def era(self) -> str:
        """A random word, another one for each connection that is made: nothing written after a database was put back bears one from before.

        Where a connection pooler hides that the server was put back, the relays must be restarted.
        """

    @property
    def locking(self) -> str:
        """What a SELECT ends with that holds its rows until the transaction ends."""

    def insert(self, cursor: Cursor, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], conflict: str) -> None:
        """Add many rows at once. columns: names and types; conflict: the statement's end that says what becomes of rows that are there."""

    def lock_schema(self, cursor: Cursor) -> None:
        """Let nobody else change the schema until the transaction ends."""

    def transaction(self, *, reading: bool = False) -> AbstractContextManager[Cursor]:
        """Commits at the end, rolls back at an exception. reading: it changes nothing, and so waits for no writer. Raises StoreError when the database cannot be reached or written."""


class OpenConnections(Connections, Protocol):
    """A database that this program has opened itself."""

    def close(self) -> None:
        """Let go of it."""
