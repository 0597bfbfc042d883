"""The other end of systemd's notification socket."""

import queue
import socket
import threading
import time
from pathlib import Path

MARK = "everything before this was said before somebody asked"


class Manager:
    """systemd's end of the socket: it reads all the time, as systemd does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._said: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def heard(self) -> list[str]:
        """What has been said until now and was not asked for."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            asking.sendto(MARK.encode(), str(self.path))
        return list(iter(self._said.get, MARK))

    def wait_for(self, words: str, timeout_s: float = 60.0) -> list[str]:
        """Everything that is said until the words are."""
        found, deadline = list[str](), time.monotonic() + timeout_s
        while not any(words in one for one in found):
            try:
                found.append(self._said.get(timeout=max(deadline - time.monotonic(), 0.001)))
            except queue.Empty:
                raise AssertionError(f"{words!r} was not said to systemd; but {found}") from None
        return found

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()

    def _read(self) -> None:
        while said := self._socket.recv(4096):
            self._said.put(said.decode())
