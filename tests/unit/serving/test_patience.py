"""Clients that are slow on purpose hold no connection for long."""

import asyncio
import socket
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from blinkd.serving import patience
from blinkd.serving.patience import PatientProtocol
from blinkd.serving.server import Listen, Service, WebServer

TRIED = Service("a page", "web.", "nothing", "tests.patience", stop_s=1)


async def reads_nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers before the body is there."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits for the body's end."""
    while (await receive()).get("more_body"):
        pass
    await reads_nothing(scope, receive, send)


@pytest.mark.parametrize("app", [reads_nothing, reads_all])
def test_a_body_that_trickles_ends_the_connection(monkeypatch: pytest.MonkeyPatch, app: Any) -> None:
    monkeypatch.setattr(patience, "BODY_S", 0.05)
    server = WebServer(app, Listen(port=0), TRIED)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), 10) as raw:
            raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\na")
            while raw.recv(65_536):
                pass
    finally:
        server.stop()


def test_bodies_that_come_end_nothing_and_each_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[object] = []

    class Counting(PatientProtocol):
        def handle_events(self) -> None:
            super().handle_events()
            began.append(self._body_deadline)

    monkeypatch.setattr("blinkd.serving.server.PatientProtocol", Counting)
    server = WebServer(reads_all, Listen(port=0), TRIED)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), 10) as raw:
            for _ in range(2):
                raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
                raw.sendall(b"b")
                assert raw.recv(65_536).startswith(b"HTTP/1.1 200")
    finally:
        server.stop()
    assert began[-1] is None


class Stuck(asyncio.Transport):
    """Of a client that reads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = asyncio.Event()

    def abort(self) -> None:
        self.aborted.set()

    def close(self) -> None:
        pass


@pytest.mark.parametrize("goes_on", [False, True])
def test_an_answer_that_is_not_read_on_ends_the_connection(monkeypatch: pytest.MonkeyPatch, goes_on: bool) -> None:
    monkeypatch.setattr(patience, "READ_S", 0.0)

    async def stuck() -> bool:
        config = uvicorn.Config(reads_nothing, log_config=None)
        config.load()
        protocol, transport = PatientProtocol(config, ServerState(), {}), Stuck()
        protocol.connection_made(transport)
        protocol.pause_writing()
        if goes_on:
            protocol.resume_writing()
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        if not goes_on:
            await asyncio.wait_for(transport.aborted.wait(), 10)
        protocol.connection_lost(None)
        return transport.aborted.is_set()

    assert asyncio.run(stuck()) is not goes_on
