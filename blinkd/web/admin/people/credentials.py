"""PINs and badges of a person: set, given and taken away. A badge's code is nowhere but in the picture that is handed out once."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.crypto.pins import check_pin, code_digest, hash_pin, new_code
from blinkd.entry.picture import picture_of
from blinkd.errors import NotAllowed, PinRefused, UnknownPerson
from blinkd.store.replica import Kind
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.people.changes import Show
from blinkd.web.admin.wording import plain

WRONG = (PinRefused, NotAllowed, UnknownPerson)
WORDS = {"pin": "PIN", "badge": "badge"}


def credentials_router(context: AdminContext, show: Show) -> APIRouter:
    """The routes."""
    router = APIRouter(include_in_schema=False)

    @router.post("/admin/people/{person_id}/pin")
    def pin(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        chosen, again = posted.form.raw("pin"), posted.form.raw("pin_again")
        try:
            if chosen != again:
                raise PinRefused("the two PINs differ; nothing was changed")
            check_pin(chosen, context.settings.entry.pin_digits, person_id)
            hashed = hash_pin(chosen)  # takes a while, and nobody should wait for it
            with context.store() as store, store.transaction():
                store.credentials.set_pin(person_id, hashed, posted.signed.operator.name, context.clock.now())
                context.audit.done(posted.signed, "people.pin", person_id)
        except WRONG as error:
            return show(request, posted.signed, person_id, plain(error))
        return context.go(f"/admin/people/{person_id}", posted.signed, "ok", "The PIN was set.")

    @router.post("/admin/people/{person_id}/badge")
    def badge(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        code = new_code()
        try:
            with context.store() as store, store.transaction():
                store.credentials.add_badge(
                    person_id, code_digest(code), posted.signed.operator.name, context.clock.now(), replace=not posted.form.ticked("keep")
                )
                context.audit.done(posted.signed, "people.badge", person_id)
        except WRONG as error:
            return show(request, posted.signed, person_id, plain(error))
        headers = {"Content-Disposition": f'attachment; filename="badge-{person_id}.png"', "Cache-Control": "no-store"}
        return Response(picture_of(code), media_type="image/png", headers=headers)

    @router.post("/admin/people/{person_id}/revoke")
    def revoke(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        kind: Kind = "pin" if posted.form.text("kind") == "pin" else "badge"
        try:
            with context.store() as store, store.transaction():
                gone = store.credentials.take_away(person_id, kind, posted.signed.operator.name, context.clock.now())
                context.audit.done(posted.signed, f"people.{kind}.revoke", person_id)
        except WRONG as error:
            return show(request, posted.signed, person_id, plain(error))
        return context.go(f"/admin/people/{person_id}", posted.signed, "ok", f"{gone} {WORDS[kind]}(s) were taken away.")

    return router
