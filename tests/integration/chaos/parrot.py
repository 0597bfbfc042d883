"""Repeats what was said: messages of terminals and relays, recorded as they pass, are published again later, in another order.

It stands for a broker or a network that delivers late, twice and mixed up. It says nothing that was not said before, and in nobody's name who
had not said it.
"""

import queue
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import paho.mqtt.client as paho

from blinkd.measure.servers.mosquitto import Mosquitto
from tests.services.mqtt import Peer, Refused, context

KEPT = 40  # messages of each topic: some of the newest, some that are long past
AT_ONCE = 12
SESSION_S = 600  # a terminal's session is left as it is: the parrot takes it over, and so gets, and loses, what waits in it
FROM_TERMINALS = frozenset({"attendance", "people", "pull", "status"})


class Parrot:
    """Use it as a context manager. relay: certificate and key of the relays."""

    def __init__(self, broker: Mosquitto, org: str, relay: tuple[Path, Path], chance: random.Random) -> None:
        self._broker, self._org, self._relay, self._chance = broker, org, relay, chance
        self._heard: dict[str, list[bytes]] = {}
        self._turn = threading.Lock()
        self.all: list[tuple[float, str, bytes]] = []  # with the time, for whoever looks for a reason
        self.repeated = 0
        client = self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "parrot", protocol=paho.MQTTv5)
        client.tls_set_context(context(broker.ca, relay))
        client.reconnect_delay_set(0.05, 0.2)
        client.on_connect = lambda *_: client.subscribe(f"blink/v1/{org}/#", 1)
        client.on_message = lambda _c, _u, message: self._hear(message)

    def __enter__(self) -> "Parrot":
        self._client.connect_async("127.0.0.1", self._broker.relay_port, keepalive=5, clean_start=True)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def as_terminal(self, name: str, files: tuple[Path, Path]) -> None:
        """In the terminal's place, which loses its connection to this one: the broker knows it by its certificate."""
        self._repeat(self._chosen(name, FROM_TERMINALS), Peer(self._broker.port, self._broker.ca, files, keep=SESSION_S))

    def as_relay(self) -> None:
        """Receipts, pages and heads, to whoever they were for."""
        self._repeat(
            self._chosen(None, frozenset({"receipt", "page", "head"})), Peer(self._broker.relay_port, self._broker.ca, self._relay, "echo")
        )

    def _hear(self, message: paho.MQTTMessage) -> None:
        with self._turn:
            self.all.append((time.time(), message.topic, bytes(message.payload)))
            kept = self._heard.setdefault(message.topic, [])
            if len(kept) < KEPT:
                kept.append(bytes(message.payload))
            else:
                kept[self._chance.randrange(KEPT)] = bytes(message.payload)

    def _chosen(self, terminal: str | None, suffixes: frozenset[str]) -> Sequence[tuple[str, bytes]]:
        with self._turn:
            said = [
                (topic, payload)
                for topic, payloads in sorted(self._heard.items())
                if topic.split("/")[-1] in suffixes and terminal in (None, topic.split("/")[3])
                for payload in payloads
            ]
        return self._chance.sample(said, min(AT_ONCE, len(said)))

    def _repeat(self, said: Sequence[tuple[str, bytes]], peer: Peer) -> None:
        try:
            with peer:
                for topic, payload in said:
                    peer.publish(topic, payload, retain=topic.endswith("/head"))  # as a relay says it
                    self.repeated += 1
        except (Refused, queue.Empty):
            pass  # the terminal wanted its place back, or a broker was just coming up
