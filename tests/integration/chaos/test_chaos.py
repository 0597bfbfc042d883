"""Everything arrives, once, whatever is killed. The harness is tried with stand-ins for terminal and relay; broker and database are real."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.measure.servers.postgresql import PostgreSQL
from tests.integration.chaos.processes import Module
from tests.integration.chaos.scenario import Scenario
from tests.services.certificates import Authority
from tests.services.proxy import Proxy

TERMINALS = ("door", "gate")
ROWS = 60  # of each terminal before each disturbance
DISTURBANCES = int(os.environ.get("CHAOS_DISTURBANCES", "25"))  # thousands for a long run
HERE = "tests.integration.chaos"


class Site:
    """Two terminals and two relays, a broker and a database, with a network before each server."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.database = stack.enter_context(PostgreSQL())
        authority = Authority("acme")
        self.broker = Mosquitto(folder / "broker", authority)
        self.broker.start()
        stack.callback(self.broker.kill)
        self.to_broker = stack.enter_context(Proxy(self.broker.port))
        self.to_database = stack.enter_context(Proxy(self.database.port))
        self.parts: list[Module] = []
        certificate, key = map(str, authority.relay().write(folder, "relay"))
        for name in ("relay-1", "relay-2"):
            words = (str(self.broker.relay_port), str(self.broker.ca), certificate, key, name)
            url = {"DATABASE_URL": self.database.url_at(self.to_database.port)}
            self.parts.append(Module(name, "ready", f"{HERE}.stand_in_relay", *words, environment=url))
        for name in TERMINALS:
            certificate, key = map(str, authority.terminal(name).write(folder, name))
            words = (str(self.to_broker.port), str(self.broker.ca), certificate, key, name, str(self.outbox(name)))
            self.parts.append(Module(name, "ready", f"{HERE}.stand_in_terminal", *words))
        for part in self.parts:
            stack.callback(part.kill)

    def outbox(self, terminal: str) -> Path:
        return self.folder / f"{terminal}.sqlite3"

    def begin(self) -> None:
        for terminal in TERMINALS:
            with closing(sqlite3.connect(self.outbox(terminal))) as store:
                store.execute("PRAGMA journal_mode = WAL")
                store.execute("CREATE TABLE outbox (number INTEGER PRIMARY KEY)")
        with psycopg.connect(self.database.url) as connection:
            connection.execute("CREATE TABLE entries (terminal text, number integer, PRIMARY KEY (terminal, number))")

    def punch(self, round_number: int) -> None:
        """More to send at every terminal."""
        for terminal in TERMINALS:
            with closing(sqlite3.connect(self.outbox(terminal), timeout=20)) as store:
                rows = range(round_number * ROWS, (round_number + 1) * ROWS)
                store.executemany("INSERT INTO outbox VALUES (?)", [[number] for number in rows])
                store.commit()

    def emptied(self) -> bool:
        """Every row has its receipt."""
        left = 0
        for terminal in TERMINALS:
            with closing(sqlite3.connect(self.outbox(terminal), timeout=20)) as store:
                left += store.execute("SELECT COUNT(*) FROM outbox").fetchone()[0]
        return left == 0

    def stored(self) -> list[tuple[str, int]]:
        with psycopg.connect(self.database.url) as connection:
            return connection.execute("SELECT terminal, number FROM entries ORDER BY terminal, number").fetchall()

    def wipe_broker(self) -> None:
        self.broker.kill()
        self.broker.wipe()
        self.broker.start()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, stack)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_row_arrives_once_whatever_is_killed_cut_off_or_wiped(site: Site, seed: int) -> None:
    site.begin()
    for part in site.parts:
        part.start()
    scenario = Scenario(
        seed,
        [*site.parts, site.broker, site.database],
        [site.to_broker, site.to_database],
        servers=frozenset({site.broker.name, site.database.name}),
        extra={"wipe broker": site.wipe_broker},
    )
    scenario.disturb(DISTURBANCES, site.punch)
    scenario.settle(site.emptied)
    for part in site.parts:
        part.check()
    assert scenario.kills > DISTURBANCES // 3
    assert site.stored() == [(terminal, number) for terminal in TERMINALS for number in range(DISTURBANCES * ROWS)]
