"""The broker of a house with Home Assistant: the real Mosquitto, with a user and a password, plain or by TLS."""

import getpass
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from blinkd.errors import ServerFailed
from blinkd.measure.servers.mosquitto import HOSTS, PLACES, BrokerAuthority
from blinkd.measure.servers.ports import free_ports
from blinkd.measure.servers.server import Server

USER, PASSWORD = "terminal", "blue-house-password"


class HouseBroker(Server):
    """It keeps its port and what is retained from start to start. authority: of its certificate, for TLS."""

    def __init__(self, folder: Path, authority: BrokerAuthority | None = None) -> None:
        super().__init__("mosquitto", "running")
        self.folder = folder
        folder.mkdir()
        (self.port,) = free_ports(1)
        passwords = folder / "passwords"
        passwords.touch(0o600)
        tool = shutil.which("mosquitto_passwd", path=PLACES)
        if tool is None:
            raise ServerFailed("mosquitto_passwd is not installed: apt-get install mosquitto")
        subprocess.run([tool, "-b", str(passwords), USER, PASSWORD], check=True, capture_output=True)
        lines = [
            f"user {getpass.getuser()}",
            "log_type all",
            f"listener {self.port} 127.0.0.1",
            f"password_file {passwords}",
            "allow_anonymous false",
            "persistence true",
            f"persistence_location {folder}/",
        ]
        if authority is not None:
            certificate, key = authority.issue_broker(HOSTS)
            for name, content in (("ca.pem", authority.ca_pem), ("broker.pem", certificate), ("broker.key", key)):
                (folder / name).write_bytes(content)
            lines += [f"certfile {folder / 'broker.pem'}", f"keyfile {folder / 'broker.key'}"]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def command(self) -> Sequence[str | Path]:
        program = shutil.which("mosquitto", path=PLACES)
        if program is None:
            raise ServerFailed("mosquitto is not installed: apt-get install mosquitto")
        return [program, "-c", self.folder / "mosquitto.conf"]
