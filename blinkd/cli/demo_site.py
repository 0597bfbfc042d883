"""A whole organisation in a temporary folder, for the demonstration: authority, keyring, broker, relay and terminals, all of them the real ones."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from blinkd.clock import SystemClock
from blinkd.crypto.authority import Authority
from blinkd.crypto.certificates import CertificateChecker
from blinkd.crypto.installation import admit
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.unlocked import unlock
from blinkd.errors import DemoFailed
from blinkd.relay.connections import Connections
from blinkd.relay.core import Core
from blinkd.relay.migrate import migrate
from blinkd.relay.opening import SQLITE_FILE
from blinkd.relay.service import Service, relay_link
from blinkd.relay.sqlite import SqliteConnections
from blinkd.settings import RelaySettings, Settings, SyncSettings
from blinkd.store.database import Store, make_folder
from blinkd.sync.embedded import HOST, EmbeddedBroker
from blinkd.sync.link import Broker
from blinkd.sync.runner import Runner

MQTT = 4  # 3.1.1, which is what the embedded broker speaks
RELAY_S = 15.0  # for the relay to reach the broker
SYNC_S = 30.0  # for one terminal to send and fetch all; it takes about a second
LOOK_S = 0.02  # between looks whether the relay is there


@dataclass(frozen=True, slots=True)
class Site:
    """What stands. database: the relay's; keyring: the organisation's, as its administrator keeps it."""

    organisation: str
    folder: Path
    authority: Authority
    keyring: KeyringFile
    broker: EmbeddedBroker
    database: SqliteConnections

    @property
    def database_files(self) -> list[Path]:
        """All that lies on the relay's disk."""
        return sorted(self.folder.glob(f"{SQLITE_FILE}*"))


@contextlib.contextmanager
def site(folder: Path, organisation: str, password: str) -> Iterator[Site]:
    """Broker and relay at work, until the end of the block. Raises DemoFailed, ConfigError, StoreError."""
    authority = Authority.create(folder / "authority", organisation)
    keyring = KeyringFile.create(organisation, password, datetime.now(UTC).date())
    for name, (certificate, key) in (("broker", authority.issue_broker([HOST])), ("relay", authority.issue_relay())):
        write_whole(folder / f"{name}.pem", certificate)
        write_whole(folder / f"{name}.key", key)
    ca = folder / "ca.pem"
    write_whole(ca, authority.ca_pem)
    with (
        EmbeddedBroker(ca, folder / "broker.pem", folder / "broker.key") as broker,
        contextlib.closing(SqliteConnections(folder / SQLITE_FILE)) as database,
    ):
        migrate(database)
        link = Broker(HOST, broker.port, ca, folder / "relay.pem", folder / "relay.key", version=MQTT)
        with _relay(database, authority.ca_pem, link):
            yield Site(organisation, folder, authority, keyring, broker, database)


def join(here: Site, given: Settings, name: str, keys: Keyring) -> Settings:
    """Make a terminal: its keys, its certificate, the organisation's keyring. The settings by which it works. Raises CertificateRefused."""
    folder = here.folder / name
    make_folder(folder)
    admit(folder, name, here.authority, here.keyring, keys)
    return given.model_copy(
        update={
            "state_dir": folder,
            "terminal": given.terminal.model_copy(update={"id": name}),
            "sync": SyncSettings(broker=HOST, port=here.broker.port, mqtt_version=MQTT),
        }
    )


def synchronise(settings: Settings, store: Store) -> None:
    """Send all that waits and fetch all that is new, as `blinkd sync now` does. Raises DemoFailed when the relay does not answer in time."""
    until, done = time.monotonic() + SYNC_S, threading.Event()
    runner = Runner(settings, store, SystemClock())

    def finished() -> bool:
        if runner.drained():
            done.set()
        return done.is_set() or time.monotonic() >= until

    runner.run(runner.link(), finished)
    if not done.is_set():
        raise DemoFailed(
            f"{settings.terminal.id}: the relay has not confirmed everything within {SYNC_S:.0f} s; try again on an idle machine"
        )


def unlocked(here: Site, password: str) -> Keyring:
    """The organisation's keys, as whoever knows the password has them. Raises WrongPassword."""
    with here.keyring.opened(password) as secrets:
        return unlock(here.keyring, secrets)


@contextlib.contextmanager
def _relay(database: Connections, ca_pem: bytes, broker: Broker) -> Iterator[None]:
    """A relay in a thread of its own; it shares the messages with no other, which the embedded broker could not do."""
    stop, settings = threading.Event(), RelaySettings()
    core = Core(database, CertificateChecker(ca_pem))
    service = Service(core, gather_s=settings.gather_ms / 1000, most=settings.gather_most, stopped=stop.is_set)
    link = relay_link(service, broker, "demo", None)
    thread = threading.Thread(target=service.run, args=(link,), name="relay", daemon=True)
    thread.start()
    try:
        until = time.monotonic() + RELAY_S
        while not service.connected:
            if time.monotonic() >= until:
                raise DemoFailed(f"the relay has not reached the broker within {RELAY_S:.0f} s; try again on an idle machine")
            time.sleep(LOOK_S)
        yield
    finally:
        stop.set()
        thread.join(RELAY_S)
