"""The demonstration's broker: who gets in, what passes, and that it goes away."""

import contextlib
import logging
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.crypto.authority import Authority
from blinkd.errors import ConfigError
from blinkd.sync.embedded import HOST, EmbeddedBroker, Passed
from blinkd.sync.link import Arrived, Broker, Connected, Happening, Lost, MqttLink

PATIENCE_S = 20.0
CONNECT = bytes.fromhex("100f 0004 4d515454 04 02 003c 0003 6f6e65")  # MQTT 3.1.1, a clean session of the client "one"
TOPIC = "blink/v1/acme/door/status"


def issue(authority: Authority, folder: Path, name: str) -> tuple[Path, Path]:
    """Certificate and key of a relay, whose certificates need no keys of a terminal."""
    certificate, key = authority.issue_relay(name)
    files = folder / f"{name}.pem", folder / f"{name}.key"
    for path, content in zip(files, (certificate, key), strict=True):
        path.write_bytes(content)
    return files


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "acme")


@pytest.fixture
def ca(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.ca_pem)
    return path


@pytest.fixture
def broker(authority: Authority, ca: Path, tmp_path: Path) -> Iterator[EmbeddedBroker]:
    certificate, key = authority.issue_broker([HOST])
    (tmp_path / "broker.pem").write_bytes(certificate)
    (tmp_path / "broker.key").write_bytes(key)
    with EmbeddedBroker(ca, tmp_path / "broker.pem", tmp_path / "broker.key") as running:
        yield running


class Client:
    """The program's own connection, and what happens on it."""

    def __init__(self, broker: EmbeddedBroker, ca: Path, files: tuple[Path, Path], name: str, *topics: str) -> None:
        self.happenings: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        where = Broker(HOST, broker.port, ca, *files, version=4)
        self.link = MqttLink(where, name, topics, None, self.happenings.put, in_flight=4)
        self.link.start()

    def next(self) -> Happening:
        return self.happenings.get(timeout=PATIENCE_S)


def test_a_message_reaches_who_subscribed_and_is_seen_on_the_way(
    broker: EmbeddedBroker, authority: Authority, ca: Path, tmp_path: Path
) -> None:
    one = Client(broker, ca, issue(authority, tmp_path, "one"), "one", TOPIC)
    assert isinstance(one.next(), Connected)
    one.link.publish(TOPIC, b"hello")
    arrived = one.next()
    assert isinstance(arrived, Arrived)
    assert (arrived.topic, arrived.payload) == (TOPIC, b"hello")
    one.link.stop()
    assert broker.passed == [Passed("one", TOPIC, b"hello")]


def test_who_comes_later_is_told_what_was_retained(broker: EmbeddedBroker, authority: Authority, ca: Path, tmp_path: Path) -> None:
    one = Client(broker, ca, issue(authority, tmp_path, "one"), "one")
    assert isinstance(one.next(), Connected)
    one.link.stop(TOPIC, b"offline")
    two = Client(broker, ca, issue(authority, tmp_path, "two"), "two", TOPIC)
    assert isinstance(two.next(), Connected)
    arrived = two.next()
    assert isinstance(arrived, Arrived)
    assert arrived.payload == b"offline"
    two.link.stop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_nobody_gets_in_without_a_certificate(broker: EmbeddedBroker, ca: Path, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = context.maximum_version = version
    answer = b""
    with (
        contextlib.suppress(ssl.SSLError, ConnectionResetError),
        socket.create_connection((HOST, broker.port), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as tls,  # by TLS 1.3 the client's side of the handshake ends before the server's
    ):
        tls.sendall(CONNECT)
        answer = tls.recv(1)
    assert answer == b""


def test_who_has_one_is_answered(broker: EmbeddedBroker, authority: Authority, ca: Path, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(*issue(authority, tmp_path, "one"))
    with (
        socket.create_connection((HOST, broker.port), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as tls,
    ):
        tls.sendall(CONNECT)
        assert tls.recv(4) == b"\x20\x02\x00\x00"  # accepted


def test_nobody_gets_in_with_another_authoritys_certificate(broker: EmbeddedBroker, ca: Path, tmp_path: Path) -> None:
    stranger = issue(Authority.create(tmp_path / "other", "acme"), tmp_path, "stranger")
    client = Client(broker, ca, stranger, "stranger")
    assert isinstance(client.next(), Lost)
    client.link.stop()
    assert broker.passed == []


def test_it_ends_though_clients_are_still_there_and_gives_others_logs_back(
    authority: Authority, ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("amqtt"), "level", logging.ERROR)
    certificate, key = authority.issue_broker([HOST])
    (tmp_path / "broker.pem").write_bytes(certificate)
    (tmp_path / "broker.key").write_bytes(key)
    with EmbeddedBroker(ca, tmp_path / "broker.pem", tmp_path / "broker.key") as broker:
        client = Client(broker, ca, issue(authority, tmp_path, "one"), "one", TOPIC)
        assert isinstance(client.next(), Connected)
        assert not logging.getLogger("amqtt.broker").isEnabledFor(logging.CRITICAL)
    assert isinstance(client.next(), Lost)
    client.link.stop()
    assert "broker" not in {thread.name for thread in threading.enumerate()}
    assert logging.getLogger("amqtt").level == logging.ERROR
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, broker.port), PATIENCE_S)


def test_files_that_cannot_be_used_are_named(ca: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        EmbeddedBroker(ca, tmp_path / "missing.pem", tmp_path / "missing.key")
