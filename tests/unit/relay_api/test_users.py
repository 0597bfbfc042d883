import json
from collections.abc import Callable
from typing import Any

import pytest

from blinkd.sync.messages import Rejected
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.core import FakeCore
from tests.unit.relay_api.records import changes, sealed, user, v1_envelope

USERS = "/api/v1/sync/users"
JSON = {"Content-Type": "application/json"}


def all_pages(client: Client, path: str) -> list[dict[str, Any]]:
    found, answer = [], client.get(path).json()
    found += answer["users"]
    while answer["next_cursor"] is not None:
        answer = client.get(path + ("&" if "?" in path else "?") + f"cursor={answer['next_cursor']}").json()
        found += answer["users"]
    return found


def test_users_are_answered_as_the_origin_does_and_come_back_as_they_were_sent(connect: Callable[..., Client]) -> None:
    client, sent = connect(), [user(1), user(2, encrypted_envelope_json=None, status="DEACTIVATED")]
    answer = client.post(USERS, json=sent)
    assert (answer.status_code, answer.json()) == (200, {"success": True, "synced_count": 2, "synced_ids": ["user-00001", "user-00002"]})
    assert client.get(USERS).json() == {"success": True, "users": sent, "next_cursor": None}


def test_a_person_may_come_without_the_member_of_the_envelope_as_at_the_origin(connect: Callable[..., Client]) -> None:
    client, sent = connect(), user(1)
    del sent["encrypted_envelope_json"]
    assert client.post(USERS, json=[sent]).json()["synced_ids"] == [sent["id"]]
    assert client.get(USERS).json()["users"] == [sent | {"encrypted_envelope_json": None}]


def test_a_batch_sent_again_changes_nothing_and_a_newer_one_replaces_by_id(connect: Callable[..., Client]) -> None:
    client, sent = connect(), [user(1), user(2)]
    first, again = client.post(USERS, json=sent), client.post(USERS, json=sent)
    assert first.json() == again.json()
    newer = user(1, name="Other name", enrolled_at="2030-01-01T00:00:00Z", status="DEACTIVATED")
    client.post(USERS, json=[newer])
    assert client.get(USERS).json()["users"] == [newer | {"enrolled_at": "2026-01-15T10:30:00Z"}, sent[1]]


def test_of_two_records_with_one_id_in_a_batch_the_last_stands_and_counts_once(connect: Callable[..., Client]) -> None:
    client = connect()
    answer = client.post(USERS, json=[user(1, name="First"), user(2), user(1, name="Last")])
    assert answer.json()["synced_ids"] == ["user-00001", "user-00002"]
    assert [one["name"] for one in client.get(USERS).json()["users"]] == ["Last", "Person 2"]


def test_pages_hold_1200_users_each_once_in_the_order_of_their_ids(connect: Callable[..., Client]) -> None:
    client, sent = connect(), [user(number) for number in range(1200)]
    for first in range(0, 1200, 500):
        assert client.post(USERS, json=sent[first : first + 500]).status_code == 200
    assert all_pages(client, USERS) == sent
    assert all_pages(client, f"{USERS}?limit=7") == sent
    page = client.get(f"{USERS}?limit=500")
    assert len(page.json()["users"]) == 500
    assert client.get(page.links["next"]["url"]).json()["users"] == sent[500:1000]


def test_pages_of_sealed_records_hold_1200_each_once_with_their_certificates(connect: Callable[..., Client]) -> None:
    client = connect(plain_records=False)
    for first in range(0, 1200, 400):
        assert client.post(USERS, content=changes(400, first).to_bytes(), headers=JSON).status_code == 200
    found = all_pages(client, USERS)
    assert [one["id"] for one in found] == [f"{number:032x}" for number in range(1200)]
    answer = client.get(f"{USERS}?limit=1").json()
    assert answer["head"] == 1200
    assert set(answer["certificates"]) == {answer["users"][0]["certificate"]}


def test_sealed_changes_reach_the_core_and_its_receipt_comes_back(connect: Callable[..., Client], core: FakeCore) -> None:
    message = changes(2)
    answer = connect(plain_records=False).post(USERS, content=message.to_bytes(), headers=JSON).json()
    assert [one.change for one in core.changes] == list(message.changes)
    assert answer["synced_ids"] == [change.id for change in message.changes]
    assert [one["state"] for one in answer["receipt"]["people"]] == ["stored", "stored"]


@pytest.mark.parametrize(("reason", "status"), [("certificate", 403), ("signature", 422)])
def test_a_message_that_the_core_refuses_is_refused_with_its_words(
    connect: Callable[..., Client], core: FakeCore, reason: str, status: int
) -> None:
    core.refuse = (Rejected("people", None, reason, "words of the core"),)
    answer = connect().post(USERS, content=changes().to_bytes(), headers=JSON)
    assert (answer.status_code, answer.json()) == (status, {"success": False, "error": reason, "detail": "words of the core"})


def test_a_message_of_another_organisation_than_the_tokens_is_refused(connect: Callable[..., Client], core: FakeCore) -> None:
    answer = connect().post(USERS, content=changes(org="other").to_bytes(), headers=JSON)
    assert (answer.status_code, answer.json()["error"], core.changes) == (403, "other_organisation", [])


def test_one_organisation_never_sees_or_replaces_the_users_of_another(connect: Callable[..., Client], issue: Callable[..., str]) -> None:
    client = connect()
    other = Client(client.app, issue(org="other"))
    client.post(USERS, json=[user(1)])
    other.post(USERS, json=[user(1, name="Namesake")])
    assert client.get(USERS).json()["users"][0]["name"] == "Person 1"
    assert [one["name"] for one in other.get(USERS).json()["users"]] == ["Namesake"]


def test_clear_records_are_neither_taken_nor_given_where_they_are_not_switched_on(connect: Callable[..., Client]) -> None:
    connect().post(USERS, json=[user(1)])
    client = connect(plain_records=False)
    for answer in (client.post(USERS, json=[user(2)]), client.get(f"{USERS}?form=origin")):
        assert (answer.status_code, answer.json()["error"]) == (403, "plain_records_off")
        assert "relay.plain_records" in answer.json()["detail"]
    assert client.get(USERS).json()["users"] == []
    assert len(connect().get(USERS).json()["users"]) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"id": ""},
        {"id": "x" * 129},
        {"id": "a\x00b"},
        {"id": 7},
        {"name": ""},
        {"name": "   "},
        {"name": "two\nlines"},
        {"name": "nul\x00"},
        {"name": "x" * 201},
        {"name": "\ud800"},
        {"name": None},
        {"model_mode": "a;b"},
        {"enrolled_at": "yesterday"},
        {"enrolled_at": "2026-13-45T00:00:00Z"},
        {"status": "active"},
        {"status": []},
        {"extra": 1},
        {"encrypted_envelope_json": "text"},
        {"encrypted_envelope_json": {}},
        {"encrypted_envelope_json": v1_envelope() | {"key": "x"}},
        {"encrypted_envelope_json": v1_envelope() | {"iv": "AAAA"}},
        {"encrypted_envelope_json": v1_envelope() | {"tag": "not base64"}},
        {"encrypted_envelope_json": v1_envelope(63)},
        {"encrypted_envelope_json": v1_envelope(16_385)},
        {"encrypted_envelope_json": sealed(65_536).to_json()},
        {"encrypted_envelope_json": v1_envelope() | {"v": 3, "kid": "x.y"}},
    ],
)
def test_a_record_of_another_form_is_refused_and_its_batch_with_it(connect: Callable[..., Client], changed: dict[str, Any]) -> None:
    client = connect()
    answer = client.post(USERS, content=json.dumps([user(1), user(2, **changed)]), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert answer.json()["success"] is False
    assert client.get(USERS).json()["users"] == []


def test_a_name_in_any_script_is_kept(connect: Callable[..., Client]) -> None:
    client, names = connect(), ["Åsa Öst", "李小龍", "می\u200cخواهم", "ක්\u200dෂ"]
    client.post(USERS, json=[user(number, name=name) for number, name in enumerate(names)])
    assert [one["name"] for one in client.get(USERS).json()["users"]] == names


def test_an_envelope_of_version_2_is_taken_from_a_mobile_client_too(connect: Callable[..., Client]) -> None:
    client, sent = connect(), user(1, encrypted_envelope_json=sealed(1280).to_json())
    client.post(USERS, json=[sent])
    assert client.get(USERS).json()["users"] == [sent]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "form=clear", "cursor=%00", "cursor=!!!", "cursor=AA", "form=sealed&cursor=-1"]
)
def test_a_query_of_another_form_is_refused(connect: Callable[..., Client], query: str) -> None:
    answer = connect().get(f"{USERS}?{query}")
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_more_records_than_a_message_may_have_are_refused(connect: Callable[..., Client]) -> None:
    answer = connect().post(USERS, json=[user(number, encrypted_envelope_json=None) for number in range(501)])
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
