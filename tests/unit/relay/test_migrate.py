"""The relay's database is opened and brought up to date by whoever comes first, and by nobody who does not know it."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from blinkd.errors import StoreError
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.relay import migrate as module
from blinkd.relay.connections import OpenConnections
from blinkd.relay.migrate import Migration, migrate, migrations
from blinkd.relay.opening import open_connections
from blinkd.relay.postgres import PostgresConnections
from blinkd.relay.sqlite import SqliteConnections
from tests.unit.relay.test_books import rows

RELAYS = 6
NEWEST = 4


def emptied(server: PostgreSQL) -> str:
    connections = PostgresConnections(server.url)
    with connections.transaction() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    connections.close()
    return server.url


def checked_at_once(folder: Path, url: str) -> list[tuple[int, str]]:
    """Exit codes and words of several processes that run `relay check` at the same moment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BLINKD_")} | {"DATABASE_URL": url}
    begin = "import sys; from blinkd.cli import relay; from blinkd.relay import postgres, sqlite; from blinkd.__main__ import main; print(flush=True); sys.stdin.read(1); main()"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", begin, "relay", "check", "--json"],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(RELAYS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"  # it is ready
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    return [(json.loads(out)["schema"] if out else -1, words) for out, words in answers]


def test_relays_that_check_an_empty_postgresql_at_once_make_the_tables_once(postgres: PostgreSQL, tmp_path: Path) -> None:
    assert checked_at_once(tmp_path, emptied(postgres)) == [(NEWEST, "")] * RELAYS


def test_a_relay_that_opens_a_file_which_another_is_just_making_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        other.execute("COMMIT")

    monkeypatch.setattr("time.sleep", wait)
    connections = SqliteConnections(path)
    assert len(waits) == 1
    assert migrate(connections) == (0, NEWEST)
    connections.close()
    other.close()


def test_nobody_else_on_the_machine_reads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    try:
        connections = open_connections({})
        migrate(connections)
    finally:
        os.umask(before)
    files = sorted(tmp_path.iterdir())
    assert tmp_path / "cloud_blink.db" in files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert connections.name == f"SQLite, {tmp_path / 'cloud_blink.db'}"  # whoever stands in another folder sees that it is another file
    connections.close()


def test_a_folder_that_is_not_there_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/x\.db: .*check that the folder exists"):
        SqliteConnections(tmp_path / "nowhere" / "x.db")


def test_a_newer_schema_and_an_edited_history_are_refused_and_left_alone(connections: OpenConnections) -> None:
    with connections.transaction() as cursor:
        cursor.execute(f"INSERT INTO relay_schema VALUES ({NEWEST + 1}, 'later', 'x')")
    with pytest.raises(StoreError, match=r"newer blinkd .*install that version"):
        migrate(connections)
    with connections.transaction() as cursor:
        cursor.execute(f"DELETE FROM relay_schema WHERE version > {NEWEST}")
        cursor.execute("UPDATE relay_schema SET sha256 = 'other' WHERE version = 1")
    with pytest.raises(StoreError, match=r"v0001.*install the program that made it"):
        migrate(connections)


def test_a_migration_that_fails_half_way_leaves_nothing(connections: OpenConnections, monkeypatch: pytest.MonkeyPatch) -> None:
    known = migrations(connections.dialect)
    more = Migration(
        NEWEST + 1, "half.sql", "CREATE TABLE half (x INTEGER);\nINSERT INTO half VALUES (1);\nINSERT INTO nowhere VALUES (1);\n"
    )
    monkeypatch.setattr(module, "migrations", lambda _: [*known, more])
    with pytest.raises(StoreError):
        migrate(connections)
    with pytest.raises(StoreError, match="half"):
        rows(connections, "SELECT * FROM half")
    assert rows(connections, "SELECT max(version) FROM relay_schema") == [(NEWEST,)]
    monkeypatch.undo()
    assert migrate(connections) == (NEWEST, NEWEST)
