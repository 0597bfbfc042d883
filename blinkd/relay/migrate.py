"""Brings the relay's database to the newest schema: numbered files for each kind of database, none ever edited; several relays may try at once."""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

from blinkd.errors import StoreError
from blinkd.relay.connections import Connections, Cursor

HISTORY = "CREATE TABLE IF NOT EXISTS relay_schema (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL)"
STATEMENT_END = re.compile(r";[ \t]*(?:--[^\n]*)?\n")
COMMENT = re.compile(r"^\s*--[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Of the text, so that an edited file is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(dialect: str) -> list[Migration]:
    """All files for a kind of database (sqlite, postgres), in their order."""
    folder = files("blinkd.relay") / "migrations" / dialect
    found = [
        Migration(int(entry.name[1:5]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found, key=lambda migration: migration.version)


def migrate(connections: Connections) -> tuple[int, int]:
    """Apply what is missing, all or nothing; the versions before and after. Raises StoreError for a newer schema and an edited history."""
    known = migrations(connections.dialect)
    with connections.transaction() as cursor:
        connections.lock_schema(cursor)
        cursor.execute(HISTORY)
        applied = _applied(cursor)
        before = max(applied, default=0)
        if before > known[-1].version:
            raise StoreError(
                f"the database was written by a newer blinkd (schema {before}, this one knows {known[-1].version}); install that version here too"
            )
        for migration in known:
            if migration.version in applied:
                if applied[migration.version] != migration.sha256:
                    raise StoreError(
                        f"the database was made by another {migration.name} than this program's; install the program that made it"
                    )
                continue
            for statement in statements(migration.sql):
                cursor.execute(statement)
            values = (migration.version, migration.name, migration.sha256)
            cursor.execute(
                f"INSERT INTO relay_schema (version, name, sha256) VALUES ({connections.mark}, {connections.mark}, {connections.mark})",
                values,
            )
    return before, known[-1].version


def statements(sql: str) -> list[str]:
    """The statements of a file; none of them holds a semicolon at the end of a line."""
    return [one.strip() for one in STATEMENT_END.split(COMMENT.sub("", sql)) if one.strip()]


def _applied(cursor: Cursor) -> dict[int, str]:
    cursor.execute("SELECT version, sha256 FROM relay_schema")
    return {int(version): str(sha256) for version, sha256 in cursor.fetchall()}
