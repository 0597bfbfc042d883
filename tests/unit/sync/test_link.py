"""The connection to the broker, as far as it needs none."""

import queue
import socket
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from blinkd.sync import link
from blinkd.sync.backoff import Backoff
from blinkd.sync.link import Broker, Happening, Lost, MqttLink
from tests.services.certificates import Authority

PATIENCE_S = 20.0


class Vanishing(Client):
    """Its thread ends between paho's look at it and paho's join."""

    def loop_stop(self) -> MQTTErrorCode:
        self._thread = None
        return self._thread.join()  # type: ignore[no-any-return]  # as paho does it


def test_a_link_outlives_a_client_whose_thread_ends_while_it_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "Client", Vanishing)
    authority = Authority("acme")
    certificate, key = authority.terminal("door").write(tmp_path, "door")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    deaf = socket.socket()  # bound, so that nobody else, and no connection to itself, can take the port; it does not listen
    deaf.bind(("127.0.0.1", 0))
    port = int(deaf.getsockname()[1])
    happened: queue.Queue[Happening] = queue.Queue()
    broker = Broker("127.0.0.1", port, tmp_path / "ca.pem", certificate, key)
    made = MqttLink(broker, "acme/door", [], None, happened.put, in_flight=1, backoff=Backoff(0.01, 0.01, 0.001))
    made.start()
    try:
        assert [type(happened.get(timeout=PATIENCE_S)) for _ in range(3)] == [Lost] * 3
    finally:
        made.stop()
        deaf.close()
