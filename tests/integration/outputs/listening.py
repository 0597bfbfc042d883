"""Who listens at the broker of the house, as Home Assistant does."""

import json
import threading
from typing import Any

import paho.mqtt.client as paho

from tests.services.house import PASSWORD, USER, HouseBroker

PATIENCE_S = 20.0


class House:
    """Subscribed to everything; keeps each message in its order, and whether it came as a retained one."""

    def __init__(self, broker: HouseBroker) -> None:
        self.heard: list[tuple[str, str, bool]] = []
        self._changed = threading.Condition()
        self._ready = threading.Event()
        client = self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "house")
        client.username_pw_set(USER, PASSWORD)
        client.on_connect = lambda *_: client.subscribe("#", qos=1)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = self._on_message
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        assert self._ready.wait(PATIENCE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def texts(self, topic: str) -> list[str]:
        """All that came under a topic so far."""
        with self._changed:
            return [payload for heard, payload, _ in self.heard if heard == topic]

    def wait(self, topic: str, number: int = 1) -> str:
        """The message with that number under a topic, from 1."""
        with self._changed:
            enough = self._changed.wait_for(lambda: sum(heard == topic for heard, _, _ in self.heard) >= number, PATIENCE_S)
            assert enough, f"{number} of {topic}: {self.heard}"
            return [payload for heard, payload, _ in self.heard if heard == topic][number - 1]

    def wait_for(self, topic: str, **members: Any) -> dict[str, Any]:
        """The first message under a topic with these members."""

        def found() -> dict[str, Any] | None:
            for heard, payload, _ in self.heard:
                if heard == topic and (told := json.loads(payload)).items() >= members.items():
                    return dict(told)
            return None

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, PATIENCE_S), f"{members} under {topic}: {self.heard}"
            told = found()
        assert told is not None
        return told

    def wait_text(self, topic: str, payload: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: (topic, payload) in [one[:2] for one in self.heard], PATIENCE_S), self.heard

    def forget(self) -> None:
        with self._changed:
            self.heard.clear()

    def _on_message(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.heard.append((message.topic, message.payload.decode(), message.retain))
            self._changed.notify_all()
