"""An organisation on this machine for a bench: the real broker and database, relays as processes, terminals as folders."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from blinkd.crypto.authority import Authority
from blinkd.crypto.installation import admit
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.unlocked import unlock
from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.measure.servers.server import Server
from blinkd.settings import AttendanceSettings, Settings, SyncSettings
from blinkd.store.database import make_folder
from blinkd.sync.link import Broker

ORGANISATION, PASSWORD = "bench", "of no use after the bench"
HOST = "127.0.0.1"


class Relay(Server):
    """`blinkd relay run` as a process."""

    def __init__(self, name: str, environment: dict[str, str], folder: Path, niceness: int = 0) -> None:
        """name: at the broker."""
        super().__init__(name, "connected to the broker", environment, None, folder, niceness)

    def command(self) -> Sequence[str | Path]:
        """What to run."""
        return [sys.executable, "-m", "blinkd", "relay", "run", "--no-http"]


@dataclass(frozen=True, slots=True)
class Site:
    """What stands. given: the settings of whoever runs the bench; niceness: of broker, database and relays."""

    given: Settings
    folder: Path
    authority: Authority
    keyring: KeyringFile
    keys: Keyring
    broker: Mosquitto
    database: PostgreSQL
    niceness: int

    def terminal(self, name: str) -> Settings:
        """Make one; the settings by which it works. Its punches may follow each other as fast as they come."""
        folder = self.folder / name
        make_folder(folder)
        admit(folder, name, self.authority, self.keyring, self.keys)
        return self.given.model_copy(
            update={
                "state_dir": folder,
                "terminal": self.given.terminal.model_copy(update={"id": name}),
                "attendance": AttendanceSettings(min_interval_s=0),
                "sync": SyncSettings(broker=HOST, port=self.broker.port),
            }
        )

    def environment(self, settings: Settings) -> dict[str, str]:
        """For a process that is to work by a terminal's settings."""
        return {
            **clean_environment(),
            "BLINKD_STATE_DIR": str(settings.state_dir),
            "BLINKD_TERMINAL__ID": settings.terminal.id,
            "BLINKD_SYNC__BROKER": HOST,
            "BLINKD_SYNC__PORT": str(self.broker.port),
        }

    @contextlib.contextmanager
    def relays(self, count: int) -> Iterator[list[Relay]]:
        """So many at work until the end of the block. Raises ServerFailed."""
        variables = {
            **clean_environment(),
            "DATABASE_URL": self.database.url,
            "BLINKD_RELAY__BROKER": HOST,
            "BLINKD_RELAY__PORT": str(self.broker.relay_port),
            "BLINKD_RELAY__CA_FILE": str(self.folder / "ca.pem"),
            "BLINKD_RELAY__CERTIFICATE_FILE": str(self.folder / "relay.pem"),
            "BLINKD_RELAY__KEY_FILE": str(self.folder / "relay.key"),
        }
        names = [f"relay-{number}" for number in range(1, count + 1)]
        running = [Relay(name, variables | {"BLINKD_RELAY__NAME": name}, self.folder, self.niceness) for name in names]
        try:
            for relay in running:
                relay.start()
            yield running
        finally:
            for relay in running:
                relay.stop()

    def fresh_broker(self) -> None:
        """Start it again with an empty store: no session of a relay that is gone is dealt messages."""
        self.broker.stop()
        self.broker.wipe()
        self.broker.start()

    def way_of_relays(self) -> Broker:
        """As a client with a relay's certificate has it."""
        return Broker(HOST, self.broker.relay_port, self.folder / "ca.pem", self.folder / "relay.pem", self.folder / "relay.key")

    def way_to_broker(self, settings: Settings) -> Broker:
        """As a client with a terminal's certificate has it."""
        folder = settings.state_dir
        return Broker(HOST, self.broker.port, folder / "ca.pem", folder / "terminal.pem", folder / "tls.key")


@contextlib.contextmanager
def site(given: Settings, folder: Path, niceness: int = 0) -> Iterator[Site]:
    """Broker and database at work, until the end of the block. Raises ServerFailed where one is not installed or does not start."""
    folder.mkdir()
    authority = Authority.create(folder / "authority", ORGANISATION)
    keyring = KeyringFile.create(ORGANISATION, PASSWORD, datetime.now(UTC).date())
    certificate, key = authority.issue_relay()
    for name, content in (("relay.pem", certificate), ("relay.key", key), ("ca.pem", authority.ca_pem)):
        write_whole(folder / name, content)
    with keyring.opened(PASSWORD) as opened:
        keys = unlock(keyring, opened)
    broker = Mosquitto(folder / "broker", authority, niceness)
    with PostgreSQL(durable=True, niceness=niceness) as database:
        broker.start()
        try:
            yield Site(given, folder, authority, keyring, keys, broker, database, niceness)
        finally:
            broker.stop()


def clean_environment() -> dict[str, str]:
    """This process's, without what would change a blinkd."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BLINKD_") and name != "DATABASE_URL"}
