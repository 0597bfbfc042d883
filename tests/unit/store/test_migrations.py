import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from peewee import SqliteDatabase

from blinkd.attendance.proof import in_order, prove
from blinkd.attendance.punch import PersonStatus
from blinkd.crypto.at_rest import TemplateCipher, template_key
from blinkd.errors import StoreError
from blinkd.store import schema
from blinkd.store.database import DATABASE_FILE, Store
from blinkd.store.schema import Migration, migrations, newest_version, statements
from tests.unit.store.stores import MODEL, QUICK, at_once, contents, old_database, open_store, punch, rows, vector

EXPORTED = "id, model_id, quality, source, created_at"  # of templates, before they had views


def test_files_are_numbered_without_gaps() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
def test_every_old_version_is_walked_up_and_opens_again(tmp_path: Path, version: int) -> None:
    old_database(tmp_path / DATABASE_FILE, version)
    for _ in ("walks up", "opens again"):
        with open_store(tmp_path) as store:
            people = {person.id: person for person in store.people.all()}
            punches = list(store.book.punches())
            scans = list(store.scans.read())
    assert rows(tmp_path, "PRAGMA user_version") == [(newest_version(),)]
    assert [row[0] for row in rows(tmp_path, "SELECT version FROM schema_history ORDER BY version")] == list(
        range(version + 1, newest_version() + 1)
    )
    if version >= 1:
        assert people["u1"].name == "Zoë O'Neill"
        assert people["u1"].enrolled_at == datetime(2025, 1, 2, 7, 59, 58, 123000, UTC)
        assert people["u2"].enrolled_at == datetime(2025, 1, 3, 10, tzinfo=UTC)
        assert people["u2"].status is (PersonStatus.DEACTIVATED if version >= 3 else PersonStatus.ACTIVE)
        assert [(scan["person_id"], scan["outcome"], scan["reason"]) for scan in scans] == [
            ("u1", "accepted", None),
            (None, "refused", "unknown_face"),
        ]
    else:
        assert (people, punches, scans) == ({}, [], [])
    if version >= 2:
        assert {(row.id, row.status.value, row.punctuality.value, row.sync.value) for row in punches} == {
            ("p1", "CHECK_IN", "LATE", "SYNCED"),
            ("p2", "CHECK_OUT", "ON_TIME", "PENDING"),
            ("p3", "CHECK_IN", "ON_TIME", "FAILED"),
            ("p4", "CHECK_IN", "ON_TIME", "PENDING"),
        }
        assert {row.id: row.utc for row in punches} == {
            "p1": datetime(2025, 1, 5, 8, tzinfo=UTC),
            "p2": datetime(2025, 1, 5, 17, 0, 0, 500000, UTC),
            "p3": datetime(2025, 1, 6, 9, tzinfo=UTC),
            "p4": datetime(2025, 1, 7, 9, tzinfo=UTC),  # milliseconds since 1970
        }
    if version >= 4:
        assert rows(tmp_path, "SELECT envelope FROM people WHERE id = 'u1'") == [('{"iv": 1}',)]


@pytest.mark.parametrize("version", [5, 6])
def test_a_terminals_people_are_the_same_after_templates_got_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """The older program's rows, as it wrote them, and what `people export` told of them then."""
    real = migrations()
    old_database(tmp_path / DATABASE_FILE, 4)
    monkeypatch.setattr(schema, "migrations", lambda: real[:version])
    open_store(tmp_path).close()
    cipher = TemplateCipher(template_key(tmp_path, create=True))
    raw = sqlite3.connect(tmp_path / DATABASE_FILE)
    for number, model, person in ((1, MODEL, "u1"), (2, MODEL, "u1"), (3, "other@1", "u2")):
        sealed = cipher.seal(f"t{number}", person, model, vector(number))
        row = (f"t{number}", person, model, 192, sealed, 0.5, f"{number}.jpg", "2026-01-01T00:00:00+00:00")
        raw.execute("INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    raw.commit()
    raw.row_factory = sqlite3.Row
    told = {
        person["id"]: {
            **person,
            "templates": [dict(row) for row in raw.execute(f"SELECT {EXPORTED} FROM templates WHERE person_id = ?", (person["id"],))],
            "punches": [dict(row) for row in raw.execute("SELECT * FROM punches WHERE person_id = ? ORDER BY seq", (person["id"],))],
            "scans": [dict(row) for row in raw.execute("SELECT * FROM scan_log WHERE person_id = ? ORDER BY seq", (person["id"],))],
        }
        for person in [dict(row) for row in raw.execute("SELECT id, name, status FROM people")]
    }
    raw.close()
    monkeypatch.setattr(schema, "migrations", lambda: real)
    for _ in ("walks up", "opens again"):
        with open_store(tmp_path) as store:
            for person_id, before in told.items():
                person, templates = store.people.get(person_id), store.people.kept_templates(person_id)
                assert (person.name, person.status) == (before["name"], before["status"])
                assert (person.valid_from, person.valid_until, person.groups) == (None, None, ())
                assert store.people.enrolments(person_id) == []
                for template in templates:
                    assert (template.pop("view"), template.pop("label"), template.pop("moment")) == ("unknown", "", template["id"])
                assert templates == before["templates"]
                # what was in the book is there under the person's pseudonym
                found = [(p.seq, p.id, p.status, p.punctuality, p.minutes) for p in store.book.punches(person_id=person_id)]
                kept = ("seq", "id", "status", "punctuality", "minutes_late")
                assert found == [tuple(row[key] for key in kept) for row in before["punches"]]
                scanned = [(scan["outcome"], scan["reason"]) for scan in store.scans.read(store.people.get(person_id).subject)]
                assert scanned == [(row["outcome"], row["reason"]) for row in before["scans"]]
            assert [person.templates for person in store.people.all()] == [1, 2]
            assert [one.view for one in store.people.moments("u1")] == ["unknown", "unknown"]
            for template, seed in zip(store.people.templates(MODEL), (1, 2), strict=True):
                np.testing.assert_array_equal(template.vector, vector(seed))
            assert store.people.lacking(MODEL) == {"u2"}


def test_a_punch_goes_on_from_the_origins_last_number(tmp_path: Path) -> None:
    old_database(tmp_path / DATABASE_FILE, 4)
    with open_store(tmp_path) as store:
        assert store.book.next_seq() == 7  # the fifth says that four were taken over, the sixth of whom
        store.book.append_punch(punch(7))
        entries, strays = store.book.audit()
        proof = prove(in_order(entries, strays), [], None)
    assert rows(tmp_path, "SELECT count(*) FROM punches") == [(5,)]
    assert (proof.ok, proof.adopted, proof.entries, proof.punches) == (True, 4, 8, 5)
    assert rows(tmp_path, "SELECT sync FROM chain WHERE seq BETWEEN 1 AND 4 ORDER BY seq") == [
        ("PENDING",),
        ("SYNCED",),
        ("PENDING",),
        ("FAILED",),
    ]


def test_a_time_that_cannot_be_read_does_not_keep_the_book_shut(tmp_path: Path) -> None:
    old_database(tmp_path / DATABASE_FILE, 4)
    raw = sqlite3.connect(tmp_path / DATABASE_FILE)
    raw.execute("UPDATE attendance SET timestamp = 'yesterday' WHERE id = 'p1'")
    raw.commit()
    raw.close()
    with open_store(tmp_path) as store:
        assert {row.id: row.utc for row in store.book.punches()}["p1"] == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_origins_plaintext_embeddings_are_gone_from_the_files(tmp_path: Path) -> None:
    old_database(tmp_path / DATABASE_FILE, 4)
    assert b"PLAINTEXT-EMBEDDING" in (tmp_path / DATABASE_FILE).read_bytes()
    open_store(tmp_path).close()
    assert all(b"PLAINTEXT-EMBEDDING" not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize("read_only", [False, True])
def test_an_edited_migration_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool) -> None:
    open_store(tmp_path).close()
    real = migrations()
    edited = [*real[:-1], Migration(real[-1].version, real[-1].name, real[-1].sql + "-- edited\n")]
    monkeypatch.setattr(schema, "migrations", lambda: edited)
    with pytest.raises(StoreError, match=f"{real[-1].name} is not the one that was applied"):
        Store.open(tmp_path, QUICK, read_only=read_only)


def test_an_edited_early_migration_is_refused_before_later_ones_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = migrations()
    monkeypatch.setattr(schema, "migrations", lambda: real[:3])
    open_store(tmp_path).close()
    monkeypatch.setattr(schema, "migrations", lambda: [Migration(1, real[0].name, real[0].sql + " "), *real[1:]])
    with pytest.raises(StoreError, match=re.escape(real[0].name)):
        open_store(tmp_path)
    assert rows(tmp_path, "PRAGMA user_version") == [(3,)]


def test_a_migration_that_fails_leaves_the_version_before_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_database(tmp_path / DATABASE_FILE, 2)
    real = migrations()
    broken = Migration(4, real[3].name, "CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);\n")
    monkeypatch.setattr(schema, "migrations", lambda: [*real[:3], broken])
    with pytest.raises(StoreError, match="nowhere"):
        open_store(tmp_path)
    assert rows(tmp_path, "PRAGMA user_version") == [(3,)]
    assert rows(tmp_path, "SELECT name FROM sqlite_master WHERE name = 'half'") == []
    monkeypatch.setattr(schema, "migrations", lambda: real)
    with open_store(tmp_path) as store:
        assert len(store.people.all()) == 2


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_schema_is_refused_and_untouched(tmp_path: Path, read_only: bool) -> None:
    raw = sqlite3.connect(tmp_path / DATABASE_FILE)
    raw.executescript("CREATE TABLE future (x); INSERT INTO future VALUES (1); PRAGMA user_version = 999;")
    raw.close()
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=r"newer blinkd [(]schema 999"):
        Store.open(tmp_path, QUICK, read_only=read_only)
    assert contents(tmp_path) == before


def test_processes_that_migrate_at_once_all_succeed(tmp_path: Path) -> None:
    old_database(tmp_path / DATABASE_FILE, 2)
    code = (
        "import sys; from pathlib import Path; from blinkd.settings import StoreSettings; from blinkd.store.database import Store\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with Store.open(Path(sys.argv[1]), StoreSettings(busy_timeout_ms=60_000)) as store: store.preferences.set(sys.argv[2], 'here')\n"
    )
    ended = at_once(code, [[str(tmp_path), str(number)] for number in range(3)])
    assert "".join(child.stderr for child in ended) == ""
    assert [child.returncode for child in ended] == [0] * 3
    assert rows(tmp_path, "SELECT count(*) FROM settings") == [(3,)]
    assert rows(tmp_path, "SELECT count(*) FROM schema_history") == [(newest_version() - 2,)]
    assert rows(tmp_path, "SELECT count(*) FROM people") == [(2,)]


def test_a_database_of_another_program_is_refused_and_kept(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / DATABASE_FILE)
    raw.executescript("CREATE TABLE users (x); INSERT INTO users VALUES ('kept');")
    raw.close()
    with pytest.raises(StoreError, match="users already exists"):
        open_store(tmp_path)
    assert rows(tmp_path, "SELECT x FROM users") == [("kept",)]
    assert not list(tmp_path.glob("*.corrupt-*"))


def test_a_script_is_split_at_statements_not_inside_triggers() -> None:
    script = "CREATE TABLE a (x); \nCREATE TRIGGER t BEFORE DELETE ON a BEGIN\n SELECT 1;\n SELECT 2;\nEND;\n"
    assert len(statements(script)) == 2
    with pytest.raises(ValueError, match="unfinished"):
        statements("CREATE TABLE a (x)")


def test_version_of_an_empty_database_is_zero() -> None:
    database = SqliteDatabase(":memory:")
    assert schema.version_of(database) == 0
    database.close()
