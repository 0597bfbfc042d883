"""A busy organisation on real servers, and everything of it that leaves the terminals: the broker's store, the relay's database, logs, wire."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from blinkd.attendance.supervisor import Supervisor
from blinkd.clock import SystemClock
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.unlocked import load, load_file
from blinkd.identity.grounds import Grounds
from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.settings import AttendanceSettings, TerminalSettings
from blinkd.store.database import Store
from blinkd.sync.messages import Batch
from blinkd.sync.runner import CA_FILE, CERTIFICATE_FILE, KEY_FILE
from tests.integration.sync.search import Secrets
from tests.integration.sync.site import ORG, PASSWORD, Site, Terminal
from tests.services.mqtt import Peer
from tests.unit.attendance.clocks import SetClock
from tests.unit.cli.passwords import with_passwords
from tests.unit.store.stores import MODEL, Sample, clerk_of, vector

ZONE, ZONE_S = "Asia/Kathmandu", 20_700
OBSERVER = "observer"
MARK = b"end"
TEMPLATES = 2  # of each person
KEY_FILES = ("template.key", "keyring.key", "box.key", "signing.key")
# nobody is called so; each part has eight characters and more
PEOPLE = {
    "QZW-77310-KX": ("Quenbyth Xylotropham", "Zymurgielabor-Nord"),
    "QZW-88421-JV": ("Ørjanssøn Žvejkovičius", "Wolkenkuckucksamt"),
    "QZW-99532-HB": ("Thaumaturgis Wexelblatt", "Pfirsichkernwerk"),
    "QZW-10643-GD": ("Brunhildur Fjallabjörn", "Nachtfalterwarte"),
}
ASIDE = {
    "reason of a correction": "forgot the zebraskin lanyard",
    "reason of a deletion": "left for Wolpertingerstadt",
    "who corrects": "Oberaufsichtsrat",
    "picture": "zwetschgenfoto.jpg",
    "consent": "on form Kürbiskernbogen",
}


@dataclass
class Captured:
    """secrets: all that must not be in what was captured, `where` it was captured: by name."""

    site: Site
    broker: Mosquitto
    database: PostgreSQL
    secrets: Secrets
    where: dict[str, bytes] = field(default_factory=dict)
    wire: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def relay_files(self) -> tuple[Path, Path]:
        """Certificate and key of a relay."""
        return self.site.folder / "relay.pem", self.site.folder / "relay.key"

    def peer(self, name: str) -> Peer:
        """A client with the certificate of a terminal."""
        folder = self.site.folder / name
        return Peer(self.broker.port, self.broker.ca, (folder / CERTIFICATE_FILE, folder / KEY_FILE), name)


class Hands:
    """Gives out times of punches, each at another second of a day long ago, at hours at which no log of this run has a line."""

    def __init__(self) -> None:
        busy = {now.hour for now in (datetime.now(UTC), datetime.now().astimezone())}
        near = {(hour + by) % 24 for hour in busy for by in (-1, 0, 1)}
        quiet = [hour for hour in range(24) if not near & {hour, (hour + 5) % 24, (hour + 6) % 24}]
        self._hours = quiet
        self._random = np.random.default_rng(5)
        self.day = datetime(2024, 2, 1, tzinfo=UTC)
        self.given: list[datetime] = []

    def next(self) -> datetime:
        self.day += timedelta(days=1)
        hour = self._hours[int(self._random.integers(len(self._hours)))]
        minute, second, us = (int(self._random.integers(most)) for most in (60, 60, 10**6))
        self.given.append(self.day.replace(hour=hour, minute=minute, second=second, microsecond=us))
        return self.given[-1]


def observed(broker: Mosquitto, site: Site) -> tuple[Path, Path]:
    """Lets one client read everything: what nobody but the broker sees otherwise. Before the broker starts."""
    rules = broker.folder / "blinkd.acl"
    rules.write_text(rules.read_text(encoding="utf-8") + f"\nuser {OBSERVER}\ntopic read blink/v1/#\n", encoding="utf-8")
    files = site.folder / "observer.pem", site.folder / "observer.key"
    for file, content in zip(files, site.authority.issue_relay(OBSERVER), strict=True):
        write_whole(file, content)
    return files


@contextmanager
def captured(folder: Path, database: PostgreSQL) -> Iterator[Captured]:
    """Run it, and gather. The servers run on until the end."""
    site = Site(folder / "site", 0, 0, database.url)
    broker = Mosquitto(folder / "broker", site.authority)
    site.broker_port, site.relay_port = broker.port, broker.relay_port
    files = observed(broker, site)
    broker.start()
    observers = [Peer(broker.relay_port, broker.ca, files, OBSERVER, keep=600) for _ in range(2)]
    found = Captured(site, broker, database, Secrets())
    try:
        a, b = site.terminal("door-a"), site.terminal("door-b")
        hands, texts = Hands(), dict(ASIDE)
        observers[0].connect()
        observers[0].subscribe("blink/v1/#")
        _at_work(site, a, b, hands)
        found.secrets = _secrets((a, b), texts, hands)
        site.relays[-1].terminate()
        site.relays[-1].wait(30)
        with Peer(broker.relay_port, broker.ca, files, "absent", keep=600) as absent:
            absent.subscribe("blink/v1/#")  # and goes: what is sent now waits for it in the broker's store
        _punch(a, hands, 4)
        found.secrets = _secrets((a, b), texts, hands, found.secrets)
        found.wire += _sent_while_alone(a, observers[0])
        observers[0].leave()
        broker.stop()
        found.where["broker's store"] = b"".join(path.read_bytes() for path in sorted(broker.store.rglob("*")) if path.is_file())
        broker.start()
        site.start_relay()
        site.await_relays()
        assert a.now().returncode == 0
        _hear_out(observers[1], site)
        for observer in observers:
            while not observer.received.empty():
                message = observer.received.get()
                found.wire.append((message.topic, bytes(message.payload)))
        found.where["wire"] = b"\n".join(part for topic, payload in found.wire for part in (topic.encode(), payload))
        found.where["database"] = dump(database)
        found.where["logs"] = logs(found)
        yield found
    finally:
        site.close()
        broker.kill()


def _sent_while_alone(terminal: Terminal, observer: Peer) -> list[tuple[str, bytes]]:
    """The sync process runs until the broker has the last entry of the book. Returns what the observer has heard up to it."""
    with terminal.open(read_only=True) as store:
        last = store.outbox.end() - 1
    heard: list[tuple[str, bytes]] = []
    terminal.start()
    try:
        while not heard or not heard[-1][0].endswith(f"{terminal.name}/attendance") or Batch.parse(heard[-1][1]).entries[-1].seq < last:
            message = observer.next()
            heard.append((message.topic, bytes(message.payload)))
    finally:
        terminal.stop()
    return heard


def _hear_out(observer: Peer, site: Site) -> None:
    """What waited for it; then a word of its own, behind which nothing is left."""
    with observer:
        terminal = site.terminals[0].folder
        with Peer(site.broker_port, terminal / CA_FILE, (terminal / CERTIFICATE_FILE, terminal / KEY_FILE)) as door:
            door.publish(f"blink/v1/{ORG}/{site.terminals[0].name}/status", MARK)
        held = []
        while not held or held[-1].payload != MARK:
            held.append(observer.next())
        for message in held:
            observer.received.put(message)


def dump(database: PostgreSQL) -> bytes:
    """A plain pg_dump."""
    done = subprocess.run(["pg_dump", "--dbname", database.url], capture_output=True, check=True, timeout=60)
    return done.stdout


def logs(found: Captured) -> bytes:
    """Of relays, broker and database."""
    lines = [path.read_bytes() for path in sorted(found.site.folder.glob("*.log"))]
    return b"\n".join([*lines, *(line.encode() for line in (*found.broker.log, *found.database.log))])


def _at_work(site: Site, a: Terminal, b: Terminal, hands: Hands) -> None:
    site.start_relay()
    site.await_relays()
    ids = list(PEOPLE)
    _enrol(a, ids[:3])
    _punch(a, hands, 12)
    assert a.now().returncode == 0
    _enrol(b, ids[3:])
    assert b.now().returncode == 0
    _punch(b, hands, 12)
    with b.open() as store:
        supervisor = Supervisor(store.book, SystemClock(), ASIDE["who corrects"])
        punches = [punch.seq for punch in store.book.punches()]
        supervisor.void(punches[0], ASIDE["reason of a correction"])
        supervisor.amend(punches[1], ASIDE["reason of a correction"], hands.next(), None)
        store.erasure.delete(ids[1], "pseudonym", ASIDE["who corrects"], ASIDE["reason of a deletion"], SystemClock().now())
    assert b.now().returncode == 0
    turned = with_passwords("keys", "rotate", state=a.folder, lines=(PASSWORD,), BLINKD_TERMINAL__ID=a.name)
    assert turned.code == 0, turned.err
    for terminal in (a, b, a):
        assert terminal.now().returncode == 0


def _enrol(terminal: Terminal, ids: list[str]) -> None:
    with terminal.open() as store:
        for person in ids:
            name, group = PEOPLE[person]
            seed = list(PEOPLE).index(person)
            samples = [Sample({MODEL: vector(1000 + 10 * seed + place)}, source=ASIDE["picture"]) for place in range(TEMPLATES)]
            store.people.enrol(person, name, samples, Grounds(consent=ASIDE["consent"]))
            store.people.change(person, join=[group])


def _punch(terminal: Terminal, hands: Hands, count: int) -> None:
    with terminal.open() as store:
        known = [person.id for person in store.people.all()]
        for number in range(count):
            clerk = clerk_of(
                store,
                SetClock(hands.next(), 1000.0 + len(hands.given)),
                AttendanceSettings(min_interval_s=0),
                TerminalSettings(id=terminal.name, timezone=ZONE),
            )
            clerk.attend(known[number % len(known)], 0.7, {})


def _secrets(terminals: tuple[Terminal, ...], texts: dict[str, str], hands: Hands, before: Secrets | None = None) -> Secrets:
    """All of it, with what was known earlier and is gone now."""
    for person, (name, group) in PEOPLE.items():
        texts |= {f"id {person}": person, f"name {name}": name, f"group {group}": group, "password": PASSWORD}
        texts |= {f"part {part}": part for part in name.split()}
    keys = dict(before.keys) if before is not None else {}
    for terminal in terminals:
        with terminal.open(read_only=True) as store:
            _of_store(terminal, store, texts, keys)
    vectors = {f"template {seed}": vector(seed) for seed in range(1000, 1000 + 10 * len(PEOPLE)) if seed % 10 < TEMPLATES}
    return Secrets(texts, vectors, keys, {"punches": list(hands.given)}, ZONE_S)


def _of_store(terminal: Terminal, store: Store, texts: dict[str, str], keys: dict[str, bytes]) -> None:
    for person in store.people.all():
        texts[f"pseudonym of {person.id}"] = str(person.subject)
        replica = store.registry.replica("person", person.id)
        if (salt := getattr(replica, "salt", None)) is not None:
            keys[f"salt of {person.id}"] = salt
    for name in KEY_FILES:
        keys[f"{terminal.name} {name}"] = (terminal.folder / name).read_bytes()
    secret = load_pem_private_key((terminal.folder / KEY_FILE).read_bytes(), None)
    keys[f"{terminal.name} tls.key"] = secret.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
    ring = load(terminal.folder)
    for epoch, root in ring.roots.items():
        keys[f"root of {epoch}"] = bytes(root)
        for purpose in ("attendance", "people"):
            keys[f"{purpose} of {terminal.name} in {epoch}"] = ring.working_key(epoch, purpose, terminal.name)
    keys["index"] = bytes(ring.index)
    with load_file(terminal.folder / "keyring.json").opened(PASSWORD) as opened:
        keys["administrator"] = bytes(opened.admin)
        keys |= {f"root of {epoch}": bytes(root) for epoch, root in opened.roots.items()}
