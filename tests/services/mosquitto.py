"""The real Mosquitto with the configuration that is shipped, on ports and in a folder of its own."""

import getpass
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

from tests.services.certificates import Authority
from tests.services.ports import free_ports

CONFIG = Path(__file__).parents[2] / "config"
PATIENCE_S = 20.0
PROGRAM = "mosquitto"
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"  # Debian has it where only root looks


class BrokerFailed(Exception):
    """It did not start; the message is what it said."""


class Mosquitto:
    """A broker for one organisation. It keeps its ports and its store from start to start.

    port: the terminals' door; relay_port: the relays'. Certificates are those of the authority given.
    """

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder, self.authority = folder, authority
        self.store, self.settings = folder / "store", folder / "mosquitto.conf"
        self.ca = folder / "ca.pem"
        self.port, self.relay_port = free_ports(2)
        self.log: list[str] = []  # every line since the first start
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._said = threading.Condition()
        self._ended_log = False
        self.store.mkdir(parents=True)
        self.ca.write_bytes(authority.pem)
        authority.broker().write(folder, "broker")
        self.write_revocations()
        acl = (CONFIG / "mosquitto.acl").read_text(encoding="utf-8").replace("ORGANISATION", authority.organisation)
        (folder / "blinkd.acl").write_text(acl, encoding="utf-8")
        (folder / "blinkd.acl").chmod(0o600)  # newer versions refuse one that others may read
        self.settings.write_text(adapted((CONFIG / "mosquitto.conf").read_text(encoding="utf-8"), self), encoding="utf-8")

    def write_revocations(self) -> None:
        """The authority's list as it is now; in force from the next start on."""
        (self.folder / "crl.pem").write_bytes(self.authority.crl())

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Returns when it takes connections. Raises BrokerFailed."""
        program = shutil.which(PROGRAM, path=PLACES)
        if program is None:
            raise BrokerFailed("mosquitto is not installed: apt-get install mosquitto")
        self._process = subprocess.Popen(
            [program, "-c", self.settings], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        begun, self._ended_log = len(self.log), False
        self._reader = threading.Thread(target=self._listen, args=(self._process,), name="broker log")
        self._reader.start()
        try:
            self.wait_for("running", begun)
        except BrokerFailed:
            self._end(signal.SIGKILL)
            raise

    def wait_for(self, words: str, begun: int = 0) -> None:
        """Until a line of the log from line `begun` on contains them. Raises BrokerFailed when it ends or does not come to it."""
        with self._said:
            self._said.wait_for(lambda: self._ended_log or any(words in line for line in self.log[begun:]), PATIENCE_S)
            if not any(words in line for line in self.log[begun:]):
                raise BrokerFailed("\n".join(self.log[begun:]))

    def stop(self) -> None:
        """As systemd does it: it saves its store."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut does it, but for the disk's cache."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It takes connections and says nothing, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """The store is gone, as after a change of disk. Only while it does not run."""
        assert not self.running, "stop it first"
        shutil.rmtree(self.store)
        self.store.mkdir()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.wait(PATIENCE_S)
        self._ended()

    def _ended(self) -> None:
        assert self._process is not None and self._reader is not None
        self._reader.join(PATIENCE_S)
        self._process.wait(PATIENCE_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = self._reader = None

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._said:
                self.log.append(line.rstrip())
                self._said.notify_all()
        with self._said:
            self._ended_log = True
            self._said.notify_all()


def adapted(text: str, broker: Mosquitto) -> str:
    """The shipped configuration with other paths and ports. Fails when a path is left as it was."""
    # Mosquitto gives up being root, but the folder of a test belongs to whoever runs it; and a test wants to be told when it is up.
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
