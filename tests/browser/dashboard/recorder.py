"""A proxy that keeps every byte that a browser sends, wherever it is meant to go. Only the relay is let through to."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection, socket
from urllib.parse import urlsplit

END = b"\r\n\r\n"
CHUNK = 1 << 16


class Recorder(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, relay: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        parts = urlsplit(relay)
        self.relay = parts.netloc
        self.way = (parts.hostname or "", parts.port or 0)
        self._lock = threading.Lock()
        self._sent: list[bytes] = []
        self.strangers: list[str] = []  # whom else the browser wanted to speak to

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def keep(self, data: bytes) -> None:
        with self._lock:
            self._sent.append(data)

    def sent(self) -> bytes:
        """All of it, with a byte between what was sent apart."""
        with self._lock:
            return b"\x00".join(self._sent)


class _Passing(socketserver.BaseRequestHandler):
    server: Recorder
    request: socket

    def handle(self) -> None:
        waiting = b""
        while True:
            while END not in waiting:
                if not (data := self.request.recv(CHUNK)):
                    return
                self.server.keep(data)
                waiting += data
            head, _, waiting = waiting.partition(END)
            line, _, headers = head.partition(b"\r\n")
            method, target, version = line.split(b" ", 2)
            parts = urlsplit(target.decode())
            if method == b"CONNECT" or parts.netloc != self.server.relay:
                self.server.strangers.append(line.decode())
                self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            length = next((int(one[15:]) for one in headers.lower().split(b"\r\n") if one.startswith(b"content-length:")), 0)
            while len(waiting) < length:
                data = self.request.recv(CHUNK)
                self.server.keep(data)
                waiting += data
            body, waiting = waiting[:length], waiting[length:]
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            kept = [one for one in headers.split(b"\r\n") if not one.lower().startswith((b"proxy-connection", b"connection"))]
            self._passed(b"\r\n".join([b" ".join((method, path.encode(), version)), *kept, b"Connection: close"]) + END + body)

    def _passed(self, message: bytes) -> None:
        """One request to the relay; its whole answer back, with a length of its own so that the browser's connection stays."""
        with create_connection(self.server.way) as relay:
            relay.sendall(message)
            answer = b""
            while data := relay.recv(CHUNK):
                answer += data
        self.request.sendall(answer)


@contextmanager
def recorded(relay: str) -> Iterator[Recorder]:
    with Recorder(relay) as recorder:
        thread = threading.Thread(target=recorder.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield recorder
        finally:
            recorder.shutdown()
            thread.join()
