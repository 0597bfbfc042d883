"""System: how the terminal is, what doctor says, the way to the relay, and releases. For technicians; it names nobody."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from blinkd.errors import BlinkdError
from blinkd.store.schema import newest_version
from blinkd.sync.standing import standing
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.signed import Signed
from blinkd.web.admin.system.examining import Examining
from blinkd.web.admin.system.releases import releases

SYSTEM = "/admin/system"
SILENT_S = 5.0  # the daemon says something each second
KINDS = {"ok": "ok", "warn": "warn", "fail": "bad", "degraded": "warn", "failed": "bad", "starting": "warn", "off": ""}


def system_router(context: AdminContext, examining: Examining) -> APIRouter:
    """One page, and what its script asks."""
    router = APIRouter(include_in_schema=False)
    access = context.access

    @router.get(SYSTEM)
    def page(request: Request, signed: Annotated[Signed, access.requires("technician")]) -> Response:
        health = context.hub.health
        return context.render(
            request,
            "admin/system.html",
            signed,
            found=examining.look(),
            kinds=KINDS,
            health=None if health is None else {"fps": 0, "temperature_c": None, **health},
            silent=context.hub.silent_s > SILENT_S,
            sync=_sync(context),
            releases=releases(),
            schema=newest_version(),
            state_dir=context.settings.state_dir,
        )

    @router.post(f"{SYSTEM}/look")
    def look(posted: Annotated[Posted, access.posted("technician")]) -> Response:
        examining.look(anew=True)
        context.audit.done(posted.signed, "system.examine")
        return context.go(SYSTEM)

    @router.get(f"{SYSTEM}/state")
    def state(_: Annotated[Signed, access.requires("technician")]) -> Response:
        return JSONResponse({"under_way": examining.state().under_way})

    return router


def _sync(context: AdminContext) -> dict[str, Any]:
    """As `blinkd sync status` tells it; `trouble` in the place of all else where the keyring or the database cannot be read."""
    try:
        with context.store() as store:
            return {"trouble": "", **standing(context.settings, store)}
    except BlinkdError as error:
        return {"trouble": str(error)}
