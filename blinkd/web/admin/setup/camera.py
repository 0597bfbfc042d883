"""First run: the live picture, and what doctor says of the camera."""

import asyncio
import concurrent.futures
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.doctor.check import Check
from blinkd.doctor.recognition import camera as camera_check
from blinkd.errors import BlinkdError, RequestRefused
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.setup.steps import STEPS, after, set_standing
from blinkd.web.admin.signed import Signed

STEP = STEPS[2]
PICTURE = f"{STEP.path}/picture"
PICTURE_S = 3.0  # until no picture is expected any more


def camera_router(context: AdminContext) -> APIRouter:
    """A page with a picture that its script asks for again and again; without the script it shows one."""
    router = APIRouter(include_in_schema=False)
    access = context.access

    @router.get(STEP.path)
    def page(request: Request, signed: Annotated[Signed, access.requires(*STEP.roles)]) -> Response:
        try:
            check = camera_check(context.settings)
        except BlinkdError as error:
            check = Check("camera", "fail", str(error))
        return context.render(request, "admin/setup/camera.html", signed, check=check, picture=PICTURE, following=after(STEP.name))

    @router.post(STEP.path)
    def seen(posted: Annotated[Posted, access.posted(*STEP.roles)]) -> Response:
        with context.store() as store, store.transaction():
            set_standing(store, STEP.name, "done")
            context.audit.done(posted.signed, "setup.camera")
        return context.go(after(STEP.name), posted.signed)

    @router.get(PICTURE)
    async def picture(_: Annotated[Signed, access.requires(*STEP.roles)]) -> Response:
        asked = context.hub.picture()
        try:
            found = await asyncio.wait_for(asyncio.wrap_future(asked), PICTURE_S)
        except (TimeoutError, concurrent.futures.CancelledError):
            raise RequestRefused(503, "no_picture", "no picture comes; the camera is not open, or the daemon does not run") from None
        return Response(found.jpeg, media_type="image/jpeg")

    return router
