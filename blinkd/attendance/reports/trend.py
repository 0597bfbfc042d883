"""What each of many days came to: of days that are over from what is kept, of the others by counting."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np

import blinkd
from blinkd.attendance.reports.roster import Longs, Punched, Roster, counted, dates, pick
from blinkd.attendance.reports.span import DaySpan, span_of
from blinkd.attendance.reports.totals import Totals, whole
from blinkd.attendance.shifts.rota import Rota
from blinkd.clock import Instant, microseconds

AT_ONCE = 5  # days counted in one go: few queries, and short enough that seldom somebody punches meanwhile
QUARTER_US = 15 * 60 * 1_000_000  # clocks change by quarters of an hour at the finest
HOURS = 24


@dataclass(frozen=True, slots=True)
class DayFigures:
    """Of one local date. busy: punches in each hour of the wall clock, 24 of them; one that comes twice counts both times."""

    totals: Totals
    busy: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"totals": self.totals.as_dict(), "busy": list(self.busy)}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "DayFigures":
        """From `as_dict`."""
        return cls(Totals.of(value["totals"]), tuple(value["busy"]))


class Book(Protocol):
    """Where punches are."""

    def stamps(self, since_us: int | None, until_us: int | None, subject: int | None = None) -> Punched:
        """Those of a span, by time, as they stand."""


class People(Protocol):
    """Who is expected."""

    def roster(self, first: date, last: date, zone: ZoneInfo) -> Roster:
        """Between two local dates, both included."""


class Kept(Protocol):
    """Figures of days that are over."""

    def version(self) -> int:
        """Changes when somebody else writes."""

    def read(self, wanted: Mapping[date, tuple[DaySpan, str]]) -> dict[date, DayFigures]:
        """Those that still hold: span and fingerprint are the same, and nothing of the day has changed."""

    def keep(self, version: int, figures: Iterable[tuple[DaySpan, str, DayFigures]]) -> None:
        """Keep them, unless somebody has written since `version`."""


class Figures:
    """Counts days, and keeps what past ones came to."""

    def __init__(self, book: Book, people: People, kept: Kept, rota: Rota, now: Instant) -> None:
        self._book = book
        self._people = people
        self._kept = kept
        self._rota = rota
        self._now = now
        self._base = _plain([blinkd.__version__, rota.zone.key, rota.default, dict(rota.shifts)])

    def of(self, first: date, last: date) -> dict[date, DayFigures]:
        """Of every date between two, both included."""
        spans = {day: span_of(self._rota, day) for day in dates(first, last)}
        # with a clock that may be wrong nobody knows which days are over
        over = {
            day: (span, self._fingerprint(day))
            for day, span in spans.items()
            if self._now.confidence != "unsynced" and span.until <= self._now.utc
        }
        found = self._kept.read(over)
        lacking = [day for day in spans if day not in found]
        for _, run in groupby(enumerate(lacking), key=lambda pair: pair[1].toordinal() - pair[0]):
            days = [day for _, day in run]
            for start in range(0, len(days), AT_ONCE):
                some = days[start : start + AT_ONCE]
                version = self._kept.version()
                new = self._count([spans[day] for day in some])
                self._kept.keep(version, [(*over[day], new[day]) for day in some if day in over])
                found |= new
        return {day: found[day] for day in spans}

    def _count(self, spans: list[DaySpan]) -> dict[date, DayFigures]:
        first, last = spans[0].date, spans[-1].date
        since, until = min(span.since for span in spans), max(span.until for span in spans)
        punched = self._book.stamps(microseconds(since), microseconds(until))
        roster = self._people.roster(first, last, self._rota.zone)
        days = counted(punched, roster, self._rota, first, last, microseconds(self._now.utc))
        return {
            span.date: DayFigures(whole(pick(days, days.day == span.date.toordinal())), busy_hours(punched.us, span.date, self._rota.zone))
            for span in spans
        }

    def _fingerprint(self, day: date) -> str:
        """Of all that the figures follow from, but for the book and the people: a change of these drops them by the schema's triggers.

        The neighbours' holidays belong to it, for where a shift falls away the windows of those beside it may reach further.
        """
        holidays = [self._rota.holidays.name(day + timedelta(days=off)) for off in (-1, 0, 1)]
        return hashlib.sha256(json.dumps([self._base, holidays]).encode()).hexdigest()


def busy_hours(us: Longs, day: date, zone: ZoneInfo) -> tuple[int, ...]:
    """How many of the times (microseconds since 1970, int64) lie in each hour of a local date."""
    begin, end = (datetime.combine(one, datetime.min.time(), tzinfo=zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    start, stop = microseconds(begin), microseconds(end)
    counts = np.bincount((us[(us >= start) & (us < stop)] - start) // QUARTER_US)
    hours = [0] * HOURS
    for quarter, count in enumerate(counts.tolist()):
        hours[(begin + timedelta(microseconds=quarter * QUARTER_US)).astimezone(zone).hour] += count
    return tuple(hours)


def _plain(value: Any) -> Any:  # noqa: ANN401  any value of the settings
    """The same for the same settings in every process: sets lie in an order of their own."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in sorted(value.items())}
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value)
