"""A whole organisation on one machine: an authority, a broker, relays, a database, terminals. All of them the real ones."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from blinkd.attendance.clerk import Clerk
from blinkd.clock import SystemClock
from blinkd.crypto.authority import Authority, make_request, new_tls_key
from blinkd.crypto.box import Box
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import keep, unlock
from blinkd.settings import AttendanceSettings, StoreSettings
from blinkd.store.database import Store, make_folder
from blinkd.sync.runner import CA_FILE, CERTIFICATE_FILE, KEY_FILE
from tests.integration.sync.waiting import eventually
from tests.unit.store.stores import clerk_of

ORG, PASSWORD = "acme", "correct horse battery staple"
CONNECTED = b"connected to the broker"


@dataclass
class Terminal:
    """A terminal's state folder, and the processes on it."""

    name: str
    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def open(self, *, read_only: bool = False) -> Store:
        return Store.open(self.folder, StoreSettings(), read_only=read_only)

    def clerk(self, store: Store) -> Clerk:
        return clerk_of(store, SystemClock(), AttendanceSettings(min_interval_s=0))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "blinkd", *arguments]

    def run(self, *arguments: str, pass_fds: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False, timeout=120, pass_fds=pass_fds
        )

    def now(self, wait_s: float = 60) -> subprocess.CompletedProcess[str]:
        return self.run("sync", "now", "--wait", str(wait_s), "--json")

    def start(self) -> None:
        with (self.folder / "sync.log").open("ab") as log:
            self.process = subprocess.Popen(self.command("sync", "run"), env=self.environment, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


@dataclass
class Site:
    """Everything but the broker and the database, which the caller starts."""

    folder: Path
    broker_port: int
    relay_port: int
    database_url: str | None
    authority: Authority = field(init=False)
    keyring: KeyringFile = field(init=False)
    terminals: list[Terminal] = field(default_factory=list)
    relays: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.authority = Authority.create(self.folder / "ca", ORG)
        self.keyring = KeyringFile.create(ORG, PASSWORD, date(2026, 1, 1))
        certificate, key = self.authority.issue_relay()
        for name, content in (("relay.pem", certificate), ("relay.key", key), (CA_FILE, self.authority.ca_pem)):
            write_whole(self.folder / name, content)

    def terminal(self, name: str) -> Terminal:
        """A new terminal that has joined and has a certificate."""
        folder = self.folder / name
        make_folder(folder)
        with self.keyring.opened(PASSWORD) as opened:
            keep(folder, self.keyring, unlock(self.keyring, opened))
        tls = new_tls_key()
        request = make_request(name, ORG, tls, Signer.load(folder, create=True).public, Box.load(folder, create=True).public)
        for file, content in (
            (KEY_FILE, tls),
            (CERTIFICATE_FILE, self.authority.issue_terminal(request)),
            (CA_FILE, self.authority.ca_pem),
        ):
            write_whole(folder / file, content)
        environment = {
            **_clean(os.environ),
            "BLINKD_STATE_DIR": str(folder),
            "BLINKD_TERMINAL__ID": name,
            "BLINKD_SYNC__BROKER": "127.0.0.1",
            "BLINKD_SYNC__PORT": str(self.broker_port),
        }
        found = Terminal(name, folder, environment)
        self.terminals.append(found)
        return found

    def relay_environment(self, name: str) -> dict[str, str]:
        environment = {
            **_clean(os.environ),
            "BLINKD_RELAY__BROKER": "127.0.0.1",
            "BLINKD_RELAY__PORT": str(self.relay_port),
            "BLINKD_RELAY__CA_FILE": str(self.folder / CA_FILE),
            "BLINKD_RELAY__CERTIFICATE_FILE": str(self.folder / "relay.pem"),
            "BLINKD_RELAY__KEY_FILE": str(self.folder / "relay.key"),
            "BLINKD_RELAY__NAME": name,
        }
        return environment if self.database_url is None else environment | {"DATABASE_URL": self.database_url}

    def start_relay(self, name: str = "") -> subprocess.Popen[bytes]:
        name = name or f"r{len(self.relays) + 1}-{secrets.token_hex(2)}"
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "blinkd", "relay", "run", "--no-http"],
                env=self.relay_environment(name),
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        self.relays.append(process)
        return process

    def await_relays(self) -> None:
        """Until every relay has come to the broker: what a terminal says before is said to nobody, and again only after 20 s."""
        for log in self.folder.glob("r*.log"):
            eventually(lambda log=log: CONNECTED in log.read_bytes(), f"{CONNECTED.decode()} in {log}")  # type: ignore[misc]

    def close(self) -> None:
        for terminal in self.terminals:
            if terminal.process is not None and terminal.process.poll() is None:
                terminal.stop(signal.SIGKILL)
        for relay in self.relays:
            relay.kill()
            relay.wait()


def _clean(environment: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for name, value in environment.items() if not name.startswith("BLINKD_") and name != "DATABASE_URL"}
