import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from blinkd.errors import StoreError
from blinkd.relay.api.app import build_app, create_app
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.server import listen_at
from blinkd.relay.api.storage import ApiStorage
from blinkd.serving.server import Listen
from blinkd.settings import RelaySettings, Settings
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.conftest import HandClock, NoEyes
from tests.unit.relay_api.core import FakeCore
from tests.unit.relay_api.records import user

USERS = "/api/v1/sync/users"


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("simulated", [True, False])
def test_health_says_what_is_public_and_needs_no_token(
    storage: ApiStorage, core: FakeCore, clock: HandClock, plain: bool, simulated: bool
) -> None:
    app = build_app(storage, core, NoEyes(), ApiOptions(plain_records=plain), clock, simulated=simulated)
    answer = Client(app).get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "healthy", "engine": "BLINK Core", "simulated_fallback": simulated, "plain_records": plain}


def test_a_database_that_is_away_is_said_without_its_name(
    connect: Callable[..., Client], storage: ApiStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()

    def away(*_: Any) -> None:
        raise StoreError("db.internal: connection refused")

    monkeypatch.setattr(storage, "ping", away)
    monkeypatch.setattr(storage, "put_users", away)
    health, upload = client.get("/health"), client.post(USERS, json=[user()])
    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    assert (upload.status_code, upload.json()["error"], upload.headers["Retry-After"]) == (503, "database_away", "10")
    assert "db.internal" not in upload.text + health.text


def test_an_error_of_the_relay_itself_is_answered_in_the_one_form_and_tells_nothing(
    connect: Callable[..., Client], storage: ApiStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret of the inside")

    client = connect()
    monkeypatch.setattr(storage, "users", broken)
    answer = client.get(USERS)
    assert (answer.status_code, answer.json()["success"], answer.json()["error"]) == (500, False, "internal")
    assert "secret" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [("GET", "/nothing", 404, "not_found"), ("DELETE", USERS, 405, "method_not_allowed"), ("GET", "/api/v1/sync/users/", 404, "not_found")],
)
def test_other_addresses_and_methods_are_answered_in_the_one_form(
    connect: Callable[..., Client], method: str, path: str, status: int, reason: str
) -> None:
    answer = connect().request(method, path)
    assert (answer.status_code, answer.json()["success"], answer.json()["error"]) == (status, False, reason)


def test_every_answer_carries_the_headers_and_allows_no_other_origin(connect: Callable[..., Client]) -> None:
    client = connect(address_rate=6)
    paths = ["/health", "/docs", "/openapi.json", USERS, "/nothing"]
    answers = [client.get(path, headers={"Origin": "https://elsewhere.example"}) for path in paths]
    answers.append(
        client.request("OPTIONS", USERS, headers={"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"})
    )
    answers.append(client.get("/health"))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 404, 405, 429]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "Strict-Transport-Security" not in answer.headers


def test_over_tls_clients_are_told_to_stay_there(connect: Callable[..., Client]) -> None:
    assert connect(tls=True).get("/health").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_documentation_names_every_route_and_nothing_from_elsewhere(connect: Callable[..., Client]) -> None:
    client = connect()
    page, document = client.get("/docs").text, client.get("/openapi.json").json()
    routes = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    dashboard = {f"GET /api/v1/dashboard/{name}" for name in ("keyring", "books", "entries", "people")}
    assert routes == {"GET /health", f"GET {USERS}", f"POST {USERS}", "POST /api/v1/sync/attendance", "POST /api/v1/embeddings"} | dashboard
    assert all(route in page for route in routes)
    assert not re.search(r"https?:|//|<script|<link|<style|<img", page)
    for methods in document["paths"].values():
        for method, one in methods.items():
            assert ("requestBody" in one) is (method == "post")


def test_the_application_follows_the_settings(storage: ApiStorage, core: FakeCore, issue: Callable[..., str]) -> None:
    relay = RelaySettings(plain_records=True, http_rate=2, http_proxies=["10.0.0.1"])
    client = Client(create_app(storage._connections, core, Settings(relay=relay)), issue())
    answers = [client.post(USERS, json=[user()]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Strict-Transport-Security" in answers[0].headers
    assert client.get("/health").json()["plain_records"] is True
    assert Client(create_app(storage._connections, core, Settings())).get("/health").json()["plain_records"] is False


def test_the_settings_say_where_to_listen() -> None:
    relay = RelaySettings(http_host="::1", http_port=9000, http_proxies="10.0.0.1, 10.0.0.2")  # type: ignore[arg-type]  # as a variable has it
    assert listen_at(relay) == Listen("::1", 9000, proxies=("10.0.0.1", "10.0.0.2"))


def test_a_relay_needs_no_library_of_the_terminal() -> None:
    program = """
import sys
import blinkd.cli.relay_tokens, blinkd.relay.api.app, blinkd.relay.postgres, blinkd.relay.api.server, blinkd.relay.sqlite
names = ("numpy", "cv2", "PIL", "onnxruntime", "ai_edge_litert", "peewee", "blinkd.vision", "blinkd.store", "blinkd.capture", "blinkd.daemon")
print([name for name in names if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
