"""One punch, what was said of it, and a supervisor's corrections; what was recorded stays visible."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.attendance.imports import aware
from blinkd.attendance.punch import Direction
from blinkd.attendance.supervisor import LONGEST_WHY, Supervisor
from blinkd.errors import NotAllowed, RequestRefused, StoreError, UnknownPerson
from blinkd.store.punch_pages import WantedPunches
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.forms import Fields
from blinkd.web.admin.logs.lines import STATUS_WORDS, Line, line_of
from blinkd.web.admin.signed import Signed
from blinkd.web.admin.wording import plain

BIGGEST = 2**63 - 2
KEEP = ("", "as it stands")
DONE = {"void": "voided", "uphold": "upheld", "amend": "amended"}


def corrections_router(context: AdminContext) -> APIRouter:
    """The routes."""
    router = APIRouter(include_in_schema=False)

    def show(request: Request, signed: Signed, seq: int, problem: str = "", typed: Fields | None = None) -> Response:
        return context.render(
            request,
            "admin/punch.html",
            signed,
            422 if problem else 200,
            line=_line(context, seq),
            problem=problem,
            typed={name: "" if typed is None else typed.text(name) for name in ("why", "time", "status", "what")},
            statuses=[KEEP, *STATUS_WORDS.items()],
            longest=LONGEST_WHY,
        )

    def adding(request: Request, signed: Signed, typed: dict[str, str], problem: str = "") -> Response:
        return context.render(
            request,
            "admin/punch_add.html",
            signed,
            422 if problem else 200,
            problem=problem,
            typed=typed,
            statuses=list(STATUS_WORDS.items()),
            longest=LONGEST_WHY,
        )

    @router.get("/admin/logs/add")
    def asked(request: Request, signed: Annotated[Signed, context.access.requires("supervisor")]) -> Response:
        return adding(request, signed, {"person": request.query_params.get("person", "")[:64], "time": "", "status": "", "why": ""})

    @router.post("/admin/logs/add")
    def add(request: Request, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        form, signed = posted.form, posted.signed
        typed = {name: form.text(name) for name in ("person", "time", "status", "why")}
        try:
            with context.store() as store, store.transaction():
                when, status = moment(typed["time"], context.settings.terminal.zone), direction(typed["status"])
                if when is None or status is None:
                    raise NotAllowed("say when it was, and what it was")
                seq = _supervisor(context, signed)(store.book).add(typed["person"], when, status, typed["why"])
                context.audit.done(signed, "log.add", f"punch {seq}, {typed['person']}")
        except StoreError:
            raise
        except (NotAllowed, UnknownPerson) as error:
            return adding(request, signed, typed, plain(error))
        return context.go(f"/admin/logs/{seq}", signed, "ok", f"Punch {seq} was added.")

    @router.get("/admin/logs/{seq:int}")
    def punch(request: Request, seq: int, signed: Annotated[Signed, context.access.requires("supervisor", "hr")]) -> Response:
        return show(request, signed, seq)

    @router.post("/admin/logs/{seq:int}/correct")
    def correct(request: Request, seq: int, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        form, signed = posted.form, posted.signed
        what, why = form.text("what"), form.text("why")
        _line(context, seq)  # said plainly where there is none
        try:
            with context.store() as store, store.transaction():
                boss = _supervisor(context, signed)(store.book)
                if what == "void":
                    entry = boss.void(seq, why)
                elif what == "uphold":
                    entry = boss.uphold(seq, why)
                elif what == "amend":
                    entry = boss.amend(seq, why, moment(form.text("time"), context.settings.terminal.zone), direction(form.text("status")))
                else:
                    raise NotAllowed("choose what to do with the punch")
                context.audit.done(signed, f"log.{what}", f"punch {seq}, entry {entry}")
        except StoreError:
            raise
        except (NotAllowed, UnknownPerson) as error:
            return show(request, signed, seq, plain(error), form)
        return context.go(f"/admin/logs/{seq}", signed, "ok", f"Punch {seq} was {DONE[what]}.")

    return router


def _supervisor(context: AdminContext, signed: Signed) -> Callable[..., Supervisor]:
    return lambda book: Supervisor(book, context.clock, signed.operator.name)


def _line(context: AdminContext, seq: int) -> Line:
    """Raises RequestRefused (404)."""
    if 0 < seq <= BIGGEST:
        with context.store() as store:
            page = store.punch_pages.page(WantedPunches(before=seq + 1), context.settings.terminal.id, most=1)
        if page.lines and page.lines[0]["seq"] == seq:
            return line_of(page.lines[0])
    raise RequestRefused(404, "no_punch", f"number {seq} is no punch of this terminal; Logs has them all")


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """UTC of a site's local time as a browser writes it; None for none. Raises NotAllowed."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise NotAllowed(f"{text[:40]!r} is no time; write it like 2026-03-31T08:30") from None
    try:
        return aware(when, zone)
    except ValueError as error:
        raise NotAllowed(str(error)) from None


def direction(text: str) -> Direction | None:
    """What a punch was; None for none. Raises NotAllowed."""
    if not text:
        return None
    try:
        return Direction(text)
    except ValueError:
        raise NotAllowed("choose In or Out") from None
