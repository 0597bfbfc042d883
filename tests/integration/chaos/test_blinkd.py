"""The real thing: two terminals, two relays, Mosquitto and PostgreSQL are killed, cut off and wiped, and everything arrives once."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from blinkd.clock import SystemClock
from blinkd.crypto.envelope import Envelope
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.unlocked import unlock
from blinkd.errors import StoreError
from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.sync.messages import record_of
from blinkd.sync.records import unpack_entry
from tests.integration.chaos.processes import Module
from tests.integration.chaos.scenario import Pace, Scenario
from tests.integration.sync.site import PASSWORD, Site, Terminal
from tests.services.proxy import Proxy
from tests.unit.store.stores import MODEL, sample

DISTURBANCES = int(os.environ.get("CHAOS_DISTURBANCES", "40"))  # thousands for a long run
PUNCHES = 7  # at every terminal before each disturbance
PACE = Pace(undisturbed=1.5, dead=0.3, frozen=0.5, apart=0.8)  # a process needs a second to be up: some kills come before, most after


class Chaos:
    """The organisation, with a network before each server."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.database = stack.enter_context(PostgreSQL())
        self.site = Site(folder / "site", 0, 0, None)
        self.broker = Mosquitto(folder / "broker", self.site.authority)
        self.broker.start()
        stack.callback(self.broker.kill)
        self.to_broker = stack.enter_context(Proxy(self.broker.port))
        self.to_database = stack.enter_context(Proxy(self.database.port))
        self.site.broker_port, self.site.relay_port = self.to_broker.port, self.broker.relay_port
        self.site.database_url = self.database.url_at(self.to_database.port)
        self.terminals = [self.site.terminal(name) for name in ("door", "gate")]
        self.parts = [
            Module(name, "connected", "blinkd", "relay", "run", "--no-http", environment=self.site.relay_environment(name))
            for name in ("relay-1", "relay-2")
        ]
        self.parts += [Module(one.name, "connected", "blinkd", "sync", "run", environment=one.environment) for one in self.terminals]
        for part in self.parts:
            stack.callback(part.kill)

    def work(self, number: int) -> None:
        """Punches and changes of people, at both terminals."""
        for place, terminal in enumerate(self.terminals):
            with terminal.open() as store:
                people = store.people
                if number % 4 == place:
                    people.enrol(f"E-{terminal.name}-{number}", f"Person {number}", [sample(number * 2 + place)])
                known = [person.id for person in people.all()]
                if number % 5 == place and known:
                    people.change(known[number % len(known)], name=f"Name {number}")
                if number % 11 == place and len(known) > 3:
                    store.erasure.delete(known[0], "pseudonym", "HR", "on request", SystemClock().now())
                    known = known[1:]
                clerk = terminal.clerk(store)
                for count in range(PUNCHES if known else 0):
                    clerk.attend(known[(number + count) % len(known)], 0.7, {})

    def settled(self) -> bool:
        """Nothing waits, and both terminals have all of the registry."""
        versions = set()
        for terminal in self.terminals:
            with terminal.open(read_only=True) as store:
                if store.outbox.first() != store.outbox.end() or store.registry.counts()["PENDING"]:
                    return False
                versions.add(store.intake.version())
        with psycopg.connect(self.database.url) as connection:
            row = connection.execute("SELECT version FROM organisations").fetchone()
        return row is not None and versions == {row[0]}

    def wipe_broker(self) -> None:
        self.broker.kill()
        self.broker.wipe()
        self.broker.start()


@pytest.fixture
def chaos(tmp_path: Path) -> Iterator[Chaos]:
    with ExitStack() as stack:
        yield Chaos(tmp_path, stack)


def kept(terminal: Terminal) -> list[dict[str, Any]]:
    """What a terminal's book holds, by number."""
    with terminal.open(read_only=True) as store:
        rows = store.outbox.read(0, 10**9)
        assert [row.missing for row in rows] == [None] * len(rows)
        return [dict(row.content or {}) for row in rows]


def stored(chaos: Chaos, terminal: Terminal) -> list[dict[str, Any]]:
    """What the organisation reads at the relay, by number; each entry stands there once and opens."""
    with chaos.site.keyring.opened(PASSWORD) as secrets:
        sealer = Sealer(unlock(chaos.site.keyring, secrets), "reader")
    with psycopg.connect(chaos.database.url) as connection:
        rows = connection.execute(
            "SELECT b.book, e.seq, e.kid, e.iv, e.tag, e.ciphertext, e.connected FROM entries e JOIN books b ON b.id = e.book_id "
            "WHERE b.terminal = %s ORDER BY e.seq",
            (terminal.name,),
        ).fetchall()
        states = connection.execute("SELECT state FROM books WHERE terminal = %s", (terminal.name,)).fetchall()
    assert states == [("ok",)]
    assert [row[1] for row in rows] == list(range(len(rows)))
    assert all(row[6] for row in rows)
    found = []
    for book, seq, kid, iv, tag, ciphertext, _ in rows:
        content = sealer.open(Envelope(ciphertext, iv, tag, 2, kid), "entry", record_of(terminal.name, book, seq))
        found.append(dict(unpack_entry(content).content))
    return found


def people_of(terminal: Terminal) -> tuple[list[object], list[bytes]]:
    with terminal.open(read_only=True) as store:
        people: list[object] = [(one.id, one.name, one.status, one.subject, one.groups) for one in store.people.all()]
        assert store.intake.quarantined() == []
        return people, sorted(template.vector.tobytes() for template in store.people.templates(MODEL))


@pytest.mark.slow
def test_everything_arrives_once_and_both_doors_know_the_same_people(chaos: Chaos) -> None:
    for part in chaos.parts:
        part.start()
    scenario = Scenario(
        1,
        [*chaos.parts, chaos.broker, chaos.database],
        [chaos.to_broker, chaos.to_database],
        servers=frozenset({chaos.broker.name, chaos.database.name}),
        pace=PACE,
        extra={"wipe broker": chaos.wipe_broker},
    )
    scenario.disturb(DISTURBANCES, chaos.work)
    try:
        scenario.settle(chaos.settled, patience=240)
    except (AssertionError, StoreError):
        for part in chaos.parts:
            print(part.name, *part.log[-15:], sep="\n  ")  # noqa: T201  for whoever reads the failure
        raise
    for part in chaos.parts:
        part.check()
    assert scenario.kills > DISTURBANCES // 3
    for terminal in chaos.terminals:
        assert stored(chaos, terminal) == kept(terminal)
    door, gate = (people_of(terminal) for terminal in chaos.terminals)
    assert door == gate
    assert len(door[0]) > 2
