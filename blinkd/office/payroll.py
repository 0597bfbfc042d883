"""Hours of a period as a file for payroll, which refuses days that may still change."""

from datetime import date, timedelta

from blinkd.attendance.reports.lines import lines
from blinkd.attendance.reports.payroll import HourForm, Layout
from blinkd.attendance.reports.period import Period
from blinkd.attendance.reports.report import Report
from blinkd.attendance.reports.sheet import table
from blinkd.attendance.shifts.hours import DayStatus
from blinkd.errors import ReportRefused
from blinkd.office.making import Made

SHOWN = 10  # days in one refusal


def payroll_period(since: date | None, until: date | None, today: date) -> Period:
    """The dates given; without any the last month that is over, with one the rest of its month. Raises ValueError, in words."""
    if since is None and until is None:
        until = today.replace(day=1) - timedelta(days=1)
    first = since if since is not None else (until or today).replace(day=1)
    last = until if until is not None else (first.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    if last < first:
        raise ValueError(f"{first} is after {last}; swap them")
    return Period("month", first, last)


def refuse_provisional(report: Report, remedy: str) -> None:
    """Raise ReportRefused, naming the days and why, while one of them is provisional. remedy: how to have them all the same."""
    days = report.provisional
    if not days:
        return
    whole = "\n".join(f"  {state.date}: {'; '.join(state.why)}" for state in days[:SHOWN])
    more = f"\n  and {len(days) - SHOWN} more" if len(days) > SHOWN else ""
    raise ReportRefused(f"{len(days)} day(s) are provisional and may still change:\n{whole}{more}\nmend that, or {remedy}")


def payroll_csv(made: Made, wanted: Layout, groups: dict[int, tuple[str, ...]], form: HourForm, *, bom: bool) -> bytes:
    """The table; what is still to come is nobody's hours."""
    past = (line for line in lines(made.report, made.known) if line.status != DayStatus.FUTURE.name)
    return table(wanted.titles, wanted.rows(past, groups, form), bom=bom)
