from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.punch import pseudonym
from blinkd.clock import ReplayClock
from blinkd.crypto.chain import commitment_of
from blinkd.store.database import Store
from tests.unit.store.stores import START, open_store, punch, subject_of

MANY = 100_000
BULK = f"""WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
    INSERT INTO punches SELECT i, 'id-' || i, i % 200, (1700000000 + i * 60) * 1000000,
    i, 'boot', 'synced', 'CHECK_IN', 'ON_TIME', 0, NULL, 't', 0.9, 'face' FROM n"""
IN_CHAIN = "INSERT INTO chain (seq, salt, commitment, hash) SELECT seq, x'00', x'00', x'00' FROM punches"


def test_a_punch_comes_back_as_it_was(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.book.append_punch(punch(1))
        assert list(store.book.punches()) == [punch(1)]
        assert store.book.last_punch(subject_of("E-1")) == punch(1)
        assert store.book.last_punch(subject_of("E-9")) is None


def test_punches_are_found_by_time_and_person_newest_last(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for seq in range(1, 7):
            store.book.append_punch(punch(seq, f"E-{seq % 2}"))

        def found(**chosen: Any) -> list[int]:
            return [row.seq for row in store.book.punches(**chosen)]

        assert found() == [1, 2, 3, 4, 5, 6]
        assert found(since=START + timedelta(minutes=3)) == [3, 4, 5, 6]
        assert found(until=START + timedelta(minutes=3)) == [1, 2]
        assert found(since=START + timedelta(minutes=2), until=START + timedelta(minutes=5), person_id=punch(2, "E-0").person_id) == [2, 4]
        assert found(since=START + timedelta(days=1)) == []


def test_punches_stay_in_their_order_when_the_clock_was_set_back(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.book.append_punch(punch(1, minutes=60))
        store.book.append_punch(punch(2, minutes=5))
        assert [row.seq for row in store.book.punches(since=START)] == [1, 2]
        last = store.book.last_punch(subject_of("E-1"))
        assert last is not None
        assert last.seq == 2


def test_a_scan_keeps_its_details(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.scans.append(ReplayClock(START).now(), "refused", "not_live", None, None, {"frames": 3, "note": "ñ"})
        (scan,) = store.scans.read()
    assert (scan["outcome"], scan["reason"], scan["details"]) == ("refused", "not_live", {"frames": 3, "note": "ñ"})


def test_entries_wait_until_a_receipt_covers_them(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for seq in (1, 2, 3):
            store.book.append_punch(punch(seq))
        assert (store.outbox.first(), store.outbox.end()) == (0, 4)
        store.outbox.set_aside(2, "signature", "not this terminal's")
        store.outbox.stored(2)
        store.outbox.stored(1)  # a receipt that comes late
        assert [row.sync.value for row in store.book.punches()] == ["SYNCED", "FAILED", "PENDING"]
        assert (store.outbox.first(), store.outbox.counts()) == (3, {"PENDING": 1, "FAILED": 1})
        store.outbox.lost(0)
        assert [row.sync.value for row in store.book.punches()] == ["PENDING", "FAILED", "PENDING"]
        assert store.outbox.try_again() == 1
        assert [row.sync.value for row in store.book.punches()] == ["PENDING"] * 3
        assert store.outbox.aside() == []


def test_what_is_sent_is_what_was_signed_or_says_why_not(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for seq in (1, 2, 3, 4):
            store.book.append_punch(punch(seq))
        store.book.erase([2], "retention", ReplayClock(START).now())
        store.outbox.set_aside(4, "signature", "words")
        with store.transaction():
            for name in ("punches_fixed",):
                store.connection().execute(f"DROP TRIGGER {name}")
            store.connection().execute("UPDATE punches SET minutes = 7 WHERE seq = 3")
        found = store.outbox.read(0, 100)
        assert [(one.seq, one.missing) for one in found] == [
            (0, None),
            (1, None),
            (2, "erased"),
            (3, "damaged"),
            (4, "rejected"),
            (5, None),
        ]
        assert found[1].content == punch(1).content()
        assert found[1].salt is not None
        assert commitment_of(found[1].salt, punch(1).content()) == found[1].commitment
        assert [one.seq for one in store.outbox.read(4, 1)] == [4]
        assert store.outbox.hash_of(3) == found[3].hash


def test_preferences_are_set_replaced_and_kept(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.preferences.get("k") is None
        store.preferences.set("k", "1")
        store.preferences.set("k", "2'; DROP TABLE settings")
    with open_store(tmp_path) as store:
        assert store.preferences.get("k") == "2'; DROP TABLE settings"


@pytest.fixture
def full(tmp_path: Path) -> Any:
    with open_store(tmp_path) as store:
        database: Any = store._database
        store.book.begin()
        database.execute_sql(BULK)
        database.execute_sql(IN_CHAIN)
        yield store, database


def test_with_many_punches_nothing_that_the_door_asks_walks_the_table(full: tuple[Store, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    store, database = full
    asked: list[tuple[str, Any]] = []
    execute = database.execute_sql

    def listening(sql: str, params: Any = None, *rest: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, *rest)

    monkeypatch.setattr(database, "execute_sql", listening)
    store.book.next_seq()
    store.book.last_punch(7)
    store.book.member("E-7")
    list(store.book.punches(since=START))
    list(store.book.punches(until=START - timedelta(days=10_000)))
    list(store.book.punches(since=START, until=START + timedelta(days=1)))
    list(store.book.punches(since=START, person_id=pseudonym(7)))
    store.book.append_punch(punch(MANY + 1))
    store.outbox.first()
    store.outbox.read(MANY - 3, 10)
    store.outbox.stored(0)
    monkeypatch.undo()
    looked = [(sql, params) for sql, params in asked if sql.split()[0] in ("SELECT", "UPDATE", "DELETE")]
    assert len(looked) >= 10
    for sql, params in looked:
        plan = [row[3] for row in execute("EXPLAIN QUERY PLAN " + sql, params or ()).fetchall()]
        assert not [
            step for step in plan if step.startswith("SCAN") and "punches_unsynced" not in step
        ]  # that index holds few, (sql, plan)
