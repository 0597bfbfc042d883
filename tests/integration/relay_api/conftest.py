from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blinkd.clock import SystemClock
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.relay.api.app import build_app
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, new_token
from blinkd.relay.connections import OpenConnections
from blinkd.relay.core import Core
from blinkd.relay.migrate import migrate
from blinkd.relay.opening import open_connections
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, checker
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.conftest import NoEyes


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority(ORG)


@pytest.fixture(params=["sqlite", "postgres"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], OpenConnections]:
    """Opens the same empty database again and again, as several relay processes do."""
    monkeypatch.chdir(tmp_path)
    environ = {"DATABASE_URL": request.getfixturevalue("postgres").url} if request.param == "postgres" else {}
    first = open_connections(environ)
    if environ:
        with first.transaction() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
    migrate(first)
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
def connect(reopen: Callable[[], OpenConnections], authority: Authority) -> Callable[[], Client]:
    """A client of a relay process of its own."""

    def connect() -> Client:
        connections, clock = reopen(), SystemClock()
        storage = ApiStorage(connections)
        token, text = new_token("acme", "a phone", frozenset(Scope), clock.now().utc, None)
        storage.add_token(token)
        return Client(build_app(storage, Core(connections, checker(authority)), NoEyes(), ApiOptions(plain_records=True), clock), text)

    return connect
