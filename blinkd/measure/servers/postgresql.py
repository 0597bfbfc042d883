"""The real PostgreSQL, on a port and in a folder of its own. It refuses to run as root, so root gives it to Debian's user for it."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from blinkd.errors import ServerFailed
from blinkd.measure.servers.ports import free_ports
from blinkd.measure.servers.server import Server

USER = "postgres"  # Debian's; who is not root runs it as themselves
ROLE = "blinkd"


class PostgreSQL(Server):
    """Use it as a context manager: the folder goes with it. It keeps its port and its data from start to start.

    durable: wait for the disk at every commit. Off it is faster, and a kill still loses nothing: the machine's memory survives it.
    """

    def __init__(self, *, durable: bool = False, niceness: int = 0) -> None:
        """Make its data folder. Raises ServerFailed."""
        user = USER if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="blinkd-postgresql-"))
        super().__init__(
            "postgresql", "ready to accept connections", {**os.environ, "LC_ALL": "C", "TZ": "UTC"}, user, self.folder, niceness
        )
        (self.port,) = free_ports(1)
        self._password = secrets.token_urlsafe(12)
        self._durable = durable
        self._programs = _programs()
        passwords = self.folder / "password"
        passwords.write_text(self._password, encoding="ascii")
        for path in (self.folder, passwords):
            if user is not None:
                shutil.chown(path, user, user)
        options = [
            "--username",
            ROLE,
            "--pwfile",
            str(passwords),
            "--auth",
            "scram-sha-256",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]
        made = subprocess.run(  # noqa: S603  its own programs
            [self._programs / "initdb", "--pgdata", self.folder / "data", *options],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        passwords.unlink()
        if made.returncode != 0:
            raise ServerFailed(made.stderr)

    def __enter__(self) -> "PostgreSQL":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        """For DATABASE_URL; with its password. The database is the one that initdb makes."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same, by way of a proxy."""
        return f"postgresql://{ROLE}:{self._password}@127.0.0.1:{port}/postgres"

    def command(self) -> Sequence[str | Path]:
        """What to run."""
        choices = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            "log_min_messages": "log",
        }
        return [
            self._programs / "postgres",
            "-D",
            self.folder / "data",
            *(word for key, value in choices.items() for word in ("-c", f"{key}={value}")),
        ]


def _programs() -> Path:
    """The newest version that is installed: Debian keeps them side by side."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found and (elsewhere := shutil.which("initdb")):
        found = [Path(elsewhere)]
    if not found:
        raise ServerFailed("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent
