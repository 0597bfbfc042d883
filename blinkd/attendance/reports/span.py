"""What belongs to a local date: from its midnight to the next, and as far beyond as windows of its shifts reach."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from blinkd.attendance.shifts.rota import Rota
from blinkd.attendance.shifts.shift import shift_day


@dataclass(frozen=True, slots=True)
class DaySpan:
    """since, until: aware UTC; every punch that can count for the date has since <= time < until."""

    date: date
    since: datetime
    until: datetime


def span_of(rota: Rota, day: date) -> DaySpan:
    """The span of a date; an overnight shift takes it into the next one. What a clock change skips or doubles is read as shifts read it."""
    since, until = (datetime.combine(one, time.min, tzinfo=rota.zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    for shift in rota.shifts.values():
        if day.weekday() in shift.weekdays:
            window = shift_day(shift, day, rota.zone)
            since, until = min(since, window.opens), max(until, window.closes)
    return DaySpan(day, since, until)
