"""The other end of systemd's notification socket."""

import socket
import time
from pathlib import Path


class Manager:
    """systemd's end of the socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def wait_for(self, words: str, timeout_s: float = 60.0) -> list[str]:
        """Everything that is said until the words are."""
        found, deadline = list[str](), time.monotonic() + timeout_s
        while not any(words in one for one in found):
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                found.append(self._socket.recv(4096).decode())
            except TimeoutError:
                raise AssertionError(f"{words!r} was not said to systemd; but {found}") from None
            finally:
                self._socket.setblocking(False)
        return found

    def close(self) -> None:
        self._socket.close()
