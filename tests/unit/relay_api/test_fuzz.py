"""Whatever is sent, the answer is JSON in words, nothing is stored that is not a record, and nothing falls over."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blinkd.relay.api.storage import ApiStorage
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.core import FakeCore
from tests.unit.relay_api.records import batch, changes, punch, user

PATHS = ("/api/v1/sync/users", "/api/v1/sync/attendance")
JSON = {"Content-Type": "application/json"}
RATES = {"token_rate": 10**9, "address_rate": 10**9, "embedding_rate": 10**9}
ONE_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text() | st.sampled_from(["id", "name", "org", "v"]), inner, max_size=5),
    max_leaves=20,
)


def valid_bodies() -> list[tuple[str, Any]]:
    return [
        (PATHS[0], [user(1), user(2)]),
        (PATHS[1], [punch(1), punch(2)]),
        (PATHS[0], json.loads(changes(2).to_bytes())),
        (PATHS[1], json.loads(batch(2).to_bytes())),
    ]


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    if isinstance(value, dict):
        return found + [place for name, inner in value.items() for place in places(inner, (*here, name))]
    if isinstance(value, list):
        return found + [place for number, inner in enumerate(value) for place in places(inner, (*here, number))]
    return found


def in_words(answer: Any) -> bool:
    body = answer.json()
    assert answer.status_code in (200, 403, 413, 415, 422), answer.text
    if answer.status_code == 200:
        return body["success"] is True and body["synced_count"] == len(body["synced_ids"])
    return body["success"] is False and body.keys() == {"success", "error", "detail"} and bool(body["error"]) and bool(body["detail"])


@ONE_FIXTURE
@given(body=st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()), path=st.sampled_from(PATHS))
def test_any_body_is_answered_in_words(connect: Callable[..., Client], storage: ApiStorage, core: FakeCore, body: bytes, path: str) -> None:
    assert in_words(connect(**RATES).post(path, content=body, headers=JSON))
    assert (storage.users("acme", "", 10), core.changes, core.batches) == ([], [], [])


@ONE_FIXTURE
@given(data=st.data(), value=anything)
def test_a_valid_body_with_one_value_changed_is_taken_or_refused_in_words(
    connect: Callable[..., Client], data: st.DataObject, value: Any
) -> None:
    path, body = data.draw(st.sampled_from(valid_bodies()))
    *way, last = data.draw(st.sampled_from(places(body)))
    target = body
    for step in way:
        target = target[step]
    if data.draw(st.booleans()):
        target[last] = value
    elif isinstance(target, dict):
        del target[last]
    assert in_words(connect(**RATES).post(path, content=json.dumps(body), headers=JSON))


@ONE_FIXTURE
@given(body=st.binary(max_size=500), boundary=st.text(max_size=80))
def test_any_form_is_answered_in_words(connect: Callable[..., Client], body: bytes, boundary: str) -> None:
    client = connect(**RATES)
    header = f"multipart/form-data; boundary={boundary}".encode()
    for content in (body, b"--" + boundary.encode() + b"\r\n" + body + b"\r\n--" + boundary.encode() + b"--\r\n"):
        answer = client.post("/api/v1/embeddings", content=content, headers={b"content-type": header})  # type: ignore[dict-item]
        assert answer.status_code in (422, 501)
        assert answer.json()["success"] is False


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"[NaN]",
        b"[Infinity]",
        b"1e999",
        b"9" * 5000,
        b"\xff",
        b"\xef\xbb\xbf[]",
        b"",
        b'"\\ud800"',
        b"[1,]",
        b'[{"id":"a","id":"a"}]',
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_json_is_refused(connect: Callable[..., Client], path: str, body: bytes) -> None:
    answer = connect().post(path, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


@ONE_FIXTURE
@given(query=st.dictionaries(st.sampled_from(["form", "cursor", "limit", "x"]), st.text(max_size=30), max_size=4))
def test_any_query_is_answered(connect: Callable[..., Client], query: dict[str, str]) -> None:
    answer = connect(**RATES).get(PATHS[0], params={name: value.encode("utf-8", "replace") for name, value in query.items()})
    assert answer.status_code in (200, 422)
    assert answer.json()["success"] is (answer.status_code == 200)
