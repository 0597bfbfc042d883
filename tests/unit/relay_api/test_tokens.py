import hashlib
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.errors import RequestRefused, UnknownToken
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, admit, new_token, token_id_of
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.conftest import HandClock
from tests.unit.relay_api.records import punch, user

BOOKS, EMBEDDINGS = "/api/v1/dashboard/books", "/api/v1/embeddings"
USERS, ATTENDANCE = "/api/v1/sync/users", "/api/v1/sync/attendance"
ROUTES = {
    Scope.USERS_READ: ("GET", USERS, {}),
    Scope.USERS_WRITE: ("POST", USERS, {"json": [user()]}),
    Scope.ATTENDANCE_WRITE: ("POST", ATTENDANCE, {"json": [punch()]}),
    Scope.DASHBOARD_READ: ("GET", BOOKS, {}),
    Scope.EMBEDDINGS: ("POST", EMBEDDINGS, {"files": {"file": b"picture"}}),
}


@pytest.mark.parametrize("scope", list(Scope))
def test_every_route_takes_its_own_scope_and_no_other(connect: Callable[..., Client], issue: Callable[..., str], scope: Scope) -> None:
    app = connect().app
    method, path, options = ROUTES[scope]
    with_it, without = Client(app, issue(scope)), Client(app, issue(*set(Scope) - {scope}))
    assert with_it.request(method, path, **options).status_code in (200, 501)
    refused = without.request(method, path, **options)
    assert (refused.status_code, refused.json()["error"]) == (403, "scope")
    assert scope in refused.json()["detail"]


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("text", [None, "", "x", "blinkd_0123456789abcdef_" + "A" * 43, "blinkd_0123456789abcdef_" + "A" * 42])
def test_no_route_answers_without_a_valid_token(connect: Callable[..., Client], scope: Scope, text: str | None) -> None:
    method, path, options = ROUTES[scope]
    answer = Client(connect().app, text).request(method, path, **options)
    assert (answer.status_code, answer.json()["error"], answer.headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")


def test_the_right_id_with_another_secret_opens_nothing(connect: Callable[..., Client], issue: Callable[..., str]) -> None:
    app, text, other = connect().app, issue(), issue()
    assert Client(app, text[:24] + other[24:]).get(USERS).status_code == 401
    assert Client(app, text).get(USERS).status_code == 200


def test_another_way_of_authorisation_opens_nothing(connect: Callable[..., Client], issue: Callable[..., str]) -> None:
    client, text = Client(connect().app), issue()
    for header in (text, f"Basic {text}", f"Token {text}", f"Bearer {text} x"):
        assert client.get(USERS, headers={"Authorization": header}).status_code == 401
    assert client.get(f"{USERS}?token={text}").status_code == 401


def test_a_token_ends_at_its_time(connect: Callable[..., Client], issue: Callable[..., str], clock: HandClock) -> None:
    client = Client(connect().app, issue(valid=timedelta(days=1)))
    clock.utc += timedelta(hours=23, minutes=59)
    assert client.get(USERS).status_code == 200
    clock.utc += timedelta(minutes=1)
    assert client.get(USERS).json()["error"] == "token_expired"


def test_a_revoked_token_is_of_no_use_at_once_and_others_stay(
    connect: Callable[..., Client], issue: Callable[..., str], storage: ApiStorage, clock: HandClock
) -> None:
    client, text = connect(), issue()
    lost = Client(client.app, text)
    assert lost.get(USERS).status_code == 200
    token_id = token_id_of(text)
    assert token_id is not None
    first = storage.revoke(token_id, clock.utc)
    clock.utc += timedelta(days=1)
    assert storage.revoke(token_id, clock.utc).revoked_at == first.revoked_at
    assert (lost.get(USERS).status_code, lost.get(USERS).json()["error"]) == (401, "token_revoked")
    assert client.get(USERS).status_code == 200
    with pytest.raises(UnknownToken, match="token list"):
        storage.revoke("0" * 16, clock.utc)


def test_who_does_not_know_the_secret_does_not_learn_that_a_token_was_revoked(
    connect: Callable[..., Client], issue: Callable[..., str], storage: ApiStorage, clock: HandClock
) -> None:
    app, text = connect().app, issue()
    storage.revoke(text[7:23], clock.utc)
    unknown = Client(app, "blinkd_" + "0" * 16 + text[23:]).get(USERS)
    guessed = Client(app, text[:24] + "B" * 43).get(USERS)
    assert guessed.content == unknown.content


def test_the_secret_has_256_bits_and_only_its_digest_is_kept(storage: ApiStorage, issue: Callable[..., str], tmp_path: Path) -> None:
    texts = {issue() for _ in range(50)}
    assert len(texts) == 50
    for text in texts:
        secret = text[24:]
        kept = storage.token(text[7:23])
        assert kept is not None
        assert len(secret) == 43  # 32 bytes in base64
        assert kept.digest == hashlib.sha256(secret.encode()).digest()
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(text[24:].encode() in files for text in texts)


def test_what_is_kept_of_a_token_comes_back_as_it_was(storage: ApiStorage, clock: HandClock) -> None:
    token, _ = new_token("acme", "Büro", frozenset({Scope.USERS_READ}), clock.utc, clock.utc + timedelta(days=3))
    storage.add_token(token)
    assert storage.token(token.id) == token
    assert storage.tokens() == storage.tokens("acme") == [token]
    assert storage.tokens("other") == []


def test_the_day_of_use_is_remembered(
    connect: Callable[..., Client], issue: Callable[..., str], storage: ApiStorage, clock: HandClock
) -> None:
    text = issue()
    before = storage.token(text[7:23])
    Client(connect().app, text).get(USERS)
    after = storage.token(text[7:23])
    assert before is not None
    assert after is not None
    assert (before.used_on, after.used_on) == (None, clock.utc.date().isoformat())


def test_logs_hold_neither_tokens_nor_queries_nor_bodies(
    connect: Callable[..., Client], issue: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client, text = connect(), issue()
    good = Client(client.app, text)
    good.post(USERS, json=[user(1, name="Nobody Special")])
    good.get(f"{USERS}?cursor=c2VjcmV0LWlk")
    good.get(f"/api/v1/sync/{text}")
    good.get(f"{USERS}?token={text}")
    Client(client.app, text[:-1] + "_").get(USERS)
    lines = "\n".join(record.getMessage() for record in caplog.records if record.name != "httpx")  # the client of this test
    assert "/api/v1/sync/users 200" in lines
    assert text[7:23] in lines
    for hidden in (text[24:], "Nobody Special", "user-00001", "c2VjcmV0LWlk"):
        assert hidden not in lines


@given(st.text())
def test_no_text_but_the_tokens_own_is_admitted(text: str) -> None:
    clock = HandClock()
    token, right = new_token("acme", "", frozenset(), clock.utc, None)
    assert admit(right, token, clock.utc) is token
    for wrong in (text, right + text, text + right):
        if wrong != right:
            with pytest.raises(RequestRefused, match="Bearer"):
                admit(wrong, token, clock.utc)
