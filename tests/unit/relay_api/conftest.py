from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blinkd.clock import Instant
from blinkd.errors import RequestRefused
from blinkd.relay.api.app import build_app
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, new_token
from blinkd.relay.migrate import migrate
from blinkd.relay.sqlite import SqliteConnections
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.core import FakeCore


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.utc = datetime.now(UTC)

    def now(self) -> Instant:
        return Instant(self.utc, 0.0, "boot", "synced")

    def monotonic(self) -> float:
        return 0.0


class NoEyes:
    def embed(self, picture: bytes) -> dict[str, Any]:
        raise RequestRefused(501, "no_vision", f"{len(picture)} bytes and nothing to look at them with")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[ApiStorage]:
    connections = SqliteConnections(tmp_path / "cloud_blink.db")
    migrate(connections)
    yield ApiStorage(connections)
    connections.close()


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
def issue(storage: ApiStorage, clock: HandClock) -> Callable[..., str]:
    def issue(*scopes: Scope, org: str = "acme", valid: timedelta | None = None) -> str:
        now = clock.now().utc
        token, text = new_token(org, "a phone", frozenset(scopes or Scope), now, None if valid is None else now + valid)
        storage.add_token(token)
        return text

    return issue


@pytest.fixture
def connect(storage: ApiStorage, core: FakeCore, clock: HandClock, issue: Callable[..., str]) -> Callable[..., Client]:
    """A client with a token for everything; the application takes clear records unless told otherwise."""

    def connect(embedder: Any = None, **options: Any) -> Client:
        app = build_app(storage, core, embedder or NoEyes(), ApiOptions(**{"plain_records": True} | options), clock)
        return Client(app, issue())

    return connect
