"""How the API answers: JSON, the same form for every error, headers that tell browsers to do nothing with it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blinkd.errors import MessageRejected, RequestRefused, StoreError

log = logging.getLogger("blinkd.relay.api")

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
STRICT_TRANSPORT = "max-age=31536000"  # a year: a client that came over TLS once never comes without
RETRY_STORE_S = 10  # a database that restarts is back by then
WORDS = {
    404: ("not_found", "no such address; /docs lists them"),
    405: ("method_not_allowed", "this address takes another method; see /docs"),
}


class Outside:
    """The outermost layer: counts addresses before anything is done for them, adds the headers, writes a line of log.

    The line has the route, never the address that was asked for, nor the query: both may hold ids or a token put in the wrong place.
    """

    def __init__(self, app: ASGIApp, count: Callable[[str], None], tls: bool) -> None:
        self._app = app
        self._count = count
        self._headers = HEADERS | ({"Strict-Transport-Security": STRICT_TRANSPORT} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._count(address_of(scope))
        except RequestRefused as error:
            await refusal(error)(scope, receive, finish)
        else:
            await self._app(scope, receive, finish)
        route = getattr(scope.get("route"), "path", "(no such address)")
        token = scope.get("state", {}).get("token_id", "-")
        log.info("%s %s %d token=%s", scope["method"], route, status, token)


def address_of(scope: Mapping[str, Any]) -> str:
    """The client's address, as the server knows it."""
    client = scope.get("client")
    return client[0] if client else ""


def refusal(error: RequestRefused) -> JSONResponse:
    """The answer to a request that is refused."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status in (408, 413):
        headers["Connection"] = "close"  # what is left of the body is not waited for
    return problem(error.status, error.reason, str(error), headers)


def problem(status: int, reason: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error. reason: a word for programs; detail: words for people."""
    return JSONResponse({"success": False, "error": reason, "detail": detail}, status, headers)


def add_error_answers(app: FastAPI) -> None:
    """Let every error have the one form."""

    async def refused(_: Request, error: RequestRefused) -> JSONResponse:
        return refusal(error)

    async def rejected(_: Request, error: MessageRejected) -> JSONResponse:
        return problem(422, error.reason, str(error))

    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return problem(422, "malformed", f"{first['loc'][-1]}: {first['msg'].lower()}")

    async def http(_: Request, error: HTTPException) -> JSONResponse:
        reason, detail = WORDS.get(error.status_code, ("refused", str(error.detail)))
        return problem(error.status_code, reason, detail, error.headers)

    async def away(_: Request, error: StoreError) -> JSONResponse:
        log.error("database: %s", error)  # the words name files and hosts: for the operator, not for clients
        retry = {"Retry-After": str(RETRY_STORE_S)}
        return problem(503, "database_away", "the relay's database does not answer; nothing was stored, try again later", retry)

    async def unforeseen(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  it goes on to the server, which logs it
        return problem(500, "internal", "an error of the relay itself; its log tells more", HEADERS)

    handlers: dict[type[Exception], Any] = {  # each takes the class that it stands for
        RequestRefused: refused,
        MessageRejected: rejected,
        RequestValidationError: invalid,
        HTTPException: http,
        StoreError: away,
        Exception: unforeseen,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
