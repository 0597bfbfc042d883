from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.relay.connections import OpenConnections
from blinkd.relay.core import Core
from blinkd.relay.migrate import migrate
from blinkd.relay.postgres import PostgresConnections
from blinkd.relay.sqlite import SqliteConnections
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, checker


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def connections(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenConnections]:
    """An empty database of each kind, migrated."""
    if request.param == "sqlite":
        opened: OpenConnections = SqliteConnections(tmp_path / "cloud_blink.db")
    else:
        opened = PostgresConnections(request.getfixturevalue("postgres").url)
        with opened.transaction() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority(ORG)


@pytest.fixture
def core(connections: OpenConnections, authority: Authority) -> Core:
    return Core(connections, checker(authority))
