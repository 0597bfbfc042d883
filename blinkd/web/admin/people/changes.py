"""What a supervisor changes of a person: name, dates, groups, whether they may punch, shifts."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Protocol

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.attendance.punch import PersonStatus
from blinkd.attendance.shifts.assignments import Planner
from blinkd.errors import ConfigError, EnrolmentRefused, NotAllowed, RequestRefused, UnknownPerson
from blinkd.store.database import Store
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.forms import Fields
from blinkd.web.admin.logs.filters import date_of
from blinkd.web.admin.signed import Signed
from blinkd.web.admin.wording import plain
from blinkd.web.registration.eyes import groups_of

WRONG = (NotAllowed, EnrolmentRefused, RequestRefused, UnknownPerson, ConfigError)  # what whoever typed can mend


class Show(Protocol):
    """Shows the person's page once more, with what is wrong and what was typed."""

    def __call__(self, request: Request, signed: Signed, person_id: str, problem: str = "", typed: Fields | None = None) -> Response:
        """Raises RequestRefused (404)."""


def changes_router(context: AdminContext, show: Show) -> APIRouter:
    """The routes."""
    router = APIRouter(include_in_schema=False)

    def change(
        request: Request, person_id: str, posted: Posted, action: str, done: str, work: Callable[[Store, Fields], object]
    ) -> Response:
        """Do it with its line in the audit, or show what is wrong."""
        try:
            with context.store() as store, store.transaction():
                work(store, posted.form)
                context.audit.done(posted.signed, action, person_id)
        except WRONG as error:
            return show(request, posted.signed, person_id, plain(error), posted.form)
        return context.go(f"/admin/people/{person_id}", posted.signed, "ok", done)

    @router.post("/admin/people/{person_id}/details")
    def details(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        def work(store: Store, form: Fields) -> None:
            before = store.people.get(person_id)
            typed = {name: form.text(name) for name in ("valid_from", "valid_until")}
            valid = (date_of(typed, "valid_from"), date_of(typed, "valid_until"))
            groups = groups_of(form.text("groups"))
            name = form.text("name")
            store.people.change(
                person_id,
                name=None if name == before.name else name,
                valid=None if valid == (before.valid_from, before.valid_until) else valid,
                join=[one for one in groups if one not in before.groups],
                leave=[one for one in before.groups if one not in groups],
            )

        return change(request, person_id, posted, "people.set", "The details were saved.", work)

    @router.post("/admin/people/{person_id}/deactivate")
    def deactivate(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        return change(
            request,
            person_id,
            posted,
            "people.deactivate",
            "Switched off: recognised, but not checked in.",
            lambda store, _: store.people.set_status(person_id, PersonStatus.DEACTIVATED),
        )

    @router.post("/admin/people/{person_id}/activate")
    def activate(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        return change(
            request,
            person_id,
            posted,
            "people.activate",
            "Switched on.",
            lambda store, _: store.people.set_status(person_id, PersonStatus.ACTIVE),
        )

    @router.post("/admin/people/{person_id}/shift")
    def shift(request: Request, person_id: str, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        def work(store: Store, form: Fields) -> None:
            typed = {name: form.text(name) for name in ("from", "to")}
            first, last, name = date_of(typed, "from"), date_of(typed, "to"), form.text("shift")
            planner = Planner(store.book, context.parts.shifts, context.clock, posted.signed.operator.name)
            if form.text("what") == "end":
                if last is None:
                    raise NotAllowed("say on which day the shift ends")
                planner.end(person_id, name, last, form.text("why"))
            else:
                planner.assign(person_id, name, first or _today(context), last, form.text("why"))

        return change(request, person_id, posted, "shifts.assign", "The shifts were changed.", work)

    return router


def _today(context: AdminContext) -> date:
    return context.clock.now().utc.astimezone(context.settings.terminal.zone).date()
