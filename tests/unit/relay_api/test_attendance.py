import json
from collections.abc import Callable
from typing import Any

import pytest

from blinkd.relay.api.storage import ApiStorage
from blinkd.sync.messages import Rejected
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.core import FakeCore
from tests.unit.relay_api.records import BOOK, batch, punch

ATTENDANCE = "/api/v1/sync/attendance"
JSON = {"Content-Type": "application/json"}


def rows(storage: ApiStorage) -> list[tuple[Any, ...]]:
    with storage._connections.transaction(reading=True) as cursor:
        cursor.execute("SELECT org, id, person_id, timestamp, status, punctuality FROM mobile_attendance ORDER BY org, id")
        return [tuple(row) for row in cursor.fetchall()]


def test_punches_are_answered_as_the_origin_does_and_stored_once(connect: Callable[..., Client], storage: ApiStorage) -> None:
    client, sent = connect(), [punch(1), punch(2, status="CHECK_OUT", punctuality="EARLY_LEAVE")]
    for _ in range(3):
        answer = client.post(ATTENDANCE, json=sent)
        assert (answer.status_code, answer.json()) == (200, {"success": True, "synced_count": 2, "synced_ids": ["att-00001", "att-00002"]})
    assert rows(storage) == [("acme", *one.values()) for one in sent]


def test_a_punch_that_was_corrected_replaces_the_one_before(connect: Callable[..., Client], storage: ApiStorage) -> None:
    client = connect()
    client.post(ATTENDANCE, json=[punch(1), punch(2)])
    client.post(ATTENDANCE, json=[punch(1, punctuality="LATE")])
    assert [row[5] for row in rows(storage)] == ["LATE", "ON_TIME"]


def test_an_empty_batch_is_no_mistake(connect: Callable[..., Client]) -> None:
    assert connect().post(ATTENDANCE, json=[]).json() == {"success": True, "synced_count": 0, "synced_ids": []}


def test_punches_in_clear_are_refused_where_they_are_not_switched_on(connect: Callable[..., Client], storage: ApiStorage) -> None:
    answer = connect(plain_records=False).post(ATTENDANCE, json=[punch(1)])
    assert (answer.status_code, answer.json()["error"], rows(storage)) == (403, "plain_records_off", [])


@pytest.mark.parametrize(
    "changed", [{"id": None}, {"person_id": "a b"}, {"timestamp": 1}, {"status": "IN"}, {"punctuality": "on time"}, {"name": "x"}]
)
def test_a_punch_of_another_form_is_refused_and_its_batch_with_it(
    connect: Callable[..., Client], storage: ApiStorage, changed: dict[str, Any]
) -> None:
    answer = connect().post(ATTENDANCE, json=[punch(1), punch(2, **changed)])
    assert (answer.status_code, answer.json()["success"], rows(storage)) == (422, False, [])


def test_a_sealed_batch_reaches_the_core_and_its_receipt_comes_back(connect: Callable[..., Client], core: FakeCore) -> None:
    message = batch(3)
    answer = connect(plain_records=False).post(ATTENDANCE, content=message.to_bytes(), headers=JSON).json()
    assert core.batches == [message]
    assert answer["synced_ids"] == [f"door-1:{BOOK}:{seq}" for seq in range(3)]
    assert answer["receipt"]["attendance"]["upto"] == 2


def test_entries_that_the_core_rejects_alone_are_not_among_the_synced_ones(connect: Callable[..., Client], core: FakeCore) -> None:
    core.refuse = (Rejected("attendance", 1, "signature", "no"),)
    answer = connect().post(ATTENDANCE, content=batch(3).to_bytes(), headers=JSON).json()
    assert answer["synced_ids"] == [f"door-1:{BOOK}:{seq}" for seq in (0, 2)]
    assert answer["receipt"]["rejected"][0]["reason"] == "signature"


def test_a_sealed_batch_of_another_form_or_organisation_never_reaches_the_core(connect: Callable[..., Client], core: FakeCore) -> None:
    client = connect()
    good = json.loads(batch().to_bytes())
    for changed, status in [({"v": 1}, 422), ({"extra": 1}, 422), ({"org": "other"}, 403), ({"entries": []}, 422), ({"prev": "x"}, 422)]:
        assert client.post(ATTENDANCE, json=good | changed).status_code == status
    assert core.batches == []
