import json
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.proof import Anchor, Proof, in_order, prove
from blinkd.attendance.punch import Punch
from blinkd.attendance.supervisor import Supervisor
from blinkd.crypto.signing import Signer
from blinkd.errors import KeyMissing, StoreError
from blinkd.settings import AttendanceSettings
from blinkd.store.anchors import head_file, heads_in
from blinkd.store.database import DATABASE_FILE, Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import clerk_of, open_store, punch

PUNCHES = 12
TRIGGERS = ("punches", "entries", "chain")


def book(folder: Path, *, erase: bool = True) -> None:
    """Twelve punches, a correction with its reason, one that was erased."""
    clock = SetClock()
    with open_store(folder) as store:
        store.people.enrol("E-1", "Ann", [])
        clerk = clerk_of(store, clock, AttendanceSettings(min_interval_s=0))
        for _ in range(PUNCHES):
            clock.wait(minutes=7)
            clerk.attend("E-1", 0.7, {})
        Supervisor(store.book, clock, "S-7").void(3, "wrong person")
        if erase:
            store.book.erase([5], "retention", clock.now())


def proved(folder: Path, anchors: list[Anchor] | None = None) -> Proof:
    key = Signer.load(folder, create=False).public
    with Store.open(folder, open_settings(), read_only=True) as store:
        entries, strays = store.book.audit()
        beside = head_file(folder, key)
        assert beside is not None
        return prove(in_order(entries, strays), [beside, *(anchors or [])], key)


def open_settings() -> Any:
    from tests.unit.store.stores import QUICK

    return QUICK


def attack(folder: Path, *statements: str) -> None:
    """What somebody does who may write the file, and knows SQLite."""
    raw = sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)
    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        raw.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        raw.execute(statement)
    raw.close()


def test_a_table_of_entries_whose_kinds_no_longer_follow_from_their_content_is_noticed(tmp_path: Path) -> None:
    """By the kind corrections are found; a column that anybody fills would hide one."""
    book(tmp_path)
    attack(
        tmp_path,
        "ALTER TABLE entries RENAME TO old",
        "CREATE TABLE entries (seq INTEGER PRIMARY KEY, content TEXT, note TEXT, note_salt BLOB, kind TEXT, target INTEGER, subject INTEGER)",
        "INSERT INTO entries SELECT seq, content, note, note_salt, CASE seq WHEN 13 THEN 'none' ELSE kind END, target, subject FROM old",
        "DROP TABLE old",
    )
    proof = proved(tmp_path)
    assert proof.first_bad == (13, "its content was edited")


def test_an_end_that_was_cut_off_stays_noticed_when_the_book_has_grown_again(tmp_path: Path) -> None:
    book(tmp_path)
    attack(tmp_path, *[f"DELETE FROM {table} WHERE seq >= 12" for table in TRIGGERS])
    for _ in ("another process", "and another"):
        with open_store(tmp_path) as store:
            clerk = clerk_of(store, SetClock(), AttendanceSettings(min_interval_s=0))
            for _ in range(3):
                clerk.attend("E-1", 0.7, {})
    proof = proved(tmp_path)
    assert proof.first_bad == (14, "it is not the one that book.head knows: the book was written anew")


def test_an_honest_book_is_proved_whole(tmp_path: Path) -> None:
    book(tmp_path)
    proof = proved(tmp_path)
    assert (proof.ok, proof.entries, proof.punches, proof.erased, proof.adopted) == (True, PUNCHES + 3, PUNCHES - 1, 1, 0)
    assert proof.anchors == [f"book.head: entry {PUNCHES + 2}"]
    assert proof.warnings == []


SWAP = """UPDATE punches SET seq = CASE seq WHEN 6 THEN 7 ELSE 6 END WHERE seq IN (6, 7)"""


@pytest.mark.parametrize(
    ("first_bad", "statements"),
    [
        (4, ["UPDATE punches SET us = us + 1 WHERE seq = 4"]),
        (4, ["UPDATE punches SET subject = subject + 1 WHERE seq = 4"]),
        (4, ["UPDATE punches SET status = 'CHECK_IN' WHERE seq = 4"]),
        (9, ["UPDATE punches SET minutes = 1 WHERE seq = 9"]),
        (9, ["UPDATE punches SET shift = 'night' WHERE seq = 9"]),
        (9, ["UPDATE punches SET clock = 'unsynced' WHERE seq = 9"]),
        (9, ["UPDATE punches SET boot_s = boot_s + 1 WHERE seq = 9"]),
        (9, ["UPDATE punches SET terminal = 'other' WHERE seq = 9"]),
        (9, ["UPDATE punches SET similarity = 0.9 WHERE seq = 9"]),
        (9, ["UPDATE punches SET method = 'pin' WHERE seq = 9"]),
        (9, ["UPDATE punches SET us = 'noon' WHERE seq = 9"]),
        (8, ["DELETE FROM punches WHERE seq = 8"]),  # content only
        (8, ["DELETE FROM punches WHERE seq = 8", "UPDATE chain SET salt = NULL WHERE seq = 8"]),  # as if by retention
        (8, ["DELETE FROM punches WHERE seq = 8", "DELETE FROM chain WHERE seq = 8"]),
        (0, ["DELETE FROM punches WHERE seq < 3", "DELETE FROM entries WHERE seq < 3", "DELETE FROM chain WHERE seq < 3"]),
        (0, ["DELETE FROM entries WHERE seq = 0"]),
        (6, ["UPDATE punches SET seq = 100 WHERE seq = 6", "UPDATE punches SET seq = 6 WHERE seq = 7", "UPDATE punches SET seq = 7 WHERE seq = 100"]),
        (13, ["UPDATE entries SET content = replace(content, '\"target\":3', '\"target\":4') WHERE seq = 13"]),
        (13, ["UPDATE entries SET note = 'right person' WHERE seq = 13"]),
        (13, ["UPDATE entries SET note = NULL, note_salt = NULL WHERE seq = 13"]),
        (14, ["UPDATE entries SET content = replace(content, '[[5,5]]', '[[5,6]]') WHERE seq = 14"]),
        # one more member of the same name: SQLite takes the first, Python the last, and the correction would be found by nobody
        (13, ["UPDATE entries SET content = '{\"kind\":\"none\",' || substr(content, 2) WHERE seq = 13"]),
        (13, ["UPDATE entries SET content = '{\"target\":7,' || substr(content, 2) WHERE seq = 13"]),
        (13, ["UPDATE entries SET content = ' ' || content WHERE seq = 13"]),
        (13, ["UPDATE entries SET content = '[1]' WHERE seq = 13"]),
        (13, ["UPDATE entries SET note = x'00' WHERE seq = 13"]),
        (9, ["UPDATE punches SET us = us + 0.25 WHERE seq = 9"]),
        (9, ["UPDATE punches SET id = x'00' WHERE seq = 9"]),
        (9, ["UPDATE chain SET salt = 'text' WHERE seq = 9"]),
        (9, ["UPDATE chain SET commitment = 'text' WHERE seq = 9"]),
        (9, ["UPDATE chain SET hash = 'text' WHERE seq = 9"]),
        (9, ["UPDATE chain SET signature = 'text' WHERE seq = 9"]),
        (0, ["UPDATE entries SET content = '{\"kind\":\"genesis\"}' WHERE seq = 0"]),
        (2, ["UPDATE chain SET signature = NULL WHERE seq = 2"]),
        (2, ["UPDATE chain SET signature = zeroblob(64) WHERE seq = 2"]),
        (2, ["UPDATE chain SET hash = zeroblob(32) WHERE seq = 2"]),
        (2, ["UPDATE chain SET commitment = zeroblob(32) WHERE seq = 2"]),
        (15, ["INSERT INTO punches SELECT 15, 'new', subject, us, boot_s, boot_id, clock, status, punctuality, minutes, shift, terminal, similarity, method FROM punches WHERE seq = 1"]),
        (13, ["INSERT INTO punches SELECT 13, 'new', subject, us, boot_s, boot_id, clock, status, punctuality, minutes, shift, terminal, similarity, method FROM punches WHERE seq = 1"]),
        (12, [f"DELETE FROM {table} WHERE seq >= 12" for table in TRIGGERS]),  # the end cut off, cleanly
    ],
)  # fmt: skip
def test_the_first_bad_entry_is_named(tmp_path: Path, first_bad: int, statements: list[str]) -> None:
    book(tmp_path)
    attack(tmp_path, *statements)
    proof = proved(tmp_path)
    assert proof.first_bad is not None
    assert proof.first_bad[0] == first_bad, proof.first_bad


def test_a_book_that_was_written_anew_with_another_key_is_not_the_terminals(tmp_path: Path) -> None:
    book(tmp_path / "a")
    book(tmp_path / "b")
    (tmp_path / "b" / "signing.key").write_bytes((tmp_path / "a" / "signing.key").read_bytes())
    (tmp_path / "b" / "book.head").write_bytes((tmp_path / "a" / "book.head").read_bytes())
    proof = proved(tmp_path / "b")
    assert proof.first_bad is not None
    assert proof.first_bad[0] == 0
    assert "another key" in proof.first_bad[1]


def test_a_book_written_anew_with_the_terminals_own_key_does_not_agree_with_heads_noted_elsewhere(tmp_path: Path) -> None:
    """Whoever has the key can write another book, but cannot make the journal and the relay forget the first."""
    book(tmp_path)
    noted = proved(tmp_path)
    assert noted.head is not None
    for name in (DATABASE_FILE, "book.head"):
        (tmp_path / name).unlink()
    book(tmp_path)
    again = proved(tmp_path, [Anchor("the journal", "", noted.head[0], noted.head[1])])
    assert again.first_bad == (noted.head[0], "it is not the one that the journal knows: the book was written anew")


def test_a_head_file_that_was_set_back_is_noticed_by_the_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "blinkd.book")
    book(tmp_path, erase=False)
    heads = heads_in(caplog.text, "the journal")
    assert [head.seq for head in heads] == [*range(1, PUNCHES + 2)]
    attack(tmp_path, *(f"DELETE FROM {table} WHERE seq >= 12" for table in TRIGGERS))
    signer = Signer.load(tmp_path, create=False)
    old = next(head for head in heads if head.seq == 11)
    words = {"book": old.book, "seq": 11, "hash": old.hash.hex(), "signature": signer.sign(old.hash).hex()}
    (tmp_path / "book.head").write_text(json.dumps(words))
    assert proved(tmp_path).ok
    shortened = proved(tmp_path, heads)
    assert shortened.first_bad is not None
    assert shortened.first_bad[0] == 12
    assert "the journal knows entry 12" in shortened.first_bad[1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"book": "b", "seq": 3, "hash": "zz", "signature": ""}'])
def test_a_torn_head_file_is_named(tmp_path: Path, content: str) -> None:
    book(tmp_path)
    (tmp_path / "book.head").write_text(content)
    with pytest.raises(StoreError, match=r"book\.head: torn or edited"):
        head_file(tmp_path, None)


def test_a_head_file_signed_by_somebody_else_is_named(tmp_path: Path) -> None:
    book(tmp_path / "a")
    book(tmp_path / "b")
    with pytest.raises(StoreError, match="not signed by this terminal"):
        head_file(tmp_path / "a", Signer.load(tmp_path / "b", create=False).public)


def test_any_single_change_to_any_cell_is_found_at_or_before_its_entry(tmp_path: Path) -> None:
    book(tmp_path)
    chance = random.Random(4)
    whole = (tmp_path / DATABASE_FILE).read_bytes()
    raw = sqlite3.connect(tmp_path / DATABASE_FILE)
    columns = {
        table: [row[1] for row in raw.execute(f"PRAGMA table_info({table})") if row[1] not in ("seq", "sync", "note_salt")]
        for table in TRIGGERS
    }
    raw.close()
    change: dict[str, Callable[[Any], Any]] = {
        "bytes": lambda value: bytes([value[0] ^ 1]) + value[1:],
        "int": lambda value: value + 1,
        "float": lambda value: value + 0.001,
        "str": lambda value: value.replace("O", "0") if "O" in value else value + "x",
    }
    tried = 0
    for _ in range(60):
        (tmp_path / DATABASE_FILE).write_bytes(whole)
        table = chance.choice(TRIGGERS)
        column = chance.choice(columns[table])
        raw = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
        seq, value = chance.choice(raw.execute(f"SELECT seq, {column} FROM {table}").fetchall())
        if value is None:
            raw.close()
            continue
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        try:
            raw.execute(f"UPDATE {table} SET {column} = ? WHERE seq = ?", (change[type(value).__name__](value), seq))
        except sqlite3.Error:
            continue  # no JSON any more, which the schema's own index refuses
        finally:
            raw.close()
        tried += 1
        proof = proved(tmp_path)
        assert proof.first_bad is not None, (table, column, seq)
        assert proof.first_bad[0] <= seq, (table, column, seq, proof.first_bad)
    assert tried > 30


def test_an_entry_of_another_book_does_not_fit(tmp_path: Path) -> None:
    book(tmp_path / "a")
    book(tmp_path / "b")
    attack(
        tmp_path / "a",
        f"ATTACH '{tmp_path / 'b' / DATABASE_FILE}' AS other",
        "DELETE FROM chain WHERE seq = 7",
        "INSERT INTO chain SELECT * FROM other.chain WHERE seq = 7",
        "DELETE FROM punches WHERE seq = 7",
        "INSERT INTO punches SELECT * FROM other.punches WHERE seq = 7",
    )
    proof = proved(tmp_path / "a")
    assert proof.first_bad is not None
    assert proof.first_bad[0] == 7


def test_without_the_key_file_the_book_is_read_but_not_written(tmp_path: Path) -> None:
    book(tmp_path)
    (tmp_path / "signing.key").unlink()
    with open_store(tmp_path) as store, pytest.raises(KeyMissing, match=r"signing\.key: .* put it back"):
        store.book.append_punch(punch(PUNCHES + 3))
    with Store.open(tmp_path, open_settings(), read_only=True) as store:
        entries, strays = store.book.audit()
        proof = prove(in_order(entries, strays), [], None)
    assert proof.ok
    assert "agrees with itself" in proof.warnings[0]


def test_the_wrong_key_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    book(tmp_path)
    (tmp_path / "signing.key").write_bytes(bytes(32))
    with open_store(tmp_path) as store, pytest.raises(KeyMissing, match=r"not the one that book .* began with"):
        store.book.append_punch(punch(PUNCHES + 3))
    (tmp_path / "signing.key").chmod(0o600)
    with Store.open(tmp_path, open_settings(), read_only=True) as store:
        assert all(isinstance(row, Punch) for row in store.book.punches())
        assert len(list(store.book.punches())) == PUNCHES - 1


def test_a_refused_transaction_leaves_the_head_where_it_was(tmp_path: Path) -> None:
    book(tmp_path)
    before = (tmp_path / "book.head").read_text()

    def interrupted(store: Store) -> None:
        with store.transaction():
            store.book.append_punch(punch(PUNCHES + 3))
            raise ZeroDivisionError

    with open_store(tmp_path) as store:
        with pytest.raises(ZeroDivisionError):
            interrupted(store)
        assert (tmp_path / "book.head").read_text() == before
        store.book.append_punch(punch(PUNCHES + 3))
    assert proved(tmp_path).ok
