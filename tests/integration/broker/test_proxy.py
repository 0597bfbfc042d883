"""The bad network of the tests does what it says."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.integration.broker.conftest import Site
from tests.services.proxy import Proxy


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(20)
        yield made


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 20)


def silent(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    else:
        return False
    finally:
        connection.settimeout(20)


def test_both_ways_pass_and_an_end_is_handed_on(listener: socket.socket) -> None:
    with Proxy(listener.getsockname()[1]) as network, connect(network.port) as client:
        server, _ = listener.accept()
        with server:
            server.settimeout(20)
            client.sendall(b"to the server")
            assert server.recv(100) == b"to the server"
            server.sendall(b"to the client")
            assert client.recv(100) == b"to the client"
            client.close()
            assert server.recv(100) == b""


def test_a_cut_resets_what_is_open_and_what_comes_until_it_is_resumed(listener: socket.socket) -> None:
    with Proxy(listener.getsockname()[1]) as network, connect(network.port) as client:
        server, _ = listener.accept()
        with server:
            network.cut()
            for end in (client, server):
                end.settimeout(20)
                with pytest.raises(ConnectionResetError):
                    end.recv(1)
        with pytest.raises(ConnectionResetError), connect(network.port) as refused:
            refused.recv(1)
        network.resume()
        with connect(network.port) as again:
            server, _ = listener.accept()
            with server:
                again.sendall(b"x")
                assert server.recv(1) == b"x"


def test_a_black_hole_keeps_connections_open_and_lets_nothing_through_until_it_is_resumed(listener: socket.socket) -> None:
    with Proxy(listener.getsockname()[1]) as network, connect(network.port) as old:
        server, _ = listener.accept()
        with server:
            network.black_hole()
            old.sendall(b"old")
            assert silent(server)
            with connect(network.port) as new:
                new.sendall(b"new")
                listener.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    listener.accept()
                listener.settimeout(20)
                network.resume()
                server.settimeout(20)
                assert server.recv(100) == b"old"
                late, _ = listener.accept()
                with late:
                    late.settimeout(20)
                    assert late.recv(100) == b"new"


def test_a_delay_holds_every_piece_for_that_long(listener: socket.socket) -> None:
    with Proxy(listener.getsockname()[1]) as network, connect(network.port) as client:
        server, _ = listener.accept()
        with server:
            network.delay(0.05)
            began = time.monotonic()
            client.sendall(b"x")
            server.settimeout(20)
            assert server.recv(1) == b"x"
            assert time.monotonic() - began >= 0.05


def test_where_nobody_listens_the_client_is_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as made:
        port = made.getsockname()[1]
    with Proxy(port) as network, pytest.raises(ConnectionResetError), connect(network.port) as client:
        client.recv(1)


def test_a_publish_into_a_black_hole_is_acknowledged_after_it(site: Site) -> None:
    with Proxy(site.broker.port) as network:
        door = site.connected(site.terminal("door", port=network.port))
        network.black_hole()
        handle = door.client.publish("blink/v1/acme/door/attendance", b"x", 1)
        assert not handle.is_published()
        network.resume()
        handle.wait_for_publish(20)
        assert handle.is_published()
        door.leave()
