"""What was done and refused, newest first. A technician sees numbers in the place of operators' names."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.paging import Paging
from blinkd.web.admin.signed import Signed

AUDIT = "/admin/audit"


def audit_router(context: AdminContext) -> APIRouter:
    """A list, a page at a time."""
    router = APIRouter(include_in_schema=False)

    @router.get(AUDIT)
    def page(request: Request, signed: Annotated[Signed, context.access.requires("supervisor", "technician")]) -> Response:
        with context.store() as store:
            paging = Paging.of(request, store.audit.count())
            acts = store.audit.newest(paging.size, paging.skip)
        return context.render(request, "admin/audit.html", signed, acts=acts, paging=paging, names=signed.may("supervisor"))

    return router
