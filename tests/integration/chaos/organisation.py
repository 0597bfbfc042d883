"""Two terminals, two relays, Mosquitto and PostgreSQL, all of them the real ones, with a network before each server and a clock in each process."""

import random
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import psycopg

from blinkd.clock import EPOCH, SystemClock
from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.settings import AttendanceSettings
from blinkd.store.database import Store
from blinkd.sync.runner import CERTIFICATE_FILE, KEY_FILE
from tests.integration.chaos.backup import Backup
from tests.integration.chaos.clocks import WallClock
from tests.integration.chaos.parrot import Parrot
from tests.integration.chaos.processes import Module
from tests.integration.chaos.staff import Staff
from tests.integration.sync.site import ORG, Site, Terminal
from tests.services.proxy import Proxy
from tests.unit.store.stores import clerk_of

PUNCHES = 7  # at every terminal before each disturbance
WRONG_S = 2.0  # for which a clock is wrong at most
WRONG_DAYS = (-20_000, -3650, -2, -1, 1, 2, 3650)  # certificates are of today, and hold for years
WRONG_CLERK = 0.1  # of the times somebody punches, the terminal's own clock is wrong too


@dataclass
class Chaos:
    """The organisation. Its work, and what disturbs it: each of the disturbances is over when it returns."""

    folder: Path
    stack: ExitStack
    seed: int

    def __post_init__(self) -> None:
        folder, stack = self.folder, self.stack
        self._chance = random.Random(self.seed)
        self._pause = Event()
        self.staff = Staff(random.Random(self.seed + 1))
        self.database = stack.enter_context(PostgreSQL())
        self.site = Site(folder / "site", 0, 0, None)
        self.broker = Mosquitto(folder / "broker", self.site.authority)
        with (self.broker.folder / "blinkd.acl").open("a", encoding="utf-8") as rules:  # for the parrot; the relays have no use for it
            rules.writelines(f"topic read blink/v1/{ORG}/{what}\n" for what in ("+/receipt", "+/page", "head"))
        self.broker.start()
        stack.callback(self.broker.kill)
        self.to_broker = stack.enter_context(Proxy(self.broker.port))
        self.to_database = stack.enter_context(Proxy(self.database.port))
        self.site.broker_port, self.site.relay_port = self.to_broker.port, self.broker.relay_port
        self.site.database_url = self.database.url_at(self.to_database.port)
        self.terminals = [self.site.terminal(name) for name in ("door", "gate")]
        self.clocks: dict[str, WallClock] = {}
        self.relays = [
            self._module(name, self.site.relay_environment(name), "relay", "run", "--no-http") for name in ("relay-1", "relay-2")
        ]
        self.parts = [*self.relays, *(self._module(one.name, one.environment, "sync", "run") for one in self.terminals)]
        self.parrot = Parrot(self.broker, ORG, (self.site.folder / "relay.pem", self.site.folder / "relay.key"), self._chance)

    def begin(self) -> None:
        """Everything is up, and there is a back-up of the database."""
        self.stack.enter_context(self.parrot)
        for part in self.parts:
            part.start()
        self.backup = Backup(self.database)
        self.backup.take()

    def work(self, number: int) -> None:
        """Punches and changes of people, at both terminals."""
        with ExitStack() as stack:
            stores = [stack.enter_context(terminal.open()) for terminal in self.terminals]
            if number % 9 == 4:
                self.staff.at_both(stores)
            for terminal, store in zip(self.terminals, stores, strict=True):
                self.staff.work(terminal, store)
                self._punch(store)

    def _punch(self, store: Store) -> None:
        off = timedelta(days=self._chance.choice(WRONG_DAYS) if self._chance.random() < WRONG_CLERK else 0)
        clerk = clerk_of(store, SystemClock(lambda: datetime.now(UTC) + off), AttendanceSettings(min_interval_s=0))
        known = [person.id for person in store.people.all()]
        for _ in range(PUNCHES if known else 0):
            clerk.attend(self._chance.choice(known), 0.7, {})

    def settled(self) -> bool:
        """Nothing waits, the relay has both books to their ends, and both terminals have all of the registry."""
        versions: set[int] = set()
        ends: dict[str, int] = {}
        for terminal in self.terminals:
            with terminal.open(read_only=True) as store:
                if store.outbox.first() != store.outbox.end() or store.registry.counts()["PENDING"]:
                    return False
                versions.add(store.timeline.version())
                ends[terminal.name] = store.outbox.end() - 1
        with psycopg.connect(self.database.url) as connection:
            row = connection.execute("SELECT version FROM organisations").fetchone()
            heads: dict[str, int] = dict(connection.execute("SELECT terminal, head_seq FROM books").fetchall())
        return row is not None and versions == {row[0]} and heads == ends

    def wipe_broker(self) -> None:
        self.broker.kill()
        self.broker.wipe()
        self.broker.start()

    def restore_database(self) -> None:
        """The relays are stopped for it, as whoever does it should; or they are not."""
        stopped = self.relays if self._chance.random() < 0.5 else []
        for relay in stopped:
            relay.kill()
        self.backup.put_back()
        for relay in stopped:
            relay.launch()

    def disturb_clock(self) -> None:
        """A process's clock jumps, while it runs or while it is down, and jumps back."""
        part = self._chance.choice(self.parts)
        clock, restart = self.clocks[part.name], self._chance.random() < 0.6
        if restart:
            part.kill()
        clock.jump(-(datetime.now(UTC) - EPOCH).days if self._chance.random() < 0.3 else self._chance.choice(WRONG_DAYS))
        if restart:
            part.launch()
        self._pause.wait(self._chance.uniform(0, WRONG_S))
        clock.set_right()

    def repeat_terminal(self) -> None:
        terminal = self._chance.choice(self.terminals)
        self.parrot.as_terminal(terminal.name, (terminal.folder / CERTIFICATE_FILE, terminal.folder / KEY_FILE))

    def _module(self, name: str, environment: dict[str, str], *arguments: str) -> Module:
        clock = self.clocks[name] = WallClock(self.folder / f"{name}.clock")
        part = Module(
            name, "connected", "tests.integration.chaos.own_clock", *arguments, environment={**environment, **clock.environment()}
        )
        self.stack.callback(part.kill)
        return part


def book_of(terminal: Terminal) -> list[dict[str, object]]:
    """What a terminal's book holds, by number; all of it can be sent, and none was set aside."""
    with terminal.open(read_only=True) as store:
        assert store.outbox.aside() == []
        rows = store.outbox.read(0, 10**9)
        assert [row.missing for row in rows] == [None] * len(rows)
        return [dict(row.content or {}) for row in rows]
