"""Sealed records over HTTP are taken by the very core that takes them over MQTT."""

from collections.abc import Callable
from typing import Any

import pytest

from blinkd.relay.connections import OpenConnections
from blinkd.sync.messages import CERTIFICATE, record_of
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, Sender
from tests.unit.relay_api.client import Client

JSON = {"Content-Type": "application/json"}
ATTENDANCE, USERS = "/api/v1/sync/attendance", "/api/v1/sync/users"


@pytest.fixture(autouse=True)
def _random_envelopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API refuses bytes that do not look like ciphertext."""
    import os

    from blinkd.crypto.envelope import Envelope
    from tests.unit.relay import senders

    monkeypatch.setattr(
        senders, "envelope", lambda _mark, name: Envelope(os.urandom(1024), os.urandom(12), os.urandom(16), 2, f"e1.{name}")
    )


def test_a_batch_is_verified_stored_and_confirmed(
    connect: Callable[[], Client], reopen: Callable[[], OpenConnections], authority: Authority
) -> None:
    client, sender = connect(), Sender(authority).write(3)
    answer = client.post(ATTENDANCE, content=sender.batch(0, 2).to_bytes(), headers=JSON)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["synced_ids"] == [record_of(sender.name, sender.book, seq) for seq in range(3)]
    assert (body["success"], body["synced_count"], body["receipt"]["attendance"]["upto"]) == (True, 3, 2)
    with reopen().transaction(reading=True) as cursor:
        cursor.execute("SELECT count(*) FROM entries")
        assert cursor.fetchone()[0] == 3
    stranger = Sender(Authority(ORG)).write(1)
    refused = client.post(ATTENDANCE, content=stranger.batch(0, 0).to_bytes(), headers=JSON)
    assert (refused.status_code, refused.json()["error"]) == (403, CERTIFICATE)


def test_changes_come_back_page_by_page_from_another_relay(connect: Callable[[], Client], authority: Authority) -> None:
    sender = Sender(authority)
    changes = [sender.change(f"{number:032x}", 0, 1) for number in range(7)]
    answer = connect().post(USERS, content=sender.changes(*changes).to_bytes(), headers=JSON)
    assert answer.status_code == 200, answer.text
    assert answer.json()["synced_ids"] == [change.id for change in changes]
    other, found, cursor = connect(), list[str](), ""
    while cursor is not None:
        page = other.get(f"{USERS}?form=sealed&limit=3" + (f"&cursor={cursor}" if cursor else "")).json()
        found += [one["id"] for one in page["users"]]
        cursor = page["next_cursor"]
    assert found == [change.id for change in changes]
