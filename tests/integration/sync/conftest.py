from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.measure.servers.postgresql import PostgreSQL
from tests.integration.sync.site import Site


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def database(postgresql: PostgreSQL) -> str:
    """An empty one."""
    import psycopg

    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return postgresql.url


@pytest.fixture
def site(tmp_path: Path, database: str) -> Iterator[tuple[Site, Mosquitto]]:
    site = Site(tmp_path / "site", 0, 0, database)
    broker = Mosquitto(tmp_path / "broker", site.authority)
    site.broker_port, site.relay_port = broker.port, broker.relay_port
    broker.start()
    yield site, broker
    site.close()
    broker.kill()
