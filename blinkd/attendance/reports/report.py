"""A report: what a period came to, of each person, each day and the site, and what of it is not yet sure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from blinkd.attendance.reports.period import Period
from blinkd.attendance.reports.roster import Longs, Punched, Roster, counted, dates, distinct, pick
from blinkd.attendance.reports.span import span_of
from blinkd.attendance.reports.totals import Totals, tally
from blinkd.attendance.reports.watermark import DayState, Doubt, Watch, Watermark
from blinkd.attendance.shifts.hours import Days
from blinkd.attendance.shifts.rota import Rota
from blinkd.clock import Instant, microseconds, moment_of


class Uncertain(Doubt, Protocol):
    """A punch whose time is not known, and whose it is."""

    @property
    def subject(self) -> int:
        """Whose."""

    @property
    def counted(self) -> bool:
        """Whether the recorded time counts until a better one is known."""


class Standing(Punched, Protocol):
    """Punches as they stand, and which of them to look at twice."""

    @property
    def uncertain(self) -> Sequence[Uncertain]:
        """Those that may lie in the span, counted or not."""

    @property
    def disowned(self) -> Sequence[int]:
        """Numbers of those that wait for a supervisor."""

    @property
    def corrected(self) -> Sequence[int]:
        """Numbers of those whose time a later look at the clock gave."""

    @property
    def amended(self) -> Sequence[int]:
        """Numbers of those that a supervisor changed or added."""


@dataclass(frozen=True, slots=True)
class Site:
    """What reports ask of the settings. here: this terminal's id; others: those of the same site."""

    here: str
    others: Sequence[str]
    rota: Rota

    @property
    def zone(self) -> ZoneInfo:
        """In which days are counted."""
        return self.rota.zone


@dataclass(frozen=True, slots=True)
class Marks:
    """How many punches are not as they were plainly recorded."""

    uncertain: int = 0
    disowned: int = 0
    corrected: int = 0
    amended: int = 0

    def words(self) -> list[str]:
        """As in "2 uncertain"."""
        return [f"{number} {name}" for name in self.__slots__ if (number := getattr(self, name))]


@dataclass(frozen=True, slots=True)
class PersonTotals:
    """One person's sums over the period."""

    subject: int
    totals: Totals
    marks: Marks


@dataclass(frozen=True, slots=True)
class Report:
    """before: what the period before came to, for comparison, and which dates that was; attendances: a row a person and shift, by date and
    person; marked: of each person and date, those of its punches to look at twice.
    """  # fmt: skip

    period: Period
    zone: ZoneInfo
    site: Totals
    before: tuple[Period, Totals]
    people: list[PersonTotals]
    days: list[tuple[DayState, Totals]]
    attendances: Days
    marked: Mapping[tuple[int, date], Marks]
    uncertain: Sequence[Uncertain]

    @property
    def provisional(self) -> list[DayState]:
        """The days that may still change."""
        return [state for state, _ in self.days if not state.final]


def make(
    period: Period,
    punched: Standing,
    roster: Roster,
    site: Site,
    reported: Mapping[str, Watermark],
    now: Instant,
    before: tuple[Period, Totals],
    only: Longs | None = None,
) -> Report:
    """Count a period. punched: of `span(period)` at least; only: subjects to which the report is limited, for a person or a group."""
    rota = site.rota
    days = counted(punched, roster, rota, period.first, period.last, microseconds(now.utc))
    uncertain = [one for one in punched.uncertain if only is None or one.subject in only]
    if only is not None:
        days = pick(days, np.isin(days.subject, only))
    subjects = distinct(np.concatenate((days.subject, np.array([one.subject for one in uncertain], np.int64))))
    marked = _marked(punched, subjects, uncertain, rota)
    by_person = _by_person(marked)
    sums = tally(days, np.searchsorted(subjects, days.subject), len(subjects))
    people = [
        PersonTotals(subject, totals, by_person.get(subject, Marks())) for subject, totals in zip(subjects.tolist(), sums, strict=True)
    ]
    all_dates = dates(period.first, period.last)
    each = tally(days, (days.day - period.first.toordinal()).astype(np.intp), len(all_dates))
    watch = Watch(site.here, site.others, reported, now, rota.zone, uncertain, _disowned(punched, subjects))
    states = [watch.state(span_of(rota, day)) for day in all_dates]
    return Report(period, rota.zone, sum(each, Totals()), before, people, list(zip(states, each, strict=True)), days, marked, uncertain)


def attention(one: PersonTotals) -> tuple[int, int, int]:
    """To sort by: those first whose punches are in doubt or lacking, then the absent, then the late."""
    doubts = one.marks.uncertain + one.marks.disowned + one.totals.missing_in + one.totals.missing_out
    return (-doubts, -one.totals.absent, -one.totals.late)


def span(period: Period, rota: Rota) -> tuple[int, int]:
    """From when to when punches can count for a period: microseconds since 1970, the end excluded."""
    spans = [span_of(rota, day) for day in dates(period.first, period.last)]
    return microseconds(min(one.since for one in spans)), microseconds(max(one.until for one in spans))


def _marked(punched: Standing, subjects: Longs, uncertain: Iterable[Uncertain], rota: Rota) -> dict[tuple[int, date], Marks]:
    """By the date of the shift that a punch belongs to."""
    counts: dict[tuple[int, date], Counter[str]] = {}

    def add(kind: str, subject: int, utc: datetime) -> None:
        placed = rota.placed(subject, utc)
        day = utc.astimezone(rota.zone).date() if placed is None else placed.date
        counts.setdefault((subject, day), Counter())[kind] += 1

    for kind, seqs in (("disowned", punched.disowned), ("corrected", punched.corrected), ("amended", punched.amended)):
        for _, who, us in _found(punched, seqs):
            if who in subjects:
                add(kind, who, moment_of(us))
    for one in uncertain:
        add("uncertain", one.subject, one.recorded)
    return {key: Marks(**found) for key, found in counts.items()}


def _by_person(marked: Mapping[tuple[int, date], Marks]) -> dict[int, Marks]:
    found: dict[int, Marks] = {}
    for (subject, _), marks in marked.items():
        old = found.get(subject, Marks())
        found[subject] = Marks(*(getattr(old, name) + getattr(marks, name) for name in Marks.__slots__))
    return found


def _disowned(punched: Standing, subjects: Longs) -> list[tuple[int, datetime]]:
    return [(seq, moment_of(us)) for seq, who, us in _found(punched, punched.disowned) if who in subjects]


def _found(punched: Punched, seqs: Sequence[int]) -> list[tuple[int, int, int]]:
    """Number, subject and time of the punches with these numbers."""
    if not seqs:
        return []
    places = np.flatnonzero(np.isin(punched.seq, np.array(seqs, np.int64)))
    return list(zip(punched.seq[places].tolist(), punched.subject[places].tolist(), punched.us[places].tolist(), strict=True))
