"""Home Assistant: the terminal as a device of the house, over the house's MQTT broker.

Whatever the broker does, the door goes on: events are handed to a thread and dropped while nobody is connected, for what happened an hour ago
is no event any more. What lasts (presence, problems) is retained at the broker, and told anew at each connection.
"""

import contextlib
import json
import logging
import random
import ssl
import threading
import time
from collections import deque
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from blinkd.errors import BlinkdError, ConfigError
from blinkd.outputs.discovery import BIRTH, OFFLINE, ONLINE, Topics, device, door_of, happened, state
from blinkd.outputs.password import read_password
from blinkd.outputs.port import Health, PartHealth
from blinkd.outputs.presence import Counter, Presence
from blinkd.session.events import Event
from blinkd.settings import HomeAssistantSettings
from blinkd.sync.backoff import Backoff

PART: Final = "home_assistant"
COUNT_EVERY_S: Final = 30.0  # between counts of who is present: corrections, other terminals' people and midnight come without an event
BIRTH_DELAY_S: Final = 3.0  # after Home Assistant's start, at random: a hundred terminals must not answer in one moment
STEADY_S: Final = (
    30.0  # a connection that lasted for so long worked; two terminals of one name, who throw each other out, must not do so for ever
)
CONNECT_S: Final = 10.0  # for TCP and TLS
KEEPALIVE_S: Final = (
    30  # a broker that says nothing for twice as long is gone, and what waits for it (a message a second at most) is dropped
)
EVENTS_MOST: Final = 32  # that wait for the thread, which counts; more never come in that time
UNGREETED: Final = "the connection ended before the broker's greeting (check home_assistant.tls and port)"
CLOSE_S: Final = 0.4  # for goodbye

log = logging.getLogger(__name__)


class HomeAssistant:
    """The output. One thread connects, counts and speaks; paho's own moves the bytes."""

    def __init__(
        self,
        settings: HomeAssistantSettings,
        terminal: str,
        counter: Counter,
        *,
        chance: random.Random | None = None,
        backoff: Backoff | None = None,
        count_every_s: float = COUNT_EVERY_S,
        keepalive_s: int = KEEPALIVE_S,
    ) -> None:
        """Begin to connect. terminal: its id; chance: what delays are drawn from; count_every_s, keepalive_s: seconds."""
        self._settings = settings
        self._terminal = terminal
        self._counter = counter
        self._chance = chance or random.SystemRandom()
        self._backoff = backoff or Backoff(1.0, 120.0)
        self._count_every_s = count_every_s
        self._keepalive_s = keepalive_s
        self._topics = Topics.of(settings.discovery_prefix, terminal)
        self._changed = threading.Condition()
        # all of these are touched under the condition only
        self._news = self._online = self._gone = self._stopping = False
        self._events: deque[Event] = deque(maxlen=EVENTS_MOST)
        self._health: Health | None = None
        self._birth_at: float | None = None  # monotonic seconds at which Home Assistant, which has just started, is told everything
        self._trouble = "not connected yet"
        self._uncounted = ""
        self._thread = threading.Thread(target=self._keep, name="home-assistant", daemon=True)
        self._thread.start()

    def event(self, event: Event) -> None:
        """Tell it, if anybody listens."""
        with self._changed:
            if self._online:
                self._events.append(event)
                self._wake()

    def health(self, health: Health) -> None:
        """Tell it, if anything that is shown has changed."""
        with self._changed:
            self._health = health
            self._wake()

    def part(self) -> PartHealth:
        """Whether Home Assistant's broker is reached."""
        with self._changed:
            trouble = self._trouble or self._uncounted
        if not self._thread.is_alive():
            trouble = "its thread has ended; restart blinkd, and report what the log says of it"
        return PartHealth(PART, "degraded" if trouble else "ok", trouble)

    def close(self) -> None:
        """Say goodbye, if that can be done in time."""
        with self._changed:
            self._stopping = True
            self._wake()
        self._thread.join(CLOSE_S)

    def _wake(self) -> None:
        self._news = True
        self._changed.notify_all()

    # --- the thread ------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._stopping:
            began = time.monotonic()
            trouble = self._connection()
            if time.monotonic() - began >= STEADY_S:
                self._backoff.reset()
            with self._changed:
                self._online = False
                self._events.clear()
                self._trouble = trouble
                self._changed.notify_all()
            until = time.monotonic() + self._backoff.next_s()
            with self._changed:
                while not self._stopping and (left := until - time.monotonic()) > 0:
                    self._changed.wait(left)
        self._counter.close()

    def _connection(self) -> str:
        """One connection, from its beginning to its end; returns why it ended."""
        settings = self._settings
        with self._changed:
            self._gone, self._birth_at = False, None
        try:
            client = self._new_client()
        except ConfigError as error:
            return str(error)
        try:
            client.connect(settings.broker, settings.port, self._keepalive_s)
        except (OSError, UnicodeError) as error:  # of a name that no name can be
            hint = (
                "; where the broker speaks no TLS, set home_assistant.tls and port"
                if settings.tls and isinstance(error, ConnectionError)
                else ""
            )
            return f"{settings.broker}:{settings.port}: {_words(error)}{hint}"
        client.loop_start()
        try:
            return self._serve(client)
        finally:
            client.disconnect()
            # paho joins its thread by a name that the thread takes away should it end just now
            with contextlib.suppress(AttributeError):
                client.loop_stop()

    def _new_client(self) -> Client:
        """Raises ConfigError."""
        settings = self._settings
        # a new one each time: what an old one had not brought away is out of date
        client = Client(CallbackAPIVersion.VERSION2, f"blinkd-{self._terminal}", reconnect_on_failure=False)
        client.connect_timeout = CONNECT_S
        if settings.tls:
            client.tls_set_context(_tls(settings))
        if settings.user:
            client.username_pw_set(settings.user, read_password(settings))
        client.will_set(self._topics.available, OFFLINE, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _serve(self, client: Client) -> str:
        """Tell until the connection ends or the daemon does."""
        told: dict[str, str] = {}  # retained topic: what was last said
        presence: Presence | None = None
        count_at = -float("inf")
        while True:
            with self._changed:
                due = count_at if self._birth_at is None else min(count_at, self._birth_at)
                idle = not self._online or self._health is None
                self._changed.wait_for(lambda: self._news, None if idle else max(0.0, due - time.monotonic()))
                self._news = False
                gone, stopping, online, health = self._gone, self._stopping, self._online, self._health
                events = list(self._events)
                self._events.clear()
                if self._birth_at is not None and self._birth_at <= time.monotonic():
                    self._birth_at = None
                    told.clear()
            if gone:
                return self._trouble
            if stopping:
                if online:
                    client.publish(self._topics.available, OFFLINE, retain=True)
                return ""
            if not online or health is None:
                continue
            for event in events:
                if (said := happened(event, names=self._settings.names)) is not None:
                    client.publish(self._topics.event, json.dumps(said))
            if events or time.monotonic() >= count_at:
                presence = self._count()
                count_at = time.monotonic() + self._count_every_s
            self._tell(client, told, health, presence)

    def _tell(self, client: Client, told: dict[str, str], health: Health, presence: Presence | None) -> None:
        """Everything that lasts, so far as it has not been said like this."""
        wanted = {
            self._topics.config: json.dumps(device(self._topics, self._terminal, door=door_of(health) is not None)),
            self._topics.available: ONLINE,
            self._topics.state: json.dumps(state(health, presence, PART)),
        }
        for topic, payload in wanted.items():
            if told.get(topic) != payload:
                client.publish(topic, payload, retain=True)
                told[topic] = payload

    def _count(self) -> Presence | None:
        try:
            presence = self._counter.count()
        except BlinkdError as error:
            uncounted, presence = str(error), None
        else:
            uncounted = ""
        with self._changed:
            self._uncounted = uncounted
            self._changed.notify_all()
        return presence

    # --- called by paho --------------------------------------------------------------------------------------------

    def _on_connect(self, client: Client, _: object, _flags: ConnectFlags, code: ReasonCode, _properties: Properties | None) -> None:
        with self._changed:
            if code.is_failure:
                self._trouble, self._gone = (
                    f"{self._settings.broker}: the broker refuses: {code}; check home_assistant.user and its password",
                    True,
                )
            else:
                self._trouble, self._online = "", True
            self._wake()
        if not code.is_failure:
            client.subscribe(self._settings.birth_topic)
            log.info("home assistant: connected to %s", self._settings.broker)

    def _on_disconnect(self, _client: Client, _: object, _flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None) -> None:
        with self._changed:
            if not self._gone:  # else the broker has said why
                self._trouble = f"{self._settings.broker}: {'the connection ended' if self._online else UNGREETED}: {code}"
            self._gone, self._online = True, False
            self._wake()

    def _on_message(self, _client: Client, _: object, message: MQTTMessage) -> None:
        if message.topic == self._settings.birth_topic and message.payload == BIRTH.encode():
            with self._changed:
                self._birth_at = time.monotonic() + self._chance.uniform(0, BIRTH_DELAY_S)
                self._wake()


class _Connection(ssl.SSLSocket):
    """paho leaves one open whose handshake failed."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _tls(settings: HomeAssistantSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer; the broker must show a certificate with its own name. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"{settings.ca_file}: cannot be used: {error}; home_assistant.ca_file is the PEM file of an authority") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Connection
    return context


def _words(error: OSError | UnicodeError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the broker's certificate is refused: {error.verify_message}; check home_assistant.ca_file, the broker's name and this clock"
        )
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}; check home_assistant.tls and port"
    return str(getattr(error, "strerror", None) or error)
