"""The letter box for terminals that wait to be taken in."""

import json
from collections.abc import Callable
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from blinkd.crypto.box import Box
from blinkd.crypto.request import UNCLAIMED, make_request, new_tls_key
from blinkd.crypto.signing import Signer
from blinkd.fleet.claim import handle
from blinkd.relay.api import claims, limits
from blinkd.relay.api.app import build_app
from blinkd.relay.api.claims import KEPT, MOST_ANSWER, PATH
from blinkd.relay.api.options import CLAIM_RATE, ApiOptions
from blinkd.relay.api.storage import ApiStorage
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.conftest import HandClock, NoEyes
from tests.unit.relay_api.core import FakeCore
from tests.unit.sync.fuzz import STRANGE, places, replaced

JSON = {"Content-Type": "application/json"}


def claim(number: int = 1, org: str = UNCLAIMED) -> tuple[str, dict[str, Any]]:
    """Handle and request."""
    signer, box = Signer(number.to_bytes(32, "big")), Box(number.to_bytes(32, "big"))
    request = make_request("terminal-1", org, new_tls_key(), signer.public, box.public)
    return handle(request), request.to_json(signer)


def answered(name: str, **more: Any) -> dict[str, Any]:
    return {"kind": "blinkd answer", "v": 1, "handle": name, "grant": {}, "iv": "", "sealed": "", "mac": ""} | more


@pytest.fixture
def client(storage: ApiStorage, core: FakeCore, clock: HandClock) -> Client:
    """Without a token, as a new terminal is."""
    return Client(build_app(storage, core, NoEyes(), ApiOptions(claims=True), clock))


def test_a_request_waits_for_its_answer(client: Client) -> None:
    name, sent = claim()
    assert client.get(f"{PATH}/{name}").json()["error"] == "no_claim"
    assert client.post(PATH, json=sent).json() == {"success": True, "handle": name}
    assert client.get(f"{PATH}/{name}").json() == {"success": True, "request": sent, "answer": None}
    assert client.request("PUT", f"{PATH}/{name}/answer", json=answered(name)).json() == {"success": True}
    assert client.post(PATH, json=sent).status_code == 200, "again, as after a restart of the terminal"
    assert client.get(f"{PATH}/{name}").json()["answer"] == answered(name)


def test_a_false_answer_gives_way_to_a_later_one(client: Client) -> None:
    name, sent = claim()
    client.post(PATH, json=sent)
    for mac in ("false", "true"):
        client.request("PUT", f"{PATH}/{name}/answer", json=answered(name, mac=mac))
    assert client.get(f"{PATH}/{name}").json()["answer"]["mac"] == "true"


def test_nothing_is_taken_unless_the_operator_wants_it(connect: Callable[..., Client]) -> None:
    name, sent = claim()
    assert connect().post(PATH, json=sent).status_code == 404
    assert connect().get(f"{PATH}/{name}").status_code == 404


def test_only_who_has_a_terminals_key_fills_its_box(client: Client) -> None:
    _, one = claim(1, "acme")
    _, other = claim(2, "acme")
    boxes = [client.post(PATH, json=sent).json()["handle"] for sent in (one, other)]
    assert boxes[0] != boxes[1], "the same name, and another key"
    assert client.get(f"{PATH}/{boxes[0]}").json()["request"] == one


@pytest.mark.parametrize("name", ["x", "0" * 19, "0" * 21, "G" * 20, "%27%20OR%201"])
def test_what_is_no_handle_is_refused(client: Client, name: str) -> None:
    assert client.get(f"{PATH}/{name}").status_code == 422


def test_what_is_no_claim_is_refused(client: Client) -> None:
    _, sent = claim()
    _, other = claim(2)
    for body in (b"", b"[]", b"{}", json.dumps(sent | {"box": other["box"]}).encode(), json.dumps(sent | {"csr": "x"}).encode()):
        answer = client.post(PATH, content=body, headers=JSON)
        assert (answer.status_code, answer.json()["error"]) == (422, "malformed"), body
    assert client.post(PATH, content=b" " * 20_000, headers=JSON).status_code == 413


def test_what_is_no_answer_to_it_is_refused(client: Client) -> None:
    name, sent = claim()
    put = f"{PATH}/{name}/answer"
    assert client.request("PUT", put, json=answered(name)).json()["error"] == "no_claim"
    client.post(PATH, json=sent)
    for body in ({}, [], answered("0" * 20), answered(name, kind="x"), answered(name, more=1)):
        assert client.request("PUT", put, json=body).status_code == 422, body
    assert client.request("PUT", put, content=b"x" * (MOST_ANSWER + 1), headers=JSON).status_code == 413
    assert client.get(f"{PATH}/{name}").json()["answer"] is None


def test_any_value_in_any_place_of_a_claim_or_an_answer_is_taken_or_refused_in_words(
    client: Client, monkeypatch: pytest.MonkeyPatch, storage: ApiStorage, core: FakeCore, clock: HandClock
) -> None:
    monkeypatch.setattr(limits, "CLAIM_RATE", 10**9)
    client = Client(build_app(storage, core, NoEyes(), ApiOptions(claims=True, address_rate=10**9), clock))
    name, sent = claim()
    assert client.post(PATH, json=sent).status_code == 200
    for method, where, true in (("POST", PATH, sent), ("PUT", f"{PATH}/{name}/answer", answered(name))):
        for path in places(true):
            for text in STRANGE:
                answer = client.request(method, where, content=replaced(true, path, text), headers=JSON)
                assert answer.status_code in (200, 413, 422), (method, path, text[:40])
                assert answer.json()["success"] is (answer.status_code == 200)
                assert answer.status_code == 200 or answer.json()["detail"]
    assert client.get(f"{PATH}/{name}").json()["request"] == sent


def test_room_is_bounded_and_comes_back(client: Client, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_CLAIMS", 2)
    waiting = [claim(number) for number in (1, 2, 3)]
    assert [client.post(PATH, json=sent).status_code for _, sent in waiting] == [200, 200, 503]
    assert client.post(PATH, json=waiting[0][1]).status_code == 200, "who waits already may ask again"
    clock.utc += KEPT + timedelta(seconds=1)
    assert client.post(PATH, json=waiting[2][1]).status_code == 200
    assert client.get(f"{PATH}/{waiting[0][0]}").status_code == 404


def test_one_address_leaves_only_so_many_a_minute(client: Client) -> None:
    name, sent = claim()
    answers = [client.post(PATH, json=sent).status_code for _ in range(CLAIM_RATE + 1)]
    assert answers == [200] * CLAIM_RATE + [429]
    assert client.get(f"{PATH}/{name}").status_code == 200, "looking is not leaving"
    assert Client(client.app, address="192.0.2.8").post(PATH, json=sent).status_code == 200


def test_both_databases_get_the_same_table() -> None:
    folder = files("blinkd.relay") / "migrations"
    one, other = (Path(str(folder)) / dialect / "v0004_claims.sql" for dialect in ("sqlite", "postgres"))
    assert one.read_text() == other.read_text()
