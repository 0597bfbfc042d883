from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.measure.servers.postgresql import PostgreSQL
from tests.integration.sync.hostile import settled
from tests.integration.sync.site import Site
from tests.unit.store.stores import sample
from tests.unit.sync.doors import Door, Organisation


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


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    organisation = Organisation(tmp_path)
    yield organisation
    organisation.connections.close()


@pytest.fixture
def doors(organisation: Organisation) -> Iterator[tuple[Door, Door]]:
    a, b = organisation.door("a"), organisation.door("b")
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(a, b)
    yield a, b
    a.store.close()
    b.store.close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Organisation, Door, Door]]:
    """The same for tests that leave it in order: making keys from a password takes its time."""
    organisation = Organisation(tmp_path_factory.mktemp("lasting"))
    a, b = organisation.door("a"), organisation.door("b")
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(a, b)
    yield organisation, a, b
    a.store.close()
    b.store.close()
    organisation.connections.close()
