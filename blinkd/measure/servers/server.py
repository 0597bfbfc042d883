"""A process that is started, told to end, killed, frozen; and whose standard error says when it is ready."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from blinkd.errors import ServerFailed

PATIENCE_S = 60.0


class Server:
    """Start it as often as wanted, one process at a time. ready: words of the line by which it says that it takes connections.

    user: whom it runs as, where whoever starts it is root; None leaves it.
    """

    def __init__(
        self,
        name: str,
        ready: str,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        folder: Path | None = None,
        niceness: int = 0,
    ) -> None:
        """name: in messages; environment: None leaves this process's own; folder: in which it works; niceness: how much others come before it."""
        self.name = name
        self.log: list[str] = []  # every line since the first start
        self._ready, self._environment, self._user, self._folder = ready, environment, user, folder
        self._before = ["nice", "-n", str(niceness)] if niceness else []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._said = threading.Condition()
        self._closed = True  # whether the process has closed its standard error
        self._begun = 0  # first line of this process

    def command(self) -> Sequence[str | Path]:
        """What to run."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether it is started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None, f"{self.name} is not started"
        return self._process.pid

    def start(self) -> None:
        """Returns when it takes connections. Raises ServerFailed."""
        self.launch()
        try:
            self.wait_for(self._ready, self._begun)
        except ServerFailed:
            self.kill()
            raise

    def launch(self) -> None:
        """Start it without waiting."""
        assert self._process is None, f"{self.name} is started already"
        self._begun, self._closed = len(self.log), False
        self._process = subprocess.Popen(  # noqa: S603  what to run is written down here and beside this file
            [*self._before, *self.command()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=self._folder,
            env=self._environment,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )
        self._reader = threading.Thread(target=self._listen, args=(self._process,), name=f"log of {self.name}")
        self._reader.start()

    def wait_for(self, words: str, begun: int = 0, patience: float = PATIENCE_S) -> None:
        """Until a line of the log from line `begun` on contains them. Raises ServerFailed when it ends or does not come to it."""
        with self._said:
            self._said.wait_for(lambda: self._closed or any(words in line for line in self.log[begun:]), patience)
            if not any(words in line for line in self.log[begun:]):
                raise ServerFailed(f"{self.name} did not say {words!r}:\n" + "\n".join(self.log[begun:][-50:]))

    def stop(self) -> None:
        """In order, as systemd does it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut does it, but for the disk's cache. It and what it has started."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It keeps its connections and says nothing, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            if how is signal.SIGKILL:
                self._process.send_signal(signal.SIGSTOP)  # so that it starts no more children
                for child in children(self._process.pid):
                    os.kill(child, signal.SIGKILL)
            self._process.send_signal(how)
        self._process.wait(PATIENCE_S)
        assert self._reader is not None and self._process.stderr is not None
        self._reader.join(PATIENCE_S)
        self._process.stderr.close()
        self._process = self._reader = None

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._said:
                self.log.append(line.rstrip())
                self._said.notify_all()
        with self._said:
            self._closed = True
            self._said.notify_all()


def children(pid: int) -> list[int]:
    """Of a process that has stopped, all the way down."""
    try:
        own = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []
    return own + [grandchild for child in own for grandchild in children(child)]
