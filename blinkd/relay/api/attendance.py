"""/api/v1/sync/attendance: punches of the origin's app, or sealed entries of a terminal's book."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from blinkd.relay.api.bodies import parse, read_json
from blinkd.relay.api.guard import Guard
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.origin import MobilePunch
from blinkd.relay.api.plain import refuse_unsealed
from blinkd.relay.api.schemas import POST_ATTENDANCE
from blinkd.relay.api.sealed import SealedRecords, settled_attendance
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, Token
from blinkd.relay.api.uploads import demand_number, demand_organisation, demand_plain_records, one_each, synced
from blinkd.sync.messages import Batch

PATH = "/api/v1/sync/attendance"


def attendance_router(storage: ApiStorage, records: SealedRecords, guard: Guard, options: ApiOptions) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["sync"])

    @router.post(PATH, summary="Insert or replace punches", openapi_extra=POST_ATTENDANCE)
    async def post(request: Request, token: Annotated[Token, Depends(guard.requires(Scope.ATTENDANCE_WRITE))]) -> dict[str, Any]:
        """A list in the origin's form, where the operator has switched that on, or one sealed message of a terminal."""
        body = await read_json(request)
        return await run_in_threadpool(take, token, body)

    def take(token: Token, body: bytes) -> dict[str, Any]:
        value = parse(body)
        if isinstance(value, list):
            demand_plain_records(options)
            demand_number(value)
            punches = one_each([MobilePunch.of(one) for one in value])
            storage.put_attendance(token.org, token.id, punches)
            return synced([punch.id for punch in punches])
        batch = Batch.parse(body)
        demand_organisation(token, batch.org)
        for entry in batch.entries:
            if entry.envelope is not None:
                refuse_unsealed(entry.envelope.ciphertext)
        receipt = records.attendance(batch)
        return synced(settled_attendance(batch, receipt), receipt)

    return router
