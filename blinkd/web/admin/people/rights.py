"""What the law gives a person: a copy of all that is held, consent withdrawn, and deletion with a signed receipt."""

import json
import secrets
import threading
from collections import OrderedDict
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.clock import Clock
from blinkd.errors import NotAllowed, RequestRefused, UnknownPerson
from blinkd.store.dossier import dossier
from blinkd.store.erasure import Hours
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.people.changes import Show
from blinkd.web.admin.signed import Signed
from blinkd.web.admin.wording import plain

MOST_RECEIPTS = 32  # that wait to be fetched
RECEIPT_S = 3600.0  # then only the book knows of the deletion, and not whose hours were whose
WRONG = (NotAllowed, UnknownPerson)
HOURS: dict[str, Hours] = {"id": "id", "pseudonym": "pseudonym", "erase": "erase"}


class Receipts:
    """Receipts of deletions until somebody has saved them; in memory only, each for the operator who deleted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, float, dict[str, Any]]] = OrderedDict()

    def keep(self, operator: int, receipt: dict[str, Any]) -> str:
        """Returns the word under which it lies."""
        word = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[word] = operator, self._clock.now().boot_s, receipt
            while len(self._kept) > MOST_RECEIPTS:
                self._kept.popitem(last=False)
        return word

    def of(self, operator: int, word: str) -> dict[str, Any]:
        """Raises RequestRefused (404)."""
        with self._lock:
            owner, at_s, receipt = self._kept.get(word, (-1, 0.0, {}))
        if owner != operator or self._clock.now().boot_s - at_s > RECEIPT_S:
            raise RequestRefused(404, "no_receipt", "this receipt is not kept any more; the book holds the deletion: blinkd log verify")
        return receipt


def rights_router(context: AdminContext, show: Show, receipts: Receipts) -> APIRouter:
    """The routes."""
    router = APIRouter(include_in_schema=False)

    @router.post("/admin/people/{person_id}/export")
    def export(person_id: str, posted: Annotated[Posted, context.access.posted("hr")]) -> Response:
        with context.store() as store:
            held = dossier(store, person_id, context.settings.terminal.id, vectors=posted.form.ticked("templates"))
            context.audit.done(posted.signed, "people.export", person_id)
        content = json.dumps(held, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
        return _json_file(content, f"held-{person_id}.json")

    @router.post("/admin/people/{person_id}/withdraw")
    def withdraw(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("supervisor", "hr")]) -> Response:
        why = posted.form.text("why") or "on request"
        try:
            with context.store() as store, store.transaction():
                erased = store.erasure.withdraw(person_id, posted.signed.operator.name, why, context.clock.now())
                context.audit.done(posted.signed, "people.withdraw", person_id)
        except WRONG as error:
            return show(request, posted.signed, person_id, plain(error), posted.form)
        words = f"Consent was withdrawn: {erased} template(s) were erased, and the person is switched off."
        return context.go(f"/admin/people/{person_id}", posted.signed, "ok", words)

    @router.post("/admin/people/{person_id}/delete")
    def delete(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("hr")]) -> Response:
        form, signed = posted.form, posted.signed
        policy = HOURS.get(form.text("hours"), context.settings.privacy.deleted_hours)
        try:
            if form.text("typed_id") != person_id:
                raise NotAllowed(f"nothing was deleted: type the id {person_id} to show that this is the person")
            with context.store() as store, store.transaction():
                why = form.text("why") or "on request"
                receipt = store.erasure.delete(person_id, policy, signed.operator.name, why, context.clock.now())
                context.audit.done(signed, "people.delete", person_id)
        except WRONG as error:
            return show(request, signed, person_id, plain(error), form)
        word = receipts.keep(signed.operator.id, receipt.as_json())
        return context.go(f"/admin/receipts/{word}", signed, "ok", "The person was deleted.")

    @router.get("/admin/receipts/{word}")
    def receipt(request: Request, word: str, signed: Annotated[Signed, context.access.requires("hr")]) -> Response:
        made = receipts.of(signed.operator.id, word)
        text = json.dumps(made, ensure_ascii=False, indent=2)
        return context.render(request, "admin/receipt.html", signed, receipt=made, text=text, word=word)

    @router.get("/admin/receipts/{word}/file")
    def receipt_file(word: str, signed: Annotated[Signed, context.access.requires("hr")]) -> Response:
        made = receipts.of(signed.operator.id, word)
        return _json_file(json.dumps(made, ensure_ascii=False, indent=2) + "\n", "deletion-receipt.json")

    return router


def _json_file(content: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/json", headers=headers)
