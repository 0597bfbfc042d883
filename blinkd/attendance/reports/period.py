"""The days that a report is about."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Kind = Literal["day", "week", "month"]

FIRST_DATE, LAST_DATE = date(1970, 1, 1), date(2099, 12, 31)  # no punch lies outside, whatever a clock shows
DAYS_OF_WEEK = 7
MONTH_LETTERS = len("2026-03")


@dataclass(frozen=True, slots=True)
class Period:
    """Local dates of the site, both included."""

    kind: Kind
    first: date
    last: date

    def days(self) -> Iterator[date]:
        """Every date of it."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)

    def before(self, today: date) -> "Period":
        """What a trend is measured against.

        A week and a month: the one before; while it still runs, as many days of the one before as have begun. A day: the same weekday of
        the week before, for a Monday is not to be measured by a Sunday.
        """
        begun = min(self.last, max(today, self.first)) - self.first
        if self.kind == "day":
            first = last = self.first - timedelta(days=DAYS_OF_WEEK)
        elif self.kind == "week":
            first = self.first - timedelta(days=DAYS_OF_WEEK)
            last = first + begun
        else:
            end = self.first - timedelta(days=1)
            first = end.replace(day=1)
            last = min(first + begun, end) if today <= self.last else end
        return Period(self.kind, first, last)


def period_of(kind: Kind, text: str | None, today: date) -> Period:
    """The day, ISO week or month that a text names: a date, or for a month also 2026-03; None: the one that today lies in.

    Raises ValueError, in words, for a text that is no date and for years before 1970 or after 2099.
    """
    day = today if text is None else _date(kind, text.strip())
    if not FIRST_DATE <= day <= LAST_DATE:  # the calendar itself ends soon after the year 9999
        raise ValueError(f"{day}: reports go from 1970 to 2099; check the year")
    if kind == "day":
        first = last = day
    elif kind == "week":
        first = day - timedelta(days=day.weekday())
        last = first + timedelta(days=DAYS_OF_WEEK - 1)
    else:
        first = day.replace(day=1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    if first < FIRST_DATE or last > LAST_DATE:
        raise ValueError(f"{day}: reports go from 1970 to 2099; check the year")
    return Period(kind, first, last)


def _date(kind: Kind, text: str) -> date:
    whole = f"{text}-01" if kind == "month" and len(text) == MONTH_LETTERS else text
    try:
        return date.fromisoformat(whole)
    except ValueError:
        forms = "2026-03 or 2026-03-31" if kind == "month" else "2026-03-31"
        raise ValueError(f"{text!r} is no date; write it like {forms}") from None
