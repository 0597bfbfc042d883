"""The HTTP API on real databases, PostgreSQL and SQLite alike."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from blinkd.clock import SystemClock
from blinkd.errors import StoreError
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, new_token
from blinkd.relay.connections import OpenConnections
from blinkd.relay.opening import open_connections
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.records import punch, user
from tests.unit.relay_api.test_users import all_pages

USERS, ATTENDANCE = "/api/v1/sync/users", "/api/v1/sync/attendance"


def punches(connections: OpenConnections) -> list[tuple[Any, ...]]:
    with connections.transaction(reading=True) as cursor:
        cursor.execute("SELECT id, punctuality FROM mobile_attendance ORDER BY id")
        return [tuple(row) for row in cursor.fetchall()]


def test_1200_users_in_any_order_come_back_page_by_page_as_they_were_sent(connect: Callable[[], Client]) -> None:
    client = connect()
    names = ["Åsa", "李小龍", "می\u200cخواهم", "O'Neil; DROP TABLE mobile_users", '"quoted" \\ %s ?']
    sent = [user(number, id=one, name=names[number % 5]) for number, one in enumerate(["Z", "a", "Ab", "_", "-", "~", "!"])]
    sent += [user(number, name=names[number % 5]) for number in range(1193)]
    shuffled = random.Random(5).sample(sent, len(sent))
    for first in range(0, 1200, 400):
        answer = client.post(USERS, json=shuffled[first : first + 400])
        assert answer.json()["synced_ids"] == [one["id"] for one in shuffled[first : first + 400]]
    assert all_pages(client, f"{USERS}?limit=300") == sorted(sent, key=lambda one: one["id"])


def test_a_batch_sent_again_and_corrected_leaves_each_record_once(
    connect: Callable[[], Client], reopen: Callable[[], OpenConnections]
) -> None:
    client = connect()
    for punctuality in ("ON_TIME", "ON_TIME", "LATE"):
        assert client.post(ATTENDANCE, json=[punch(1, punctuality=punctuality), punch(2)]).status_code == 200
    assert punches(reopen()) == [("att-00001", "LATE"), ("att-00002", "ON_TIME")]


def test_two_relays_and_many_clients_at_once_store_every_record_once(
    connect: Callable[[], Client], reopen: Callable[[], OpenConnections]
) -> None:
    relays = [connect(), connect()]
    batches = [random.Random(seed).sample([punch(number) for number in range(200)], 150) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda job: relays[job[0] % 2].post(ATTENDANCE, json=job[1]), enumerate(batches)))
    assert [answer.status_code for answer in answers] == [200] * 24
    sent = sorted({one["id"] for batch in batches for one in batch})
    assert [row[0] for row in punches(reopen())] == sent


def test_a_token_of_one_relay_is_known_to_the_other_and_its_revocation_too(
    connect: Callable[[], Client], reopen: Callable[[], OpenConnections]
) -> None:
    first, second = connect(), connect()
    guest = Client(second.app, first.token)
    assert guest.get(USERS).status_code == 200
    assert first.token is not None
    ApiStorage(reopen()).revoke(first.token[7:23], SystemClock().now().utc)
    assert [client.get(USERS).json()["error"] for client in (guest, first)] == ["token_revoked"] * 2


def test_what_is_kept_of_a_token_comes_back_as_it_was(reopen: Callable[[], OpenConnections]) -> None:
    now = SystemClock().now().utc
    token, _ = new_token("acme", "Büro", frozenset({Scope.USERS_READ, Scope.EMBEDDINGS}), now, now + timedelta(days=3))
    ApiStorage(reopen()).add_token(token)
    assert ApiStorage(reopen()).tokens("acme") == [token]


def test_a_transaction_that_fails_leaves_nothing(reopen: Callable[[], OpenConnections]) -> None:
    connections = reopen()
    insert = (
        "INSERT INTO mobile_attendance (org, token, id, person_id, timestamp, status, punctuality) VALUES ('a','t','1','p','t','s','l')"
    )
    with pytest.raises(StoreError), connections.transaction() as cursor:
        cursor.execute(insert)
        cursor.execute(insert)
    with pytest.raises(KeyError), connections.transaction() as cursor:
        cursor.execute(insert)
        raise KeyError
    assert punches(connections) == []


@pytest.mark.parametrize("reopen", ["postgres"], indirect=True)
def test_a_postgresql_that_restarts_is_missed_in_words_and_found_again(
    postgres: PostgreSQL, connect: Callable[[], Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = connect()
    assert client.post(USERS, json=[user(1)]).status_code == 200
    postgres.kill()
    away = [client.post(USERS, json=[user(2)]), client.get("/health")]
    postgres.start()
    assert [answer.status_code for answer in away] == [503, 503]
    assert away[0].json()["error"] == "database_away"
    assert str(postgres.folder) not in away[0].text
    assert str(urlsplit(postgres.url).password) not in caplog.text
    assert client.post(USERS, json=[user(2)]).status_code == 200
    assert [one["id"] for one in client.get(USERS).json()["users"]] == ["user-00001", "user-00002"]


@pytest.mark.parametrize("url", ["postgresql://blinkd:a-secret-password@host.invalid/x", "mysql://a-secret-password", "a-secret-password"])
def test_a_database_that_can_not_be_reached_is_named_without_its_password(url: str) -> None:
    with pytest.raises(StoreError) as caught, open_connections({"DATABASE_URL": url}).transaction():
        pass
    assert "a-secret-password" not in str(caught.value)
    assert "DATABASE_URL" in str(caught.value)
