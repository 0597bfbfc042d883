"""Files to take along: the log as a table, and hours for payroll, which refuses days that may still change."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.attendance.reports.payroll import DEFAULT, HourForm, columns, layout
from blinkd.attendance.reports.sheet import Cell, table
from blinkd.errors import ReportRefused, RequestRefused, UnknownPerson
from blinkd.office.making import chosen, counted, site_of
from blinkd.office.payroll import payroll_csv, payroll_period, refuse_provisional
from blinkd.store.transcript import transcript
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.logs.filters import date_of, span_of
from blinkd.web.admin.signed import Signed
from blinkd.web.admin.wording import plain, sentence

MOST_DAYS = 400  # of one file: a year and the month that one is late with it
PLAIN = ("seq", "person_id", "name", "timestamp", "status", "punctuality", "minutes", "shift", "certainty", "state", "sync")
TITLES = (*PLAIN, "terminal", "method", "recorded_timestamp", "recorded_status", "corrections")
FIELDS = ("from", "to", "person", "group", "columns", "hours", "provisional")


def exports_router(context: AdminContext) -> APIRouter:
    """The routes."""
    router = APIRouter(include_in_schema=False)

    def show(request: Request, signed: Signed, typed: dict[str, str], problem: str = "", provisional: str = "") -> Response:
        with context.store() as store:
            groups = store.directory.groups()
        return context.render(
            request,
            "admin/export.html",
            signed,
            422 if problem or provisional else 200,
            typed=typed,
            problem=problem,
            provisional=provisional,
            groups=[("", "everybody"), *((one, one) for one in groups)],
            columns=[(name, column.means) for name, column in columns().items()],
            default=DEFAULT,
        )

    @router.get("/admin/logs/export")
    def form(request: Request, signed: Annotated[Signed, context.access.requires("supervisor", "hr")]) -> Response:
        period = payroll_period(None, None, context.clock.now().utc.astimezone(context.settings.terminal.zone).date())
        typed = dict.fromkeys(FIELDS, "") | {"from": period.first.isoformat(), "to": period.last.isoformat(), "columns": DEFAULT}
        return show(request, signed, typed)

    @router.post("/admin/logs/export")
    def payroll(request: Request, posted: Annotated[Posted, context.access.posted("hr")]) -> Response:
        typed = {name: posted.form.text(name) for name in FIELDS}
        try:
            content, first, last = _hours(context, typed)
        except (ReportRefused, UnknownPerson) as error:
            if isinstance(error, _Provisional):
                return show(request, posted.signed, typed, provisional=str(error))
            return show(request, posted.signed, typed, plain(error))
        except (ValueError, RequestRefused) as error:
            return show(request, posted.signed, typed, sentence(str(error)))
        context.audit.done(posted.signed, "export.payroll", f"{first} to {last}")
        return _file(content, f"hours-{first}-{last}.csv")

    @router.post("/admin/logs/export/punches")
    def punches(request: Request, posted: Annotated[Posted, context.access.posted("hr")]) -> Response:
        typed = {name: posted.form.text(name) for name in FIELDS}
        try:
            first, last = date_of(typed, "from"), date_of(typed, "to")
            if first is None or last is None:
                raise RequestRefused(422, "filter", "give the first and the last day")
            if last - first > timedelta(days=MOST_DAYS):
                raise RequestRefused(422, "filter", f"{first} to {last}: at most {MOST_DAYS} days go into one file")
            since, until = span_of(typed, context.settings.terminal.zone)
        except RequestRefused as error:
            return show(request, posted.signed, typed, sentence(str(error)))
        # a connection of its own: to write a year of punches takes longer than others should wait for the shared one
        with context.parts.open_store(read_only=True, repair=False) as store:
            names = {known.subject: known.name for known in store.people.all()}
            lines = transcript(store.book, context.settings.terminal.id, since, until, None, names)
            content = table(TITLES, (list(_cells(line)) for line in lines), bom=True)
        context.audit.done(posted.signed, "export.punches", f"{first} to {last}")
        return _file(content, f"punches-{first}-{last}.csv")

    return router


class _Provisional(ReportRefused):
    """Days may still change; they are given when asked for."""


def _hours(context: AdminContext, typed: dict[str, str]) -> tuple[bytes, date, date]:
    """Raises ReportRefused, UnknownPerson, RequestRefused, ValueError."""
    parts, now = context.parts, context.clock.now()
    wanted = layout(typed["columns"] or DEFAULT)
    form: HourForm = "hhmm" if typed["hours"] == "hhmm" else "decimal"
    period = payroll_period(date_of(typed, "from"), date_of(typed, "to"), now.utc.astimezone(context.settings.terminal.zone).date())
    if period.last - period.first > timedelta(days=MOST_DAYS):
        raise ReportRefused(f"{period.first} to {period.last}: at most {MOST_DAYS} days go into one file")
    if typed["person"] and typed["group"]:
        raise ReportRefused("choose a person or a group, not both")
    with parts.open_store(read_only=True, repair=False) as store:
        only = chosen(store, typed["person"] or None, typed["group"] or None)
        made = counted(site_of(parts, store), store, period, now, only, compare=False)
        groups = store.rosters.groups()
    if not typed["provisional"]:
        try:
            refuse_provisional(made.report, "tick the box to have them all the same")
        except ReportRefused as error:
            raise _Provisional(str(error)) from None
    return payroll_csv(made, wanted, groups, form, bom=True), period.first, period.last


def _cells(line: dict[str, Any]) -> Iterator[Cell]:
    recorded = line["recorded"] or {}
    for title in (*PLAIN, "terminal", "method"):
        yield line[title]
    yield recorded.get("timestamp")
    yield recorded.get("status")
    yield "; ".join(f"{one['what']} by {one['by']}: {one['why'] or 'words erased'}" for one in line["corrections"])


def _file(content: bytes, name: str) -> Response:
    return Response(
        content,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
