"""The real Mosquitto with the configuration that is shipped, on ports and in a folder of its own."""

import getpass
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from blinkd.crypto.keyfile import write_whole
from blinkd.errors import ServerFailed
from blinkd.measure.servers.ports import free_ports
from blinkd.measure.servers.server import Server
from blinkd.shipped import shipped

SETTINGS, RULES = "mosquitto.conf", "mosquitto.acl"  # in config/
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"  # Debian has it where only root looks
HOSTS = ("localhost", "127.0.0.1")


class BrokerAuthority(Protocol):
    """Who signs the broker's certificate and those of its clients."""

    @property
    def org(self) -> str:
        """The organisation."""

    @property
    def ca_pem(self) -> bytes:
        """The authority's own certificate."""

    def crl(self) -> bytes:
        """What is revoked, PEM."""

    def issue_broker(self, hosts: Sequence[str]) -> tuple[bytes, bytes]:
        """A broker's certificate and key, PEM."""


class Mosquitto(Server):
    """A broker for one organisation. It keeps its ports and its store from start to start.

    port: the terminals' door; relay_port: the relays'. Certificates are those of the authority given.
    """

    def __init__(self, folder: Path, authority: BrokerAuthority, niceness: int = 0) -> None:
        """Write its files into a new folder."""
        super().__init__("mosquitto", "running", niceness=niceness)
        self.folder, self.authority = folder, authority
        self.store, self.settings = folder / "store", folder / "mosquitto.conf"
        self.ca = folder / "ca.pem"
        self.port, self.relay_port = free_ports(2)
        self.store.mkdir(parents=True)
        self.ca.write_bytes(authority.ca_pem)
        certificate, key = authority.issue_broker(HOSTS)
        write_whole(folder / "broker.pem", certificate)
        write_whole(folder / "broker.key", key)
        self.write_revocations()
        config = shipped("config", SETTINGS)
        # only its owner's: newer versions refuse rules that others may read
        write_whole(folder / "blinkd.acl", (config / RULES).read_text(encoding="utf-8").replace("ORGANISATION", authority.org).encode())
        self.settings.write_text(adapted((config / SETTINGS).read_text(encoding="utf-8"), self), encoding="utf-8")

    def write_revocations(self) -> None:
        """The authority's list as it is now; in force from the next start or reload on."""
        (self.folder / "crl.pem").write_bytes(self.authority.crl())

    def command(self) -> Sequence[str | Path]:
        """What to run. Raises ServerFailed where it is not installed."""
        program = shutil.which("mosquitto", path=PLACES)
        if program is None:
            raise ServerFailed("mosquitto is not installed: apt-get install mosquitto")
        return [program, "-c", self.settings]

    def wipe(self) -> None:
        """The store is gone, as after a change of disk. Only while it does not run."""
        assert not self.running, "stop it first"
        shutil.rmtree(self.store)
        self.store.mkdir()


def adapted(text: str, broker: Mosquitto) -> str:
    """The shipped configuration with other paths and ports. Fails when a path is left as it was."""
    # Mosquitto gives up being root, but the folder belongs to whoever runs this; and who starts it wants to be told when it is up.
    lines = [f"user {getpass.getuser()}", "log_type information"]
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "listener":
            words[1:] = [str({"8883": broker.port, "8884": broker.relay_port}[words[1]]), "127.0.0.1"]
        elif words[0] == "persistence_location":
            words[1] = f"{broker.store}/"
        elif words[0].endswith("file"):
            words[1] = str(broker.folder / Path(words[1]).name)
        lines.append(" ".join(words))
    adapted_text = "\n".join(lines) + "\n"
    assert "/etc/" not in adapted_text and "/var/" not in adapted_text, adapted_text
    return adapted_text
