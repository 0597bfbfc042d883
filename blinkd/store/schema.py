"""Brings a database to the newest schema: numbered files, forward only, each in a transaction of its own, none ever edited."""

import hashlib
import sqlite3
from dataclasses import dataclass
from importlib.resources import files

from peewee import SqliteDatabase

from blinkd.errors import StoreError

HISTORY = """CREATE TABLE IF NOT EXISTS schema_history (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"""


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


def migrations() -> list[Migration]:
    """All files of the history, in their order."""
    found = []
    for entry in files("blinkd.store.migrations").iterdir():
        if entry.name.endswith(".sql"):
            found.append(Migration(int(entry.name[1:5]), entry.name, entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


def newest_version() -> int:
    """The schema that this program writes."""
    return migrations()[-1].version


def version_of(database: SqliteDatabase) -> int:
    """The schema of an open database; 0 for an empty one."""
    return int(database.execute_sql("PRAGMA user_version").fetchone()[0])


def migrate(database: SqliteDatabase, where: str) -> None:
    """Apply what is missing. Raises StoreError when a file of the history is not the one that was applied."""
    history = migrations()
    if version_of(database) == history[-1].version:
        _check_history(database, history, where)
        return
    with database.atomic("IMMEDIATE"):
        current = version_of(database)  # again, under the lock: another process may have been faster
        database.execute_sql(HISTORY)
        if current:
            _check_history(database, [migration for migration in history if migration.version <= current], where)
    for migration in history:
        if migration.version <= version_of(database):
            continue
        with database.atomic("IMMEDIATE"):
            if migration.version <= version_of(database):
                continue
            for statement in statements(migration.sql):
                database.execute_sql(statement)
            database.execute_sql(
                "INSERT INTO schema_history (version, name, sha256) VALUES (?, ?, ?)", (migration.version, migration.name, migration.sha256)
            )
            database.execute_sql(f"PRAGMA user_version = {migration.version}")


def statements(sql: str) -> list[str]:
    """Split a script into statements (triggers hold semicolons of their own)."""
    found, pending = [], ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    if pending.strip():
        raise ValueError(f"unfinished statement: {pending.strip()[:60]}")
    return found


def alterations(database: SqliteDatabase) -> list[str]:
    """What of the newest schema was removed, added or changed behind the program's back, in words; triggers above all, which keep the book
    as it was written, and could swallow what is written next. The origin's queue may have the origin's own wording.
    """  # fmt: skip
    pristine = SqliteDatabase(":memory:")
    try:
        migrate(pristine, "memory")
        wanted, found = _objects(pristine), _objects(database)
    finally:
        pristine.close()
    return [
        f"{kind} {name} {'is missing' if (kind, name) not in found else 'was put in' if (kind, name) not in wanted else 'was changed'}"
        for kind, name in sorted(wanted.keys() | found.keys())
        if wanted.get((kind, name)) != found.get((kind, name))
    ]


def _objects(database: SqliteDatabase) -> dict[tuple[str, str], str]:
    rows = database.execute_sql(
        """SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'
        AND NOT (type IN ('table', 'index') AND tbl_name IN ('sync_queue', 'schema_history'))"""
    ).fetchall()
    return {(str(kind), str(name)): str(sql) for kind, name, sql in rows}


def _check_history(database: SqliteDatabase, history: list[Migration], where: str) -> None:
    applied = {int(row[0]): str(row[1]) for row in database.execute_sql("SELECT version, sha256 FROM schema_history")}
    for migration in history:
        if applied.get(migration.version, migration.sha256) != migration.sha256:
            raise StoreError(f"{where}: migration {migration.name} is not the one that was applied; install the released version of blinkd")
