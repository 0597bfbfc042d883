from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from blinkd.clock import SystemClock
from blinkd.relay.api.app import build_app
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, new_token
from blinkd.relay.connections import OpenConnections
from blinkd.relay.opening import open_connections
from tests.integration.relay_api.postgres import Postgres
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.conftest import NoEyes
from tests.unit.relay_api.core import FakeCore


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()
    server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], OpenConnections]:
    """Opens the same empty database again and again, as several relay processes do."""
    monkeypatch.chdir(tmp_path)
    dialect = request.param
    environ = {"DATABASE_URL": request.getfixturevalue("postgres").url} if dialect == "postgres" else {}
    first = open_connections(environ)
    with first.transaction() as cursor:
        for table in ("api_tokens", "mobile_users", "mobile_attendance"):
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in (files("blinkd.relay") / "migrations" / dialect / "v0002_http_api.sql").read_text().split(";"):
            if statement.strip():
                cursor.execute(statement)
    opened = [first]

    def reopen() -> OpenConnections:
        opened.append(open_connections(environ))
        return opened[-1]

    def close() -> None:
        for connections in opened:
            connections.close()

    request.addfinalizer(close)
    return reopen


@pytest.fixture
def connect(reopen: Callable[[], OpenConnections]) -> Callable[[], Client]:
    """A client of a relay process of its own."""

    def connect() -> Client:
        storage, clock = ApiStorage(reopen()), SystemClock()
        token, text = new_token("acme", "a phone", frozenset(Scope), clock.now().utc, None)
        storage.add_token(token)
        return Client(build_app(storage, FakeCore(), NoEyes(), ApiOptions(plain_records=True), clock), text)

    return connect
