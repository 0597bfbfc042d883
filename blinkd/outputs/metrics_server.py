"""The page with the figures: prometheus-client's server, made fit for a machine without a network and for clients that say nothing."""

import logging
import socketserver
import sys
import threading
from collections.abc import Callable
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, socket
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

MOST_CLIENTS = 8  # at once; Prometheus needs one, and whoever opens more must not cost the door its memory
SILENT_S = 5.0  # a client that says nothing for so long is let go
CLOSE_S = 0.3  # for the thread to end

log = logging.getLogger(__name__)

Request = socket | tuple[bytes, socket]  # as socketserver has it
Client = tuple[str, int]


class _Handler(WSGIRequestHandler):
    """One request, not logged."""

    timeout = SILENT_S

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line every fifteen seconds would be all that the journal holds."""


class _Server(ThreadingWSGIServer):
    """With a limit, and without asking a name server for its own name, which takes seconds where there is no network."""

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int]) -> None:
        self.address_family = AF_INET6 if ip_address(address[0]).version == 6 else AF_INET
        self._free = threading.BoundedSemaphore(MOST_CLIENTS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Request, client_address: Client) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._free.release()
            raise

    def process_request_thread(self, request: Request, client_address: Client) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Request, client_address: Client) -> None:  # noqa: ARG002  of the base
        """A client that has gone or says nothing is none of ours."""
        log.debug("metrics: a request was not answered: %s", sys.exc_info()[1])


class MetricsServer:
    """Serves a registry in threads of its own until `close`."""

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        """host: an IP address; port: 0 takes a free one. Raises OSError where it cannot listen there."""
        self._server = _Server((host, port))
        app: Callable[..., Any] = make_wsgi_app(registry)
        self._server.set_app(app)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """On which it listens."""
        return self._server.server_port

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join(CLOSE_S)
        self._server.server_close()
