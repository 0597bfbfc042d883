"""An MQTT 5 client for tests that waits for what it asks for and keeps what it is sent."""

import queue
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

PATIENCE_S = 20.0
SESSION_S = 3600


class Refused(Exception):
    """The connection could not be made or was ended: the words of TLS or the broker's."""


class Socket(ssl.SSLSocket):
    """Closes when TLS does not begin; paho would leave it to the collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def context(ca: Path, files: tuple[Path, Path] | None) -> ssl.SSLContext:
    """For a client. files: certificate and key."""
    made = ssl.create_default_context(cafile=str(ca))
    made.sslsocket_class = Socket
    if files is not None:
        made.load_cert_chain(*map(str, files))
    return made


class Peer:
    """One client. Use it as a context manager: it connects, and leaves with a DISCONNECT unless it was cut off before.

    files: certificate and key in PEM. keep: seconds that the session outlives the connection. manual: messages are acknowledged by
    `acknowledge` only. will: topic and payload of the last will, retained.
    """

    def __init__(
        self,
        port: int,
        ca: Path,
        files: tuple[Path, Path] | None,
        name: str = "",
        *,
        keep: int = 0,
        manual: bool = False,
        will: tuple[str, bytes] | None = None,
        tls: Callable[[ssl.SSLContext], None] = lambda _: None,
    ) -> None:
        self.received: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.present = False  # whether the broker had a session of this client
        self._port, self._keep = port, keep
        self._answers: queue.Queue[Any] = queue.Queue()
        self._gone = threading.Event()
        client = self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5, manual_ack=manual)
        made = context(ca, files)
        tls(made)
        client.tls_set_context(made)
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
        client.on_connect = self._connected
        client.on_connect_fail = lambda *_: self._answers.put(("failed", "no connection"))
        client.on_disconnect = self._disconnected
        client.on_publish = lambda _c, _u, mid, code, _p: self._answers.put(("publish", mid, code))
        client.on_subscribe = lambda _c, _u, mid, codes, _p: self._answers.put(("subscribe", mid, codes))
        client.on_message = lambda _c, _u, message: self.received.put(message)

    def __enter__(self) -> "Peer":
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def connect(self) -> None:
        """Raises Refused."""
        self._gone.clear()
        expiry = Properties(PacketTypes.CONNECT)
        expiry.SessionExpiryInterval = self._keep
        try:
            self.client.connect("127.0.0.1", self._port, keepalive=60, clean_start=self._keep == 0, properties=expiry)
        except OSError as error:  # also of TLS
            raise Refused(str(error)) from error
        self.client.loop_start()
        kind, *rest = self._answers.get(timeout=PATIENCE_S)
        if kind != "connect":
            self._stop()
            raise Refused(str(rest[0]))
        self.present = rest[0]

    def leave(self) -> None:
        """What waits to be sent goes first."""
        if self.client.disconnect() is paho.MQTT_ERR_SUCCESS:
            self._gone.wait(PATIENCE_S)
        self._stop()

    def cut(self) -> None:
        """Go without a word, as a terminal without power does."""
        connection = self.client.socket()
        if connection is not None:
            self._stop_reconnecting()
            connection.shutdown(socket.SHUT_RDWR)  # without a DISCONNECT
        self._stop()

    def publish(self, topic: str, payload: bytes = b"x", *, qos: int = 1, retain: bool = False) -> ReasonCode:
        """The broker's answer. Raises Refused when it ends the connection without one."""
        handle = self.client.publish(topic, payload, qos, retain)
        return self._answer("publish", handle.mid)

    def subscribe(self, *topics: str) -> list[ReasonCode]:
        """The broker's answers."""
        result, mid = self.client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        assert result is paho.MQTT_ERR_SUCCESS and mid is not None
        return self._answer("subscribe", mid)

    def next(self, patience: float = PATIENCE_S) -> paho.MQTTMessage:
        """The next message. Raises queue.Empty."""
        return self.received.get(timeout=patience)

    def acknowledge(self, message: paho.MQTTMessage) -> None:
        self.client.ack(message.mid, message.qos)

    def wait_until_gone(self) -> None:
        """The broker, or the way to it, has ended the connection."""
        assert self._gone.wait(PATIENCE_S), "still connected"

    def _answer(self, kind: str, mid: int) -> Any:
        while True:
            answer = self._answers.get(timeout=PATIENCE_S)
            if answer[0] == kind and answer[1] == mid:
                return answer[2]
            if answer[0] == "gone":
                raise Refused(str(answer[1]))

    def _connected(self, _client: object, _userdata: object, flags: paho.ConnectFlags, code: ReasonCode, _properties: object) -> None:
        self._answers.put(("refused", code) if code.is_failure else ("connect", flags.session_present))

    def _disconnected(self, _client: object, _userdata: object, _flags: object, code: ReasonCode, _properties: object) -> None:
        self._gone.set()
        self._answers.put(("gone", code))
        self._stop_reconnecting()

    def _stop_reconnecting(self) -> None:
        self.client._thread_terminate = True  # a test says itself when to connect again

    def _stop(self) -> None:
        self.client.loop_stop()
