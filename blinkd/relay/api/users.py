"""/api/v1/sync/users: people of the origin's app, or sealed changes of the registry."""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Literal, NoReturn

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from blinkd.errors import RequestRefused
from blinkd.relay.api.bodies import parse, read_json
from blinkd.relay.api.guard import Guard
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.origin import RECORD, MobileUser
from blinkd.relay.api.plain import refuse_unsealed
from blinkd.relay.api.schemas import POST_USERS, USERS_PAGE
from blinkd.relay.api.sealed import SealedRecords, settled_people
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, Token
from blinkd.relay.api.uploads import demand_number, demand_organisation, demand_plain_records, one_each, synced
from blinkd.sync.messages import MOST, Changes
from blinkd.sync.wire import GREATEST, load

PATH = "/api/v1/sync/users"
VERSION = re.compile(r"[0-9]{1,16}")


def users_router(storage: ApiStorage, records: SealedRecords, guard: Guard, options: ApiOptions) -> APIRouter:
    """The two routes."""
    router = APIRouter(tags=["sync"])

    @router.post(PATH, summary="Insert or replace people", openapi_extra=POST_USERS)
    async def post(request: Request, token: Annotated[Token, Depends(guard.requires(Scope.USERS_WRITE))]) -> dict[str, Any]:
        """A list in the origin's form, where the operator has switched that on, or one sealed message of a terminal."""
        body = await read_json(request)
        return await run_in_threadpool(take, token, body)

    def take(token: Token, body: bytes) -> dict[str, Any]:
        value = parse(body)
        if isinstance(value, list):
            demand_plain_records(options)
            demand_number(value)
            users = one_each([MobileUser.of(one) for one in value])
            storage.put_users(token.org, token.id, users)
            return synced([user.id for user in users])
        changes = Changes.parse(body)
        demand_organisation(token, changes.org)
        for change in changes.changes:
            if change.envelope is not None:
                refuse_unsealed(change.envelope.ciphertext)
        receipt = records.people(changes)
        return synced(settled_people(receipt), receipt)

    @router.get(PATH, summary="People, page by page", responses={200: USERS_PAGE})
    def get(
        response: Response,
        token: Annotated[Token, Depends(guard.requires(Scope.USERS_READ))],
        form: Annotated[
            Literal["origin", "sealed"] | None, Query(description="Without it: origin where clear records are taken, else sealed.")
        ] = None,
        cursor: Annotated[str | None, Query(description="next_cursor of the page before.", max_length=256)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
    ) -> dict[str, Any]:
        """People in the origin's form by id, or the registry's sealed records by version; next_cursor is null on the last page."""
        chosen = form or ("origin" if options.plain_records else "sealed")
        if chosen == "origin":
            demand_plain_records(options)
            answer = page_of_users(token.org, cursor, limit)
        else:
            answer = page_of_records(token.org, cursor, limit)
        if answer["next_cursor"] is not None:
            response.headers["Link"] = f'<{PATH}?form={chosen}&limit={limit}&cursor={answer["next_cursor"]}>; rel="next"'
        return answer

    def page_of_users(org: str, cursor: str | None, limit: int) -> dict[str, Any]:
        found = storage.users(org, "" if cursor is None else _id_of(cursor), limit + 1)
        more = len(found) > limit
        users = found[:limit]
        return {
            "success": True,
            "users": [user.to_json() for user in users],
            "next_cursor": _cursor_of(users[-1].id) if more else None,
        }

    def page_of_records(org: str, cursor: str | None, limit: int) -> dict[str, Any]:
        if cursor is not None and (VERSION.fullmatch(cursor) is None or int(cursor) > GREATEST):
            _no_cursor()
        page = load(records.page(org, int(cursor or 0), limit).to_bytes())
        return {
            "success": True,
            "users": page["changes"],
            "certificates": page["certificates"],
            "head": page["head"],
            "next_cursor": str(page["upto"]) if page["more"] else None,
        }

    return router


def _cursor_of(last: str) -> str:
    return urlsafe_b64encode(last.encode()).decode().rstrip("=")


def _id_of(cursor: str) -> str:
    try:
        found = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        _no_cursor()
    if RECORD.fullmatch(found) is None:
        _no_cursor()
    return found


def _no_cursor() -> NoReturn:
    raise RequestRefused(422, "malformed", "cursor: not one of this relay; begin again without it")
