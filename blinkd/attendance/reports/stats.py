"""Figures for a dashboard: who is in now, who came late, and how the last weeks went."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from blinkd.attendance.reports.report import Site, Standing
from blinkd.attendance.reports.roster import Roster, came, counted, distinct, pick
from blinkd.attendance.reports.span import span_of
from blinkd.attendance.reports.totals import Totals, whole
from blinkd.attendance.reports.trend import HOURS, DayFigures, busy_hours
from blinkd.attendance.reports.watermark import DayState, Watch, Watermark
from blinkd.attendance.shifts.hours import Days, DayStatus
from blinkd.attendance.shifts.shift import shift_day
from blinkd.clock import Instant, microseconds, moment_of

WEEK, MONTH = 7, 30  # days of the trends
LISTED = 200  # late arrivals and early leaves that are named: more than a wall of screens shows
MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who came late or left early. utc: aware; minutes: whole ones after the start, or before the end."""

    subject: int
    utc: datetime
    minutes: int


@dataclass(frozen=True, slots=True)
class Presence:
    """Somebody who is in. since: aware, when they came."""

    subject: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Today:
    """expected: people with a shift today; came: people who punched in; in_now: whose last punch is a check-in of a shift that still runs, of
    yesterday's night shift too; absent_so_far: expected, their shift has begun and they have not come; late, early, inside: the newest first,
    at most LISTED; totals: as reports say.
    """  # fmt: skip

    date: date
    expected: int
    came: int
    in_now: int
    absent_so_far: int
    late: list[Arrival]
    early: list[Arrival]
    inside: list[Presence]
    totals: Totals
    busy: tuple[int, ...]
    uncertain: list[int]
    disowned: list[int]
    state: DayState


@dataclass(frozen=True, slots=True)
class Trend:
    """Sums over the last days before today. length: how many days; first, last: both included; before: of as many days before these, None
    where that is not looked at.
    """  # fmt: skip

    length: int
    first: date
    last: date
    totals: Totals
    before: Totals | None


def needed(site: Site, now: Instant) -> tuple[date, int, int]:
    """Of what `today` must be given: the earliest date, and from when to when punches (microseconds since 1970, the end excluded).

    Yesterday belongs to it while one of its shifts runs on.
    """
    today_ = now.utc.astimezone(site.zone).date()
    span, before = span_of(site.rota, today_), span_of(site.rota, today_ - timedelta(days=1))
    first = before if before.until > now.utc else span
    # what a clock that ran ahead recorded has not happened yet
    until = span.until if now.confidence == "unsynced" else min(span.until, now.utc + timedelta(microseconds=1))
    return first.date, microseconds(first.since), microseconds(until)


def today(punched: Standing, roster: Roster, site: Site, reported: Mapping[str, Watermark], now: Instant) -> Today:
    """Count today. punched, roster: of `needed`."""
    first, day = needed(site, now)[0], now.utc.astimezone(site.zone).date()
    both = counted(punched, roster, site.rota, first, day, microseconds(now.utc))
    days = pick(both, both.day == day.toordinal())
    span = span_of(site.rota, day)
    inside = (punched.us >= microseconds(span.since)) & (punched.us < microseconds(span.until))
    disowned = np.isin(punched.seq, np.array(punched.disowned, np.int64)) if punched.disowned else np.zeros(len(inside), bool)
    waiting = [(int(seq), moment_of(int(us))) for seq, us in zip(punched.seq[disowned], punched.us[disowned], strict=True)]
    watch = Watch(site.here, site.others, reported, now, site.zone, punched.uncertain, waiting)
    present = came(days)
    return Today(
        day,
        expected=len(distinct(days.subject[days.expected_s > 0])),
        came=len(distinct(days.subject[present])),
        in_now=len(distinct(both.subject[both.status == DayStatus.OPEN])),
        absent_so_far=len(distinct(days.subject[_begun(days, site, day, now) & ~present])),
        late=_newest(days.subject, days.first_in, days.late_s),
        early=_newest(days.subject, days.last_out, days.early_s),
        inside=_inside(both),
        totals=whole(days),
        busy=busy_hours(punched.us, day, site.zone),
        uncertain=[one.seq for one in punched.uncertain],
        disowned=sorted(seq for seq, utc in waiting if span.since <= utc < span.until),
        state=watch.state(span),
    )


def trend(figures: Mapping[date, DayFigures], day: date, length: int) -> Trend:
    """The `length` days before a date, and as many before these where figures has them."""
    first, last = day - timedelta(days=length), day - timedelta(days=1)
    now = [one.totals for date_, one in figures.items() if first <= date_ <= last]
    earlier = [one.totals for date_, one in figures.items() if first - timedelta(days=length) <= date_ < first]
    return Trend(length, first, last, sum(now, Totals()), sum(earlier, Totals()) if len(earlier) == length else None)


def busiest(figures: Mapping[date, DayFigures]) -> tuple[int, ...]:
    """Punches in each hour of the wall clock over all the days."""
    return tuple(sum(one.busy[hour] for one in figures.values()) for hour in range(HOURS))


def _begun(days: Days, site: Site, day: date, now: Instant) -> npt.NDArray[np.bool_]:
    """Of each row whether its shift has begun; rows without one have none."""
    begun = np.zeros(len(days.shift_names) + 1, bool)  # the last place is that of -1
    for number, name in enumerate(days.shift_names):
        shift = site.rota.shifts.get(name)
        begun[number] = shift is not None and shift_day(shift, day, site.zone).start.astimezone(UTC) <= now.utc
    return begun[days.shift]


def _inside(days: Days) -> list[Presence]:
    """Each person once, by the newest of the shifts that run."""
    since: dict[int, int] = {}
    for at in np.flatnonzero(days.status == DayStatus.OPEN).tolist():
        subject = int(days.subject[at])
        since[subject] = max(since.get(subject, 0), int(days.first_in[at]))
    newest = sorted(since.items(), key=lambda one: (-one[1], one[0]))[:LISTED]
    return [Presence(subject, moment_of(us)) for subject, us in newest]


def _newest(subject: npt.NDArray[np.int64], us: npt.NDArray[np.int64], seconds: npt.NDArray[np.integer]) -> list[Arrival]:
    places = np.flatnonzero(seconds > 0)
    places = places[np.argsort(-us[places], kind="stable")][:LISTED]
    return [Arrival(int(subject[at]), moment_of(int(us[at])), int(seconds[at]) // MINUTE_S) for at in places]
