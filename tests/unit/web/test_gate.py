"""Only requests that name this terminal, and come from its own pages, pass."""

import asyncio
import socket
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from blinkd.web.gate import Gate

HERE = "127.0.0.1:8480"
ORIGIN = f"http://{HERE}"


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("in")(scope, receive, send)


def ask(method: str = "GET", host: str = HERE, scheme: str = "http", **headers: str) -> int:
    gate: ASGIApp = Gate(inside, names=lambda: ["door.example.org"])

    async def call() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url=f"{scheme}://{HERE}") as client:
            sent = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
            return (await client.request(method, "/", headers=sent)).status_code

    return asyncio.run(call())


@pytest.mark.parametrize(
    "host", [HERE, "localhost:9000", "[::1]:8480", "192.0.2.7", "door.example.org:8443", "DOOR.example.org.", socket.gethostname()]
)
def test_an_address_this_machines_names_and_those_of_the_settings_pass(host: str) -> None:
    assert ask(host=host) == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "door.example.org.evil.example", "", "[::1", "a@b:c"])
def test_a_name_that_somebody_lets_point_here_is_refused(host: str) -> None:
    assert ask(host=host) == 421


def test_reading_needs_no_origin() -> None:
    assert ask() == 200
    assert ask("HEAD", Sec_Fetch_Site="cross-site") == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_changes_something_must_come_from_our_own_page(method: str) -> None:
    assert ask(method, Origin=ORIGIN) == 200
    assert ask(method, Sec_Fetch_Site="same-origin", Origin="null") == 200  # as a browser says under a referrer policy
    for headers in (
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": f"https://{HERE}"},
        {"Origin": "http://[::1"},
        {"Sec_Fetch_Site": "cross-site", "Origin": ORIGIN},
        {"Sec_Fetch_Site": "same-site", "Origin": ORIGIN},
        {"Sec_Fetch_Site": "none", "Origin": ORIGIN},
    ):
        assert ask(method, **headers) == 403, headers


def test_the_scheme_and_its_usual_port_count() -> None:
    assert ask("POST", "door.example.org", "https", Origin="https://door.example.org") == 200
    assert ask("POST", "door.example.org", "https", Origin="http://door.example.org") == 403


@pytest.mark.parametrize(
    ("origin", "site", "passes"),
    [
        (ORIGIN, None, True),
        (ORIGIN, "same-origin", True),
        (None, None, False),
        ("http://evil.example", None, False),
        (ORIGIN, "cross-site", False),
    ],
)
def test_a_websocket_always_needs_the_right_origin(origin: str | None, site: str | None, passes: bool) -> None:
    reached: list[bool] = []
    sent: list[Any] = []

    async def socket_app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        reached.append(True)

    headers = [(b"host", HERE.encode())]
    headers += [(b"origin", origin.encode())] if origin else []
    headers += [(b"sec-fetch-site", site.encode())] if site else []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Gate(socket_app, names=lambda: ())({"type": "websocket", "scheme": "ws", "path": "/", "headers": headers}, receive, send))
    assert reached == ([True] if passes else [])
    assert [message["type"] for message in sent] == ([] if passes else ["websocket.close"])
