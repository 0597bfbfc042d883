import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from starlette.requests import Request

from blinkd.errors import RequestRefused
from blinkd.relay.api import bodies
from blinkd.relay.api.limits import site_of
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.records import punch

USERS, ATTENDANCE = "/api/v1/sync/users", "/api/v1/sync/attendance"


def refused(answer: Any) -> tuple[int, str, bool]:
    return answer.status_code, answer.json()["error"], 1 <= int(answer.headers.get("Retry-After", 0)) <= 60


def test_a_token_is_slowed_down_wherever_it_comes_from_and_another_is_not(
    connect: Callable[..., Client], issue: Callable[..., str]
) -> None:
    client = connect(token_rate=3)
    answers = [Client(client.app, client.token, f"192.0.2.{number}").get(USERS) for number in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert refused(answers[-1]) == (429, "too_many_requests", True)
    assert Client(client.app, issue()).get(USERS).status_code == 200


def test_an_address_is_slowed_down_whatever_it_asks_for(connect: Callable[..., Client], issue: Callable[..., str]) -> None:
    app = connect(address_rate=4).app
    for path in ("/health", "/docs", "/nothing", "/openapi.json"):
        assert Client(app).get(path).status_code in (200, 404)
    assert refused(Client(app, issue()).get(USERS)) == (429, "too_many_requests", True)
    assert Client(app, issue(), "192.0.2.8").get(USERS).status_code == 200


def test_wrong_tokens_shut_nobody_out_who_has_a_right_one(connect: Callable[..., Client]) -> None:
    client = connect()
    for _ in range(100):
        assert Client(client.app, "blinkd_0123456789abcdef_" + "A" * 43).get(USERS).status_code == 401
    assert client.get(USERS).status_code == 200


def test_pictures_have_a_limit_of_their_own(connect: Callable[..., Client]) -> None:
    client = connect(embedding_rate=1)
    assert client.post("/api/v1/embeddings", files={"file": b"x"}).status_code == 501
    assert refused(client.post("/api/v1/embeddings", files={"file": b"x"})) == (429, "too_many_requests", True)
    assert client.get(USERS).status_code == 200


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", "unknown"),
    ],
)
def test_an_address_is_counted_by_its_site(address: str, site: str) -> None:
    assert site_of(address) == site


def test_a_body_that_claims_too_much_is_refused_before_it_is_read(connect: Callable[..., Client]) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    headers = {"Content-Type": "application/json", "Content-Length": "1048577"}
    answer = connect().post(ATTENDANCE, content=never(), headers=headers)
    assert (answer.status_code, answer.json()["error"], answer.headers["Connection"]) == (413, "too_large", "close")


def test_a_body_that_grows_beyond_the_limit_is_cut_off_whatever_it_claimed(connect: Callable[..., Client]) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65_536
            yield b" " * 65_536

    for headers in ({}, {"Content-Length": "10"}):
        read = 0
        answer = connect().post(ATTENDANCE, content=endless(), headers={"Content-Type": "application/json"} | headers)
        assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        assert read <= (1 << 20) + 2 * 65_536


def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_S", 0.01)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(RequestRefused, match="took longer") as caught:
        asyncio.run(bodies.read_body(request, 10))
    assert caught.value.status == 408


def test_a_client_that_goes_away_halfway_is_no_fault_of_the_relay() -> None:
    messages: Iterable[dict[str, Any]] = iter([{"type": "http.request", "body": b"[", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)  # type: ignore[call-overload]

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(RequestRefused, match="connection ended"):
        asyncio.run(bodies.read_body(request, 10))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_another_kind_of_body_is_refused(connect: Callable[..., Client], headers: dict[str, str]) -> None:
    answer = connect().post(ATTENDANCE, content=gzip.compress(b"[]"), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (415, "wrong_content_type")


def test_more_punches_than_a_message_may_have_are_refused(connect: Callable[..., Client]) -> None:
    client = connect()
    assert client.post(ATTENDANCE, json=[punch(number) for number in range(500)]).json()["synced_count"] == 500
    assert client.post(ATTENDANCE, json=[punch(number) for number in range(501)]).status_code == 413
