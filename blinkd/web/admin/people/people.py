"""People: the list, searched a page at a time, and what is held on one person."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.attendance.punch import PersonStatus
from blinkd.errors import RequestRefused
from blinkd.identity.views import ADVICE
from blinkd.store.database import Store
from blinkd.store.people import Person
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.forms import Fields
from blinkd.web.admin.logs.filters import text_of, word_of
from blinkd.web.admin.paging import SIZE, Paging
from blinkd.web.admin.people.changes import changes_router
from blinkd.web.admin.people.credentials import credentials_router
from blinkd.web.admin.people.rights import Receipts, rights_router
from blinkd.web.admin.signed import Signed

STATUSES = (("", "any"), ("ACTIVE", "active"), ("DEACTIVATED", "switched off"))
VIEWS = {"front": "from the front", "left": "turned to the left", "right": "turned to the right", "unknown": "not known"}


def people_router(context: AdminContext, receipts: Receipts) -> APIRouter:
    """The routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/admin/people")
    def people(request: Request, signed: Annotated[Signed, context.access.requires("supervisor", "hr")]) -> Response:
        query = request.query_params
        text, status, group = text_of(query, "q"), word_of(query, "status", PersonStatus), query.get("group", "")[:100]
        first = Paging.of(request, 10**9).skip  # which page is asked for, before it is known how many there are
        with context.store() as store:
            found = store.directory.page(text, status, group or None, first=first, most=SIZE)
            paging = Paging.of(request, found.total)
            if paging.skip != first:
                found = store.directory.page(text, status, group or None, first=paging.skip, most=SIZE)
            groups = store.directory.groups()
        return context.render(
            request,
            "admin/people.html",
            signed,
            people=found.people,
            paging=paging,
            query={"q": text, "status": query.get("status", ""), "group": group},
            statuses=STATUSES,
            groups=[("", "any"), *((one, one) for one in groups)],
        )

    def show(request: Request, signed: Signed, person_id: str, problem: str = "", typed: Fields | None = None) -> Response:
        with context.store() as store:
            person = person_of(store, person_id)
            moments = store.people.moments(person_id)
            values = {
                "person": person,
                "moments": [(VIEWS.get(one.view, one.view), one) for one in moments],
                "missing": [VIEWS[view] for view in ADVICE if moments and view not in {one.view for one in moments}],
                "enrolments": store.people.enrolments(person_id),
                "credentials": store.credentials.kept(person_id),
                "assignments": store.book.assignments(person.subject),
            }
        parts = context.parts
        return context.render(
            request,
            "admin/person.html",
            signed,
            422 if problem else 200,
            problem=problem,
            typed=_typed(person, typed),
            why="" if typed is None else typed.text("why"),
            shifts=[(name, name) for name in sorted(parts.shifts)],
            default_shift=parts.default_shift or "none",
            pin_digits=context.settings.entry.pin_digits,
            entry_enabled=context.settings.entry.enabled,
            **values,
        )

    @router.get("/admin/people/{person_id}")
    def person(request: Request, person_id: str, signed: Annotated[Signed, context.access.requires("supervisor", "hr")]) -> Response:
        return show(request, signed, person_id)

    router.include_router(changes_router(context, show))
    router.include_router(credentials_router(context, show))
    router.include_router(rights_router(context, show, receipts))
    return router


def person_of(store: Store, person_id: str) -> Person:
    """Raises RequestRefused (404)."""
    person = store.people.find(person_id)
    if person is None:
        raise RequestRefused(404, "no_person", f"nobody has the id {person_id[:64]!r} any more; People lists everybody")
    return person


def _typed(person: Person, form: Fields | None) -> dict[str, str]:
    """The fields of the details: as they were typed, where something was wrong with them."""
    stands = {
        "name": person.name,
        "valid_from": "" if person.valid_from is None else person.valid_from.isoformat(),
        "valid_until": "" if person.valid_until is None else person.valid_until.isoformat(),
        "groups": ", ".join(person.groups),
    }
    return stands if form is None or not form.ticked("name") else {name: form.text(name) for name in stands}
