"""Two brokers that do not know of each other, behind HAProxy by the file that is shipped, and a relay at each of them."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from blinkd.errors import ServerFailed
from blinkd.measure.servers.mosquitto import PLACES, Mosquitto
from blinkd.measure.servers.ports import free_ports
from blinkd.measure.servers.server import Server
from tests.integration.sync.site import Site, Terminal
from tests.integration.sync.waiting import eventually
from tests.unit.store.stores import sample

SHIPPED = Path(__file__).parents[3] / "config" / "haproxy.cfg"


class HAProxy(Server):
    """In front of brokers."""

    def __init__(self, folder: Path, brokers: Sequence[Mosquitto]) -> None:
        super().__init__("haproxy", "Loading success")
        (self.port,) = free_ports(1)
        text = SHIPPED.read_text(encoding="utf-8").replace("bind :8883", f"bind 127.0.0.1:{self.port}")
        for number, broker in enumerate(brokers, 1):
            text = text.replace(f"192.0.2.1{number}:8883", f"127.0.0.1:{broker.port}")
        assert "192.0.2" not in text
        self._file = folder / "haproxy.cfg"
        self._file.write_text(text, encoding="utf-8")

    def command(self) -> Sequence[str | Path]:
        program = shutil.which("haproxy", path=PLACES)
        if program is None:
            raise ServerFailed("haproxy is not installed: apt-get install haproxy")
        return [program, "-W", "-f", self._file]


@pytest.fixture
def doors(tmp_path: Path, database: str) -> Iterator[tuple[Site, list[Mosquitto], HAProxy]]:
    with ExitStack() as stack:
        site = Site(tmp_path / "site", 0, 0, database)
        brokers = [Mosquitto(tmp_path / f"broker-{number}", site.authority) for number in (1, 2)]
        for broker in brokers:
            broker.start()
            stack.callback(broker.kill)
            site.relay_port = broker.relay_port
            site.start_relay()
        stack.callback(site.close)
        site.await_relays()
        balance = HAProxy(tmp_path, brokers)
        balance.start()
        stack.callback(balance.kill)
        yield site, brokers, balance


def punched(terminal: Terminal, count: int) -> None:
    with terminal.open() as store:
        clerk = terminal.clerk(store)
        for _ in range(count):
            clerk.attend("E-1", 0.7, {})


def stored(site: Site) -> dict[str, int]:
    assert site.database_url is not None
    with psycopg.connect(site.database_url) as connection:
        sql = "SELECT b.terminal, count(*) FROM books b JOIN entries e ON e.book_id = b.id WHERE e.connected GROUP BY 1"
        return {str(terminal): int(count) for terminal, count in connection.execute(sql)}


def written(terminal: Terminal) -> int:
    with terminal.open(read_only=True) as store:
        return store.outbox.end()


def names(terminal: Terminal) -> set[str]:
    with terminal.open(read_only=True) as store:
        return {person.name for person in store.people.all()}


@pytest.mark.slow
def test_what_is_taken_at_one_broker_is_known_at_the_other_and_a_dead_broker_costs_nothing(
    doors: tuple[Site, list[Mosquitto], HAProxy],
) -> None:
    site, (first, second), balance = doors
    site.broker_port = first.port
    here = site.terminal("door-1")
    site.broker_port = second.port
    there = site.terminal("door-2")
    site.broker_port = balance.port
    anywhere = site.terminal("door-3")
    for terminal in (here, there, anywhere):
        terminal.start()
    with here.open() as store:
        store.people.enrol("E-1", "Ann Example", [sample(1)])
    eventually(lambda: names(there) == names(anywhere) == {"Ann Example"}, "all doors know who was enrolled at one")
    punched(anywhere, 30)
    eventually(lambda: stored(site).get("door-3") == written(anywhere), "the punches are stored")
    used = next(broker for broker in (first, second) if any("door-3" in line for line in broker.log))
    used.kill()
    punched(anywhere, 30)
    with anywhere.open() as store:
        store.people.change("E-1", name="Ann Sample")
    other = second if used is first else first
    eventually(lambda: any("door-3" in line for line in other.log), "the terminal comes to the broker that is left")
    eventually(lambda: stored(site).get("door-3") == written(anywhere), "and the relay there stores what it brings")
    left = there if used is first else here
    eventually(lambda: names(left) == {"Ann Sample"}, "and tells the other door")
