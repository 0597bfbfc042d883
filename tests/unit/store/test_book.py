from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.punch import SyncState, pseudonym
from blinkd.clock import ReplayClock
from blinkd.store.database import Store
from tests.unit.store.stores import START, open_store, punch, rows, subject_of

MANY = 100_000
BULK = f"""WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
    INSERT INTO punches SELECT i, 'id-' || i, i % 200, (1700000000 + i * 60) * 1000000,
    i, 'boot', 'synced', 'CHECK_IN', 'ON_TIME', 0, NULL, 't', 0.9 FROM n"""
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


def test_jobs_wait_in_their_order_and_leave_when_the_relay_has_them(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for seq in (1, 2, 3):
            store.book.append_punch(punch(seq))
        store.outbox.enqueue("person", "E-1", START)
        ids = [punch(seq).id for seq in (1, 2, 3)]
        assert [job[1:] for job in store.outbox.pending(10)] == [*(("punch", record) for record in ids), ("person", "E-1")]
        assert len(store.outbox.pending(2)) == 2
        first, second, _, other = (job[0] for job in store.outbox.pending(10))
        store.outbox.settle(first, SyncState.SYNCED)
        store.outbox.settle(second, SyncState.FAILED)
        store.outbox.settle(other, SyncState.SYNCED)
        store.outbox.settle(999, SyncState.SYNCED)  # a receipt that comes twice
        assert [job[2] for job in store.outbox.pending(10)] == ids[1:]
        assert [row.sync.value for row in store.book.punches()] == ["SYNCED", "FAILED", "PENDING"]
    assert rows(tmp_path, "SELECT status, attempts FROM sync_queue ORDER BY id") == [("FAILED", 1), ("PENDING", 0)]


def test_a_job_number_is_never_given_again(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.book.append_punch(punch(1))
        (first,) = store.outbox.pending(1)
        store.outbox.settle(first[0], SyncState.SYNCED)
        store.book.append_punch(punch(2))
        assert store.outbox.pending(1)[0][0] > first[0]


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
    store.outbox.settle(store.outbox.pending(1)[0][0], SyncState.SYNCED)
    monkeypatch.undo()
    looked = [(sql, params) for sql, params in asked if sql.split()[0] in ("SELECT", "UPDATE", "DELETE")]
    assert len(looked) >= 10
    for sql, params in looked:
        plan = [row[3] for row in execute("EXPLAIN QUERY PLAN " + sql, params or ()).fetchall()]
        if "sync_queue" in sql and "LIMIT" in sql:
            continue  # read from its oldest end and no further than the limit
        assert not [
            step for step in plan if step.startswith("SCAN") and "punches_unsynced" not in step
        ]  # that index holds few, (sql, plan)
