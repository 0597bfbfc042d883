"""The connection to the broker: MQTT over TLS, kept up for ever."""

import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from blinkd.errors import ConfigError
from blinkd.sync.backoff import Backoff

QOS = 1  # at least once; that nothing counts twice is the protocol's own doing
CONNECT_S = 15.0  # for TCP, TLS and the broker's greeting
CERTIFICATE_FAULTS = "client's certificate (expired, not valid yet, revoked, or another authority's)"
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how it is spoken to. version: of MQTT, 5 or 4 (3.1.1); keepalive_s: a connection that is silent for one and a
    half of it is dead; session_s: for how long the broker keeps what waits for a client that is away.
    """  # fmt: skip

    host: str
    port: int
    ca: Path
    certificate: Path
    key: Path
    version: int = 5
    keepalive_s: int = 30
    session_s: int = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has taken the connection, and the subscriptions are asked for."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone, or was not made. reason: in words; wait_s: until the next attempt."""

    reason: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message. acknowledge: tells the broker that it need not come again; call it once all is done, in the order of the messages."""

    topic: str
    payload: bytes
    acknowledge: Callable[[], None]


Happening = Connected | Lost | Arrived


class Link(Protocol):
    """What the runner knows of a connection."""

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send while connected; nothing is kept for later, for the caller knows better what must be sent then."""

    def hurry(self) -> None:
        """Try now instead of at the end of the wait."""

    def stop(self, topic: str | None = None, payload: bytes = b"") -> None:
        """Say goodbye, with a last retained message, and end."""


class MqttLink:
    """paho's client, a new one for each connection: what an old one had not brought away must not be sent beside the new one's messages."""

    def __init__(
        self,
        broker: Broker,
        name: str,
        subscriptions: Sequence[str],
        will: tuple[str, bytes] | None,
        happened: Callable[[Happening], None],
        *,
        in_flight: int,
        check_time: Callable[[], bool] = lambda: True,
        manual: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        """name: the client's id; will: topic and payload that the broker publishes, retained, when the connection breaks.

        happened: called from a thread of the link's. in_flight: messages that the broker has not acknowledged at most. check_time: whether the
        clock is good enough to judge the broker's certificate by; asked before each connection. manual: the broker keeps each message until `Arrived.acknowledge`. Raises ConfigError for files that cannot be used.
        """
        self._broker = broker
        self._name = name
        self._subscriptions = list(subscriptions)
        self._will = will
        self._happened = happened
        self._in_flight = in_flight
        self._manual = manual
        self._backoff = backoff or Backoff(1.0, 120.0)
        self._check_time = check_time
        self._context = tls_context(broker)
        self._client: Client | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._gone = threading.Event()
        self._reason = ""
        self._greeted = False  # by the broker, on this connection
        self._thread = threading.Thread(target=self._keep, name="mqtt", daemon=True)

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        self._thread.start()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send while connected; dropped otherwise."""
        client = self._client
        if client is not None and client.is_connected():
            client.publish(topic, payload, QOS, retain)

    def hurry(self) -> None:
        """Try now."""
        self._backoff.reset()
        self._wake.set()

    def stop(self, topic: str | None = None, payload: bytes = b"") -> None:
        """Say goodbye and end. A client that disconnects by itself leaves no last will, so its state is said here."""
        client = self._client
        if client is not None and client.is_connected() and topic is not None:
            with contextlib.suppress(ValueError, RuntimeError):  # a queue that is full, a connection that is just breaking
                client.publish(topic, payload, QOS, retain=True).wait_for_publish(2.0)
        self._stop.set()
        self._wake.set()
        self._gone.set()
        if self._thread.is_alive():
            self._thread.join(CONNECT_S)

    def _keep(self) -> None:
        while not self._stop.is_set():
            self._gone.clear()
            self._wake.clear()
            self._reason, self._greeted = "", False
            client = self._new_client()
            try:
                client.connect(self._broker.host, self._broker.port, self._broker.keepalive_s, **self._clean())
                self._client = client
                client.loop_start()
                self._gone.wait()
            except OSError as error:
                self._reason = explain(error, self._broker)
            finally:
                self._client = None
                client.disconnect()
                # paho joins its thread by a name that the thread takes away should it end just now
                with contextlib.suppress(AttributeError):
                    client.loop_stop()
            if self._stop.is_set():
                return
            wait_s = self._backoff.next_s()
            self._happened(Lost(self._reason or "the connection broke", wait_s))
            self._wake.wait(wait_s)

    def _new_client(self) -> Client:
        five = self._broker.version == 5
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._name,
            clean_session=None if five else False,
            protocol=MQTTv5 if five else MQTTv311,
            manual_ack=self._manual,
        )
        _ask_for_dates(self._context, wanted=self._check_time())
        client.tls_set_context(self._context)
        client.max_inflight_messages_set(self._in_flight)
        client.connect_timeout = CONNECT_S
        if self._will is not None:
            client.will_set(self._will[0], self._will[1], QOS, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _clean(self) -> dict[str, Any]:
        if self._broker.version != 5:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._broker.session_s
        return {"clean_start": False, "properties": properties}

    def _on_connect(self, client: Client, _: object, _flags: ConnectFlags, code: ReasonCode, _properties: Properties | None) -> None:
        if code.is_failure:
            self._reason = f"the broker refuses: {code}"
            self._gone.set()
            return
        self._greeted = True
        self._backoff.reset()
        # each time: a broker that has lost its store says that the session is there, and has forgotten what it was subscribed to
        if self._broker.version == 5:
            client.subscribe([(topic, SubscribeOptions(QOS)) for topic in self._subscriptions])
        elif self._subscriptions:
            client.subscribe([(topic, QOS) for topic in self._subscriptions])
        self._happened(Connected())

    def _on_disconnect(self, client: Client, _: object, _flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None) -> None:
        if client is self._client or self._client is None:
            # in TLS 1.3 a certificate is refused after the client thinks that it is connected
            refused = f"{self._broker.host}:{self._broker.port}: ended before the broker's greeting; it may have refused this {CERTIFICATE_FAULTS}"
            self._reason = self._reason or (f"the connection ended: {code}" if self._greeted else refused)
            self._gone.set()

    def _on_message(self, client: Client, _: object, message: MQTTMessage) -> None:
        mid, qos = message.mid, message.qos

        def acknowledge() -> None:
            if self._manual and client is self._client:  # a new connection gets the message again, under another number
                client.ack(mid, qos)

        self._happened(Arrived(message.topic, bytes(message.payload), acknowledge))


def tls_context(broker: Broker, *, check_time: bool = True) -> ssl.SSLContext:
    """TLS 1.2 or newer with the client's certificate; the broker must show one of the CA with its own name. Raises ConfigError.

    check_time: False where the clock is known to be wrong: a Pi that boots in 1970 could else never reach a time server's network.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(broker.ca)
        context.load_cert_chain(broker.certificate, broker.key)
    except FileNotFoundError:
        missing = next((path for path in (broker.ca, broker.certificate, broker.key) if not path.exists()), broker.ca)
        raise ConfigError(f"{missing}: not there; `blinkd fleet request` and `blinkd fleet issue` make it") from None
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"{broker.ca}, {broker.certificate} or {broker.key} cannot be used: {error}") from None
    _ask_for_dates(context, wanted=check_time)
    return context


def _ask_for_dates(context: ssl.SSLContext, *, wanted: bool) -> None:
    flags = int(context.verify_flags)
    context.verify_flags = ssl.VerifyFlags(flags & ~NO_CHECK_TIME if wanted else flags | NO_CHECK_TIME)


def explain(error: OSError, broker: Broker) -> str:
    """What a failed connection means."""
    where = f"{broker.host}:{broker.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{where}: the broker's certificate is refused: {error.verify_message}; check {broker.ca}, the broker's name and this clock"
    if isinstance(error, ssl.SSLError):
        return f"{where}: TLS: {error.reason or error}; the broker may have refused this {CERTIFICATE_FAULTS}"
    return f"{where}: {error.strerror or error}"
