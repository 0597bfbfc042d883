"""A broker inside this process, for the demonstration: amqtt on this machine's own address, behind TLS that asks for certificates.

It is no broker for a site. It speaks MQTT 3.1.1 only and knows no shared subscriptions; it keeps everything in memory; and it checks no
topics: whoever shows a certificate of the authority may write and read all of them, where config/mosquitto.acl ties each topic to the name in
the certificate. Nor does it look at the list of revoked certificates. What is left then is what terminals and relay prove to each other
without any broker: signatures, and envelopes that open for the organisation only.
"""

import asyncio
import logging
import ssl
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker, BrokerContext
from amqtt.contexts import BaseContext, BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import BrokerError
from amqtt.plugins.base import BaseAuthPlugin, BasePlugin
from amqtt.session import ApplicationMessage, Session

from blinkd.errors import ConfigError

HOST = "127.0.0.1"
LISTENER = "default"  # amqtt wants one of this name
START_S, STOP_S = 15.0, 10.0  # amqtt waits 5 s at most for messages that are under way
CUT_S = 2.0  # for connections that were cut off to be noticed
OTHERS_LOGS = ("amqtt", "transitions")  # each connection is worth lines to them

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Passed:
    """A message that came to the broker. client: who brought it, by its MQTT client id; payload: what any broker can read of it."""

    client: str
    topic: str
    payload: bytes


class Certified(BaseAuthPlugin):  # type: ignore[misc]  # amqtt publishes no types
    """Lets in whom TLS has let in: the handshake ends without a certificate of the authority."""

    async def authenticate(self, *, session: Session) -> bool:
        """For amqtt, which lets nobody in unless somebody says yes."""
        return session.ssl_object is not None and session.ssl_object.getpeercert() is not None


class Witness(BasePlugin[BrokerContext]):  # type: ignore[misc]
    """Remembers what passes, as whoever runs a broker could."""

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self.passed: list[Passed] = []

    async def on_broker_message_received(self, *, client_id: str, message: ApplicationMessage) -> None:
        """For amqtt, which finds this method by its name."""
        self.passed.append(Passed(client_id, str(message.topic), bytes(message.data or b"")))


@dataclass(frozen=True, slots=True)
class _Running:
    """What the broker's thread hands out once it listens. stop: to be set in the loop's own thread."""

    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    port: int
    witness: Witness


class EmbeddedBroker:
    """The broker, its thread and its event loop; a context manager. port: where it listens on HOST, once it has started."""

    def __init__(self, ca: Path, certificate: Path, key: Path) -> None:
        """ca: whose certificates are let in; certificate, key: the broker's own, for HOST. All PEM. Raises ConfigError."""
        try:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
            self._tls.load_cert_chain(certificate, key)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"{ca}, {certificate} or {key} cannot be used by the broker: {error}") from None
        # amqtt's own listener only asks for a certificate and lets clients in that have none, so the listening is done here
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._levels: dict[str, int] = {}  # of others' logs, as they were
        self._started: Future[_Running] = Future()

    def __enter__(self) -> Self:
        """Start. Raises ConfigError when no port can be had."""
        for name in OTHERS_LOGS:
            self._levels[name] = logging.getLogger(name).level
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._thread.start()
        try:
            self._started.result(START_S)
        except (OSError, BrokerError) as error:
            raise ConfigError(
                f"the embedded broker does not start on {HOST}: {error or 'no answer'}; look at firewall and memory"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        """End it and its thread; clients should have gone before."""
        running = self._started.result()
        running.loop.call_soon_threadsafe(running.stop.set)
        self._thread.join(STOP_S)
        self._let_speak()

    @property
    def port(self) -> int:
        """TCP port on HOST, which the system has chosen."""
        return self._started.result().port

    @property
    def passed(self) -> list[Passed]:
        """Every message so far, in the order in which they came."""
        return list(self._started.result().witness.passed)

    def _let_speak(self) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(_note)
        plugins: dict[str, Any] = {f"{__name__}.{plugin.__name__}": {} for plugin in (Certified, Witness)}
        listeners = {LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)}
        connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections[task] = writer
            task.add_done_callback(connections.pop)
            await broker.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), LISTENER)

        try:
            broker = Broker(BrokerConfig(listeners=listeners, plugins=plugins), loop)
            await broker.start()
            server = await asyncio.start_server(connected, HOST, 0, ssl=self._tls)
        except (OSError, BrokerError) as error:
            self._started.set_exception(error)
            return
        witness = broker.plugins_manager.get_plugin(Witness.__name__)
        self._started.set_result(_Running(loop, stop, server.sockets[0].getsockname()[1], witness))
        await stop.wait()
        server.close()
        # amqtt waits for a client that is still there until it speaks; cut off, it has gone
        for writer in connections.values():
            writer.transport.abort()
        if connections:
            await asyncio.wait(list(connections), timeout=CUT_S)
        await broker.shutdown()


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handshakes that fail and connections that break are the clients' own to report."""
    log.debug("broker: %s: %s", context.get("message"), context.get("exception"))
