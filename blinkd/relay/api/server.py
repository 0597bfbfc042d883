"""Runs the HTTP API with uvicorn, beside the relay's own work."""

import ipaddress
import logging
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import uvicorn
from fastapi import FastAPI

from blinkd.errors import ConfigError
from blinkd.relay.api.patience import PatientProtocol
from blinkd.settings import RelaySettings

log = logging.getLogger("blinkd.relay.api")

LONGEST_HEADERS = 16 * 1024  # bytes of a request before its body
MOST_CONNECTIONS = 200  # at once; more are answered with 503, so that memory stays bounded: bodies are 1 MiB at most, pictures few
KEEP_ALIVE_S = 15
STOP_S = 10  # for requests under way, when the relay is told to stop
BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Listen:
    """Where clients come in. certificate, key: PEM files of TLS; proxies: addresses whose word about the client's address is believed."""

    host: str = "127.0.0.1"
    port: int = 8000
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: RelaySettings) -> Self:
        """What the settings say."""
        certificate, key, proxies = settings.http_certificate, settings.http_key, tuple(settings.http_proxies)
        return cls(settings.http_host, settings.http_port, certificate, key, proxies)

    @property
    def tls(self) -> bool:
        """Whether this process speaks TLS itself."""
        return self.certificate is not None


def check(listen: Listen) -> None:
    """Raises ConfigError where tokens would travel in clear, or files are missing."""
    if (listen.certificate is None) is not (listen.key is None):
        raise ConfigError("the HTTP API's TLS needs both its certificate and its key; name the other one too, or neither")
    for path in (listen.certificate, listen.key):
        if path is not None and not path.is_file():
            raise ConfigError(f"{path}: no such file; the HTTP API needs it for TLS")
    if not listen.tls and not listen.proxies and not is_loopback(listen.host):
        raise ConfigError(
            f"the HTTP API would take tokens in clear at {listen.host}; set relay.http_certificate and http_key, "
            "or name the proxy that ends TLS before it in relay.http_proxies, or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ApiServer:
    """The application, served."""

    def __init__(self, app: FastAPI, listen: Listen) -> None:
        """Take the address. Raises ConfigError when it is not free, or would not be safe."""
        check(listen)
        config = uvicorn.Config(
            app,
            ssl_certfile=listen.certificate,
            ssl_keyfile=listen.key,
            proxy_headers=bool(listen.proxies),
            forwarded_allow_ips=list(listen.proxies),
            http=PatientProtocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,  # the program has set logging up
            access_log=False,  # it would hold queries; the application writes its own lines
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=LONGEST_HEADERS,
        )
        try:
            config.load()  # now, and not in its thread, where an error would end the thread alone
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"{listen.certificate} or {listen.key} cannot be used for the HTTP API's TLS: {error}; both are PEM and belong together"
            ) from None
        self._socket = _bind(listen)
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Serve in a thread of its own; connections are taken from now on."""
        self._thread = threading.Thread(target=self._run, name="http-api", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way, and end."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(STOP_S)
        self._socket.close()

    def _run(self) -> None:
        log.info("HTTP API at port %d", self.port)
        self._server.run(sockets=[self._socket])


def _bind(listen: Listen) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"the HTTP API can't listen at {listen.host}: {error.strerror or error}; check relay.http_host") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"the HTTP API can't listen at {listen.host} port {listen.port}: {error.strerror}; choose another relay.http_port"
        ) from None
    return bound
