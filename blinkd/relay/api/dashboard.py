"""/api/v1/dashboard: what a browser needs to show an organisation its own attendance. All of it is sealed; the browser opens it."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from blinkd.errors import RequestRefused
from blinkd.relay.api.guard import Guard
from blinkd.relay.api.tokens import Scope, Token
from blinkd.relay.dashboard.readings import MOST_ENTRIES, MOST_PEOPLE, Page, Readings
from blinkd.sync.topics import is_name
from blinkd.sync.wire import GREATEST, dump

PATH = "/api/v1/dashboard"
JSON = "application/json"
BOOK = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
NUMBER = re.compile(r"[0-9]{1,16}")

CursorOption = Annotated[str | None, Query(description="next_cursor of the page before.", max_length=16)]


def dashboard_router(readings: Readings, guard: Guard) -> APIRouter:
    """The four routes; all of them want the scope dashboard:read and answer for the token's organisation only."""
    router = APIRouter(tags=["dashboard"])
    admitted = Depends(guard.requires(Scope.DASHBOARD_READ))

    @router.get(f"{PATH}/keyring", summary="The keyring, which opens by the organisation password only")
    def keyring(token: Annotated[Token, admitted]) -> Response:
        """The registry's record: `open` is the file as `blinkd keys export` writes it."""
        found = readings.keyring(token.org)
        if found is None:
            raise RequestRefused(
                404, "no_keyring", "no terminal has brought the organisation's keyring yet; let one that has it connect (`blinkd sync now`)"
            )
        return _answer(f'{{"success":true,"organisation":"{token.org}","keyring":{found}}}')

    @router.get(f"{PATH}/books", summary="Terminals and their chains")
    def books(token: Annotated[Token, admitted]) -> Response:
        """Up to which entry each chain is connected, whether it has a gap or a fork, and its first entry."""
        value: dict[str, Any] = {"success": True, "organisation": token.org, "terminals": readings.books(token.org)}
        return _answer(dump(value))

    @router.get(f"{PATH}/entries", summary="Sealed entries of a chain, newest first, page by page")
    def entries(
        token: Annotated[Token, admitted],
        terminal: Annotated[str, Query(max_length=63)],
        book: Annotated[str, Query(pattern=BOOK)],
        cursor: CursorOption = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = MOST_ENTRIES,
    ) -> Response:
        """Only what is verified and connected; of a fork both branches. next_cursor is null on the last page."""
        page = readings.entries(token.org, terminal, book, _number(cursor), limit) if is_name(terminal) else None
        if page is None:
            raise RequestRefused(404, "no_book", "this organisation has no such book here; /api/v1/dashboard/books lists them")
        return _page("entries", page)

    @router.get(f"{PATH}/people", summary="Sealed records of people, without their templates, page by page")
    def people(
        token: Annotated[Token, admitted], cursor: CursorOption = None, limit: Annotated[int, Query(ge=1, le=MOST_PEOPLE)] = MOST_PEOPLE
    ) -> Response:
        """By version, deletions among them. next_cursor is null on the last page."""
        return _page("people", readings.people(token.org, _number(cursor) or 0, limit))

    return router


def _page(name: str, page: Page) -> Response:
    following = "null" if page.following is None else f'"{page.following}"'
    return _answer(f'{{"success":true,"{name}":[{",".join(page.items)}],"next_cursor":{following}}}')


def _answer(text: str | bytes) -> Response:
    """JSON that is ready: the framework would look at each value of a megabyte."""
    return Response(text, media_type=JSON)


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if NUMBER.fullmatch(cursor) is None or int(cursor) > GREATEST:
        raise RequestRefused(422, "malformed", "cursor: not one of this relay; begin again without it")
    return int(cursor)
