"""An organisation on the real broker, database and relay, an honest terminal on it, and a rogue one whose certificate is good."""

import datetime as dt
import json
import queue
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.sync.link import Broker, Happening, Lost, MqttLink
from blinkd.sync.messages import Receipt
from blinkd.sync.runner import CA_FILE, CERTIFICATE_FILE, KEY_FILE
from tests.integration.sync.captured import OBSERVER, observed
from tests.integration.sync.site import ORG, Site, Terminal
from tests.services.mqtt import Peer
from tests.unit.store.stores import sample

NOT_AUTHORISED = 0x87
END = b"end"
PATIENCE_S = 30.0


class Stage:
    """Its servers run until `close`."""

    def __init__(self, folder: Path, database: PostgreSQL) -> None:
        self.url = database.url
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        self.site = Site(folder / "site", 0, 0, self.url)
        self.broker = Mosquitto(folder / "broker", self.site.authority)
        self.site.broker_port, self.site.relay_port = self.broker.port, self.broker.relay_port
        self._observer = observed(self.broker, self.site)
        self.broker.start()
        self.relay = self.site.start_relay("relay-1")
        self.gate, self.rogue = self.site.terminal("gate"), self.site.terminal("rogue")
        with self.gate.open() as store:
            store.people.enrol("E-1", "Ann Example", [sample(1)])
        punch(self.gate, 3)
        self.site.await_relays()
        for terminal in (self.gate, self.rogue):
            done = terminal.now()
            assert done.returncode == 0, done.stderr

    def close(self) -> None:
        self.site.close()
        self.broker.kill()

    def peer(self, terminal: Terminal, *, door: int | None = None) -> Peer:
        """A client with a terminal's certificate."""
        files = terminal.folder / CERTIFICATE_FILE, terminal.folder / KEY_FILE
        return Peer(door or self.broker.port, self.broker.ca, files, terminal.name)

    def relays(self, name: str, *, door: int | None = None) -> Peer:
        """A client with the relays' certificate."""
        return Peer(door or self.broker.relay_port, self.broker.ca, (self.site.folder / "relay.pem", self.site.folder / "relay.key"), name)

    def observer(self) -> Peer:
        return Peer(self.broker.relay_port, self.broker.ca, self._observer, OBSERVER)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql, values).fetchall()  # type: ignore[arg-type]

    def log(self) -> str:
        """The relay's."""
        return (self.site.folder / "relay-1.log").read_text(encoding="utf-8")

    def status(self) -> dict[str, dict[str, Any]]:
        """What `relay status` says, by terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "blinkd", "relay", "status", "--json"],
            env=self.site.relay_environment("status"),
            capture_output=True,
            check=True,
            timeout=60,
        )
        return {one["terminal"]: one for one in json.loads(done.stdout)}


def punch(terminal: Terminal, count: int) -> list[dict[str, Any]]:
    """Returns what all of the terminal's punches say."""
    with terminal.open() as store:
        clerk = terminal.clerk(store)
        for _ in range(count):
            clerk.attend("E-1", 0.7, {})
        return [one.content() for one in store.book.punches()]


def refused(peer: Peer, suffix: str, payload: bytes) -> set[str]:
    """Why the relay does not take a message on the rogue's own topic; of all that is in it, nothing."""
    assert not peer.publish(f"blink/v1/{ORG}/rogue/{suffix}", payload).is_failure
    receipt = Receipt.parse(bytes(peer.next().payload))
    assert receipt.attendance is None and receipt.people == ()
    return {one.reason for one in receipt.rejected}


def refusal(stage: Stage, terminal: Terminal) -> str:
    """Why the broker does not let a terminal in, in the words of the terminal's own client."""
    happened: queue.Queue[Happening] = queue.Queue()
    files = (terminal.folder / name for name in (CA_FILE, CERTIFICATE_FILE, KEY_FILE))
    link = MqttLink(Broker("127.0.0.1", stage.broker.port, *files), terminal.name, [], None, happened.put, in_flight=1)
    link.start()
    try:
        first = happened.get(timeout=PATIENCE_S)
    finally:
        link.stop()
    assert isinstance(first, Lost), first
    return first.reason


def der_of(terminal: Terminal) -> bytes:
    """Its certificate."""
    return x509.load_pem_x509_certificate((terminal.folder / CERTIFICATE_FILE).read_bytes()).public_bytes(Encoding.DER)


def reissued(site: Site, terminal: Terminal, begins: dt.timedelta, ends: dt.timedelta) -> bytes:
    """The terminal's certificate once more by the same authority, with other dates, from now. PEM."""
    old = x509.load_der_x509_certificate(der_of(terminal))
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), x509.random_serial_number(), now + begins, now + ends)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(site.authority._key, SHA256()).public_bytes(Encoding.PEM)
