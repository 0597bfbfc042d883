"""paho itself, as little around it as can be: the yardstick for what a terminal's sync reaches."""

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.synchronize import Event

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from blinkd.errors import ServerFailed
from blinkd.sync.link import QOS, Broker, tls_context

PATIENCE_S = 120.0
LOOK_S = 0.1


def client_of(broker: Broker, name: str, in_flight: int) -> Client:
    """A client of MQTT 5 over TLS that is not connected yet. in_flight: messages that the broker has not acknowledged at most."""
    client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTv5)
    client.tls_set_context(tls_context(broker))
    client.max_inflight_messages_set(in_flight)
    return client


def publish_all(broker: Broker, name: str, topic: str, payloads: Sequence[bytes], in_flight: int) -> float:
    """Seconds that paho takes to bring messages to the broker at QoS 1, until the last acknowledgement. Raises ServerFailed."""
    client = client_of(broker, name, in_flight)
    connected, done = threading.Event(), threading.Event()
    left = len(payloads)

    def acknowledged(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    client.on_connect = lambda *_: connected.set()
    client.on_publish = acknowledged
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        if not connected.wait(PATIENCE_S):
            raise ServerFailed(f"{broker.host}:{broker.port}: the broker does not answer")
        began = time.perf_counter()
        for payload in payloads:
            client.publish(topic, payload, QOS)
        if not done.wait(PATIENCE_S):
            raise ServerFailed(f"{broker.host}:{broker.port}: {left} messages are not acknowledged after {PATIENCE_S:.0f} s")
        return time.perf_counter() - began
    finally:
        client.disconnect()
        client.loop_stop()


@contextlib.contextmanager
def listening(broker: Broker, topic: str, in_flight: int) -> Iterator[None]:
    """A process in which paho takes every message of a topic and does nothing with it, until the end of the block. Raises ServerFailed."""
    processes = multiprocessing.get_context("spawn")
    ready = processes.Event()
    listener = processes.Process(target=_listen, args=(broker, topic, in_flight, ready), daemon=True)
    listener.start()
    try:
        until = time.monotonic() + PATIENCE_S
        while not ready.wait(LOOK_S):
            if not listener.is_alive() or time.monotonic() >= until:
                raise ServerFailed(f"{broker.host}:{broker.port}: the broker does not answer who wants to listen")
        yield
    finally:
        listener.kill()
        listener.join()


def _listen(broker: Broker, topic: str, in_flight: int, ready: Event) -> None:
    client = client_of(broker, "listener", in_flight)

    def connected(*_: object) -> None:
        client.subscribe([(topic, SubscribeOptions(QOS))])

    client.on_connect = connected
    client.on_subscribe = lambda *_: ready.set()
    client.connect(broker.host, broker.port)
    client.loop_forever()
