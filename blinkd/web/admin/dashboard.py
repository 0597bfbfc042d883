"""The first screen of supervisors and HR: today, who is in, who came late, and how the last weeks went."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blinkd.attendance.reports.payroll import hours
from blinkd.attendance.reports.totals import Totals
from blinkd.office.making import site_of
from blinkd.office.overview import Overview, overview
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.signed import Signed

NAMED = 50  # people in each list; the others are counted, and People and Logs have them all


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list of people. when: aware; minutes: late, or early."""

    person_id: str
    name: str
    known: bool
    when: datetime
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Average:
    """Means of a day over some days; hours as H:MM."""

    title: str
    present: float
    half_day: float
    late: float
    absent: float
    hours: str


def dashboard_router(context: AdminContext) -> APIRouter:
    """The route."""
    router = APIRouter(include_in_schema=False)

    @router.get("/admin/dashboard")
    def dashboard(request: Request, signed: Annotated[Signed, context.access.requires("supervisor", "hr")]) -> HTMLResponse:
        parts = context.parts
        with context.store() as store:
            found = overview(site_of(parts, store), store, context.clock.now())
            disowned = found.today.disowned
        return context.render(
            request,
            "admin/dashboard.html",
            signed,
            found=found,
            today=found.today,
            inside=[_row(found, one.subject, one.since) for one in found.today.inside[:NAMED]],
            late=[_row(found, one.subject, one.utc, one.minutes) for one in found.today.late[:NAMED]],
            early=[_row(found, one.subject, one.utc, one.minutes) for one in found.today.early[:NAMED]],
            averages=list(_averages(found)),
            hours=[(f"{hour:02}", count) for hour, count in enumerate(found.busy)],
            worked=str(hours(found.today.totals.worked_s, "hhmm")),
            disowned=disowned,
            uncertain=found.today.uncertain,
        )

    return router


def _row(found: Overview, subject: int, when: datetime, minutes: int | None = None) -> Row:
    known = found.known[subject]
    return Row(known.person_id, known.name or known.person_id, known.name is not None, when, minutes)


def _averages(found: Overview) -> list[Average]:
    rows = []
    for one in found.trends:
        rows.append(_average(f"Last {one.length} days", one.totals, one.length))
        if one.before is not None:
            rows.append(_average(f"The {one.length} before", one.before, one.length))
    return rows


def _average(title: str, sums: Totals, days: int) -> Average:
    present, half_day, late, absent = (round(number / days, 1) for number in (sums.present, sums.half_day, sums.late, sums.absent))
    return Average(title, present, half_day, late, absent, str(hours(sums.worked_s // days, "hhmm")))
