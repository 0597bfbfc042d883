"""The connection to the broker, as far as it needs none."""

import datetime as dt
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def silent_server(folder: Path, authority: Authority, begins: dt.timedelta) -> Iterator[int]:
    """Shakes hands in TLS, by a certificate that counts from then on, and hangs up; gives its port."""
    certificate, key = authority.broker(begins=begins).write(folder, "broker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):  # of the listening socket, when it is closed
            while True:
                arrived, _ = listening.accept()
                with arrived, suppress(OSError), context.wrap_socket(arrived, server_side=True):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # paho leaves a socket whose certificate it refuses to the collector
def test_a_clock_that_has_been_set_judges_the_brokers_certificate_from_the_next_connection_on(tmp_path: Path) -> None:
    authority = Authority("acme")
    certificate, key = authority.terminal("door").write(tmp_path, "door")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    is_set = iter([False, True])  # then it counts no more what it says
    happened: queue.Queue[Happening] = queue.Queue()
    with silent_server(tmp_path, authority, dt.timedelta(days=1)) as port:
        broker = Broker("127.0.0.1", port, tmp_path / "ca.pem", certificate, key)
        made = MqttLink(
            *(broker, "acme/door", [], None, happened.put),
            in_flight=1,
            check_time=lambda: next(is_set, True),
            backoff=Backoff(0.01, 0.01, 0.001),
        )
        made.start()
        try:
            first, second = happened.get(timeout=PATIENCE_S), happened.get(timeout=PATIENCE_S)
        finally:
            made.stop()
    assert isinstance(first, Lost) and "not yet valid" not in first.reason
    assert isinstance(second, Lost) and "certificate is not yet valid" in second.reason
