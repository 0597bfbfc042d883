"""The outermost layer of the pages: only requests that name this terminal, and that its own pages send, come in.

A page of somebody else's that the operator has open can send requests to this terminal too. By its own name, which it lets point here (DNS
rebinding), it is refused for the Host header; what it sends to the terminal's own address is refused for where it comes from.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
SCHEMES = {"ws": "http", "wss": "https"}  # what a page that opens a WebSocket came by


class Gate:
    """ASGI 3. An address of digits passes as Host: no name can be made to point to it. Names pass that are this machine's, or in the settings."""

    def __init__(self, app: ASGIApp, names: Callable[[], Iterable[str]]) -> None:
        """names: of the settings, besides this machine's own."""
        self._app = app
        self._names = names
        machine = socket.gethostname().lower()
        self._own = frozenset({"localhost", machine, f"{machine.partition('.')[0]}.local"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or answer 421 or 403."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._is_ours(headers.get("host", "")):
            await _refuse(421, "this terminal is not called that; add the name to web.names if it is", scope, receive, send)
        elif not comes_from_here(scope, headers):
            await _refuse(403, "this was sent by a page that is not this terminal's; open the terminal's own page", scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower().rstrip(".")
        except ValueError:
            return False
        if not name:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._own or name in {one.lower() for one in self._names()}
        return True


def comes_from_here(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether what changes something, or stays open, was sent by one of this server's own pages. What a browser says of neither is refused."""
    websocket = scope["type"] == "websocket"
    if not websocket and scope["method"] in SAFE:
        return True
    site = headers.get("sec-fetch-site")  # browsers send it to this machine and by TLS; no script can set it
    if site is not None and not websocket:
        return site == "same-origin"
    if site is not None and site != "same-origin":
        return False
    return _origin(headers.get("origin", "")) == _origin(f"{_scheme(scope)}://{headers.get('host', '')}") is not None


def _scheme(scope: Scope) -> str:
    scheme = str(scope.get("scheme", "http"))
    return SCHEMES.get(scheme, scheme)


def _origin(address: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(address)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return None if not parts.hostname or port is None else (parts.scheme, parts.hostname, port)


async def _refuse(status: int, words: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the opening, which is answered by a refusal
        await send({"type": "websocket.close", "code": 1008, "reason": words[:120]})
        return
    await PlainTextResponse(f"{words}\n", status)(scope, receive, send)
