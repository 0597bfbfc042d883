"""Runs an application with uvicorn in a thread: the relay's HTTP API, and the terminal's own pages."""

import ipaddress
import logging
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from blinkd.errors import ConfigError
from blinkd.serving.patience import PatientProtocol

LONGEST_HEADERS = 16 * 1024  # bytes of a request before its body
MOST_CONNECTIONS = 200  # at once; more are answered with 503, so that memory stays bounded: bodies are 1 MiB at most, pictures few
KEEP_ALIVE_S = 15
LONGEST_MESSAGE = 4096  # bytes that a page may send by a WebSocket at once; ours send nothing but what is very short
MESSAGES_WAITING = 4  # of those
JOIN_S = 0.5  # beyond the time for requests, until its thread is left behind
BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Service:
    """Whose server it is, for messages and the log. what: in words; keys: how the names of its settings begin; secrets: what must not travel in
    clear; behind_proxy: whether its settings can name a proxy that ends TLS; sockets: whether pages open WebSockets; stop_s: for requests under
    way, when it is told to stop.
    """  # fmt: skip

    what: str
    keys: str
    secrets: str
    logger: str
    behind_proxy: bool = False
    sockets: bool = False
    stop_s: int = 10


@dataclass(frozen=True, slots=True)
class Listen:
    """Where clients come in. certificate, key: PEM files of TLS; proxies: addresses whose word about the client's address is believed."""

    host: str = "127.0.0.1"
    port: int = 8000
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()

    @property
    def tls(self) -> bool:
        """Whether this process speaks TLS itself."""
        return self.certificate is not None


def check(listen: Listen, service: Service) -> None:
    """Raises ConfigError where secrets would travel in clear, or files are missing."""
    what, keys = service.what, service.keys
    if (listen.certificate is None) is not (listen.key is None):
        raise ConfigError(f"TLS of {what} needs both its certificate and its key; name the other one too, or neither")
    for path in (listen.certificate, listen.key):
        if path is not None and not path.is_file():
            raise ConfigError(f"{path}: no such file; {what} needs it for TLS")
    if not listen.tls and not listen.proxies and not is_loopback(listen.host):
        proxy = f"or name the proxy that ends TLS before it in {keys}proxies, " if service.behind_proxy else ""
        raise ConfigError(
            f"{what} would take {service.secrets} in clear at {listen.host}; set {keys}certificate and {keys}key, {proxy}or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class WebServer:
    """The application, served."""

    def __init__(self, app: ASGIApp, listen: Listen, service: Service) -> None:
        """Take the address. Raises ConfigError when it is not free, or would not be safe."""
        check(listen, service)
        self._service = service
        sockets: Literal["none", "websockets-sansio"] = "websockets-sansio" if service.sockets else "none"
        config = uvicorn.Config(
            app,
            ssl_certfile=listen.certificate,
            ssl_keyfile=listen.key,
            proxy_headers=bool(listen.proxies),
            forwarded_allow_ips=list(listen.proxies),
            http=PatientProtocol,
            ws=sockets,
            ws_max_size=LONGEST_MESSAGE,
            ws_max_queue=MESSAGES_WAITING,
            ws_per_message_deflate=False,  # pictures do not become smaller, and the rest is small
            lifespan="off",
            loop="asyncio",
            log_config=None,  # the program has set logging up
            access_log=False,  # it would hold queries; the application writes its own lines
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=service.stop_s,
            h11_max_incomplete_event_size=LONGEST_HEADERS,
        )
        try:
            config.load()  # now, and not in its thread, where an error would end the thread alone
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"{listen.certificate} or {listen.key} cannot be used for TLS of {service.what}: {error}; both are PEM and belong together"
            ) from None
        self._socket = _bind(listen, service)
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Serve in a thread of its own; connections are taken from now on."""
        self._thread = threading.Thread(target=self._run, name=self._service.logger, daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """While others stop too."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Finish what is under way, and end."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join(self._service.stop_s + JOIN_S)
        self._socket.close()

    def _run(self) -> None:
        logging.getLogger(self._service.logger).info("%s: at port %d", self._service.what, self.port)
        self._server.run(sockets=[self._socket])


def _bind(listen: Listen, service: Service) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{service.what} can't listen at {listen.host}: {error.strerror or error}; check {service.keys}host") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"{service.what} can't listen at {listen.host} port {listen.port}: {error.strerror}; choose another {service.keys}port"
        ) from None
    return bound
