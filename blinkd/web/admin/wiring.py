"""Puts the admin's pages into the application: routers, and what is answered when something is refused."""

import logging
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from blinkd.errors import BlinkdError, PasswordDue, RequestRefused, SignInNeeded, StoreError
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.navigation import home_of
from blinkd.web.admin.operators.login import login_address, sentence
from blinkd.web.admin.signed import Signed

TITLES = {
    400: "That did not work",
    403: "Not allowed",
    404: "There is no such page",
    405: "Not this way",
    413: "Too much at once",
    415: "Not a form",
    422: "Something is wrong with the form",
    429: "Too often",
    503: "Not at this moment",
}

log = logging.getLogger(__name__)


def add_admin(app: FastAPI, context: AdminContext, routers: Iterable[APIRouter]) -> None:
    """Add the routers, and answers for the admin's addresses; other addresses are answered as before."""
    for router in routers:
        app.include_router(router)

    async def sign_in(request: Request, _: SignInNeeded) -> Response:
        if _is_script(request):
            return _json(401, "login", "nobody is logged in any more; open the page anew and log in")
        return RedirectResponse(login_address(request), 303)

    async def own_password(request: Request, error: PasswordDue) -> Response:
        if _is_script(request):
            return _json(403, "password", str(error))
        return RedirectResponse("/admin/account", 303)

    async def refused(request: Request, error: RequestRefused) -> Response:
        return await run_in_threadpool(_refusal, context, request, error.status, error.reason, str(error), error.retry_after_s)

    async def failed(request: Request, error: BlinkdError) -> Response:
        # words name what is wrong and the remedy; a store's name files too, which whoever is logged in may know
        log.warning("%s: %s", request.url.path, error)
        status = 503 if isinstance(error, StoreError) else 400
        return await run_in_threadpool(_refusal, context, request, status, type(error).__name__, str(error), None)

    async def http(request: Request, error: HTTPException) -> Response:
        words = {404: "the address is wrong, or what was there is gone", 405: "this address takes another method"}
        said = words.get(error.status_code, str(error.detail))
        return await run_in_threadpool(_refusal, context, request, error.status_code, "http", said, None)

    handlers: dict[type[Exception], Any] = {  # each takes the class that it stands for
        SignInNeeded: sign_in,
        PasswordDue: own_password,
        RequestRefused: refused,
        BlinkdError: failed,
        HTTPException: http,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _refusal(context: AdminContext, request: Request, status: int, reason: str, words: str, retry_after_s: int | None) -> Response:
    signed: Signed | None = getattr(request.state, "signed", None) or context.access.looks(request)
    answer: Response
    if _is_script(request) or not request.url.path.startswith("/admin"):
        answer = _json(status, reason, words)
    else:
        back = "/admin/login" if signed is None else home_of(signed.roles)
        title = TITLES.get(status, TITLES[400])
        answer = context.render(request, "admin/refused.html", signed, status, title=title, words=sentence(words), back=back)
    if retry_after_s is not None:
        answer.headers["Retry-After"] = str(retry_after_s)
    return answer


def _json(status: int, reason: str, words: str) -> JSONResponse:
    return JSONResponse({"error": reason, "detail": words}, status)


def _is_script(request: Request) -> bool:
    """Whether a script asks, which reads JSON: it sends the token as a header, or says what it takes."""
    return "x-csrf-token" in request.headers or request.headers.get("accept", "").startswith("application/json")
