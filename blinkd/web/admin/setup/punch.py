"""First run: one person walks up to the terminal and is known."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.setup.steps import STEPS, after, set_standing
from blinkd.web.admin.signed import Signed

STEP = STEPS[3]
WAY_OUT = {  # what to do after a refusal
    "unknown_face": "Nobody who is registered looks like this. Register the person first, or in this light once more.",
    "uncertain": "It was not certain who this is. Look straight into the camera, in better light.",
    "not_live": "No sign of life was seen. Blink, turn the head when asked, and take glasses that mirror off.",
    "swapped": "The face changed in the middle. One person at a time.",
    "inactive": "This person is not active. Activate them under People.",
    "poor_quality": "The picture was too poor. Come nearer, into better light.",
    "too_soon": "This person has punched just now. Wait a minute.",
}


def punch_router(context: AdminContext) -> APIRouter:
    """It waits for what the daemon says; nothing is punched from here."""
    router = APIRouter(include_in_schema=False)
    access = context.access

    @router.get(STEP.path)
    def page(request: Request, signed: Annotated[Signed, access.requires(*STEP.roles)], since: int = -1) -> Response:
        with context.store() as store:
            registered = sum(person.templates > 0 for person in store.people.all())
        newest = max((int(event.get("n", 0)) for event in context.hub.recent()), default=0)
        since = newest if since < 0 else since
        last = _last(context.hub.recent(), since)
        return context.render(
            request,
            "admin/setup/test.html",
            signed,
            registered=registered,
            last=last,
            way_out="" if last is None else WAY_OUT.get(str(last.get("reason")), "Try once more."),
            since=since,
            newest=newest,
        )

    @router.get(f"{STEP.path}/state")
    def state(_: Annotated[Signed, access.requires(*STEP.roles)], since: int = 0) -> Response:
        return JSONResponse({"decided": _last(context.hub.recent(), since) is not None})

    @router.post(STEP.path)
    def seen(posted: Annotated[Posted, access.posted(*STEP.roles)]) -> Response:
        standing = "skipped" if posted.form.text("skip") else "done"
        with context.store() as store, store.transaction():
            set_standing(store, STEP.name, "skipped" if standing == "skipped" else "done")
            context.audit.done(posted.signed, "setup.test", reason=standing)
        return context.go(after(STEP.name), posted.signed)

    return router


def _last(events: list[Mapping[str, Any]], since: int) -> Mapping[str, Any] | None:
    """The newest decision after a message of that number; a punch before all."""
    decided = [one for one in events if int(one.get("n", 0)) > since and one.get("event") in ("punch", "refused")]
    return next((one for one in reversed(decided) if one["event"] == "punch"), decided[-1] if decided else None)
