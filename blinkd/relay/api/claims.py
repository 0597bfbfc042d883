"""/api/v1/claims: letter boxes for terminals that wait to be taken in, or for their next certificate, and the administrators who answer them.

It needs no token, for a terminal that is claimed has none, and it is trusted with nothing (`fleet/claim.py` and `fleet/renewal.py` say why). So the only thing to guard
is room: few claims of small size, few new ones a minute from one address, and each of them for a week. It is off unless the operator wants it.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool

from blinkd.clock import Clock
from blinkd.crypto.request import MOST_BYTES
from blinkd.crypto.request import Request as Asked
from blinkd.errors import CertificateRefused, RequestRefused
from blinkd.fleet import bundle as bundles
from blinkd.fleet import claim as claiming
from blinkd.fleet.renewal import box_of
from blinkd.relay.api.answers import address_of
from blinkd.relay.api.bodies import parse, read_body
from blinkd.relay.api.limits import RateLimits
from blinkd.relay.connections import Connections

PATH = "/api/v1/claims"
MOST_CLAIMS = 1_000  # at once: ten times a fleet of a hundred
MOST_ANSWER = 64 * 1024  # bytes; a bundle has some 5,000
KEPT = timedelta(days=7)  # a terminal that still waits asks again by itself
FULL_RETRY_S = 3600

Handle = Annotated[str, Path(pattern=r"^[0-9a-f]{20}$")]


class ClaimStorage:
    """The table claims. Every method raises StoreError when the database is away."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def begin(self, name: str, request: str, now: datetime) -> bool:
        """Keep a request; one that is there stays. False when there is no room. Those that are too old are let go."""
        with self._connections.transaction() as cursor:
            cursor.execute(self._sql("DELETE FROM claims WHERE begun_at < ?"), (_text(now - KEPT),))
            cursor.execute(self._sql("SELECT count(*) FROM claims WHERE handle <> ?"), (name,))
            if int(cursor.fetchone()[0]) >= MOST_CLAIMS:
                return False
            statement = "INSERT INTO claims (handle, request, begun_at) VALUES (?, ?, ?) ON CONFLICT (handle) DO NOTHING"
            cursor.execute(self._sql(statement), (name, request, _text(now)))
        return True

    def find(self, name: str) -> tuple[str, str | None] | None:
        """Request and answer."""
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute(self._sql("SELECT request, answer FROM claims WHERE handle = ?"), (name,))
            row = cursor.fetchone()
        return None if row is None else (row[0], row[1])

    def answer(self, name: str, answer: str) -> bool:
        """Put an answer in, also in the place of another: which one is true, the terminal knows. False when nobody waits for it."""
        with self._connections.transaction() as cursor:
            cursor.execute(self._sql("SELECT 1 FROM claims WHERE handle = ?"), (name,))
            if cursor.fetchone() is None:
                return False
            cursor.execute(self._sql("UPDATE claims SET answer = ? WHERE handle = ?"), (answer, name))
        return True

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._connections.mark)


def claims_router(storage: ClaimStorage, limits: RateLimits, clock: Clock) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["claims"])

    @router.post(PATH, summary="A terminal asks to be taken in, or for its next certificate")
    async def post(request: Request) -> dict[str, Any]:
        """What `blinkd fleet claim` or `blinkd fleet renew` writes. Needs no token."""
        limits.claim(address_of(request.scope))
        body = await read_body(request, MOST_BYTES)
        return await run_in_threadpool(begin, body)

    @router.get(PATH + "/{name}", summary="A claim, and its answer once there is one")
    async def get(name: Handle) -> dict[str, Any]:
        """name: the hash of a claim, or of a terminal's name and key, 20 hexadecimal digits. Needs no token."""
        return await run_in_threadpool(find, name)

    @router.put(PATH + "/{name}/answer", summary="An administrator answers")
    async def put(name: Handle, request: Request) -> dict[str, Any]:
        """What `blinkd fleet approve` or `blinkd fleet renewals` writes. Needs no token: the terminal takes no answer but that of who has read its code."""
        limits.claim(address_of(request.scope))
        body = await read_body(request, MOST_ANSWER)
        return await run_in_threadpool(answer, name, body)

    def begin(body: bytes) -> dict[str, Any]:
        try:
            asked = Asked.of(parse(body))
            name = box_of(asked)
        except CertificateRefused as error:
            raise RequestRefused(422, "malformed", str(error)) from None
        if not storage.begin(name, json.dumps(parse(body)), clock.now().utc):
            raise RequestRefused(
                503, "full", f"{MOST_CLAIMS} terminals wait already; carry the request by hand, or try again later", FULL_RETRY_S
            )
        return {"success": True, "handle": name}

    def find(name: str) -> dict[str, Any]:
        found = storage.find(name)
        if found is None:
            raise RequestRefused(404, "no_claim", "no terminal waits here; start `blinkd fleet claim` or `blinkd fleet renew` on it again")
        request, answer = found
        return {"success": True, "request": json.loads(request), "answer": None if answer is None else json.loads(answer)}

    def answer(name: str, body: bytes) -> dict[str, Any]:
        value = parse(body)
        if not (_answers_claim(value, name) or _renews(value)):
            raise RequestRefused(422, "malformed", "the body is no answer to this request; `blinkd fleet approve` makes it")
        if not storage.answer(name, json.dumps(value)):
            raise RequestRefused(404, "no_claim", "no terminal waits here; start `blinkd fleet claim` or `blinkd fleet renew` on it again")
        return {"success": True}

    return router


def _answers_claim(value: object, name: str) -> bool:
    return isinstance(value, dict) and value.keys() == claiming.MEMBERS and (value["kind"], value["handle"]) == (claiming.KIND, name)


def _renews(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == bundles.MEMBERS and value["kind"] == bundles.KIND


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
