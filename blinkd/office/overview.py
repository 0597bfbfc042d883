"""Figures for a dashboard: today, the last seven and thirty days, the busiest hours."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from blinkd.attendance.reports.report import Site
from blinkd.attendance.reports.stats import MONTH, WEEK, Arrival, Today, Trend, busiest, needed, today, trend
from blinkd.attendance.reports.totals import Totals
from blinkd.attendance.reports.trend import DayFigures, Figures
from blinkd.clock import Instant
from blinkd.office.making import marks
from blinkd.store.database import Store
from blinkd.store.rosters import Known


@dataclass(frozen=True, slots=True)
class Overview:
    """trends: of WEEK and MONTH days; days: of the last month, oldest first; busy: punches in each hour, of the month and today; known:
    whom the subjects of late arrivals, early leaves and who is in stand for.
    """  # fmt: skip

    now: Instant
    zone: ZoneInfo
    today: Today
    trends: tuple[Trend, ...]
    days: dict[date, DayFigures]
    busy: tuple[int, ...]
    known: dict[int, Known]

    def as_json(self) -> dict[str, Any]:
        """See `blinkd stats --help`."""
        found = self.today
        return (
            {
                "at": self.now.utc.astimezone(self.zone).isoformat(timespec="seconds"),
                "date": found.date.isoformat(),
                "zone": self.zone.key,
                "today": self._today(),
                "trends": {str(one.length): _trend(one) for one in self.trends},
                "days": [{"date": day.isoformat()} | _figures(one.totals) for day, one in self.days.items()],
                "busiest_hours": list(self.busy),
            }
            | {"uncertain": found.uncertain}
            | {"disowned": found.disowned}
        )

    def _today(self) -> dict[str, Any]:
        found = self.today
        return {
            "expected": found.expected,
            "came": found.came,
            "in_now": found.in_now,
            "absent_so_far": found.absent_so_far,
            "late": found.totals.late,
            "early": found.totals.early,
            "late_arrivals": self._people(found.late),
            "early_leaves": self._people(found.early),
            "worked_s": found.totals.worked_s,
            "final": found.state.final,
            "why": list(found.state.why),
        }

    def _people(self, arrivals: list[Arrival]) -> list[dict[str, Any]]:
        return [
            {
                "person_id": self.known[one.subject].person_id,
                "name": self.known[one.subject].name,
                "time": one.utc.astimezone(self.zone).isoformat(timespec="seconds"),
                "minutes": one.minutes,
            }
            for one in arrivals
        ]


def overview(site: Site, store: Store, now: Instant) -> Overview:
    """Count. Days that are over are counted once and kept, where the store may be written."""
    found = now_of(site, store, now)
    figures = Figures(store.book, store.rosters, store.day_totals, site.rota, now).of(
        found.date - timedelta(days=MONTH), found.date - timedelta(days=1)
    )
    named = {one.subject for one in (*found.late, *found.early)} | {one.subject for one in found.inside}
    known = store.rosters.known(sorted(named))
    busy = tuple(map(sum, zip(busiest(figures), found.busy, strict=True)))
    return Overview(now, site.zone, found, tuple(trend(figures, found.date, length) for length in (WEEK, MONTH)), figures, busy, known)


def now_of(site: Site, store: Store, now: Instant) -> Today:
    """Today's figures alone."""
    first, since, until = needed(site, now)
    day = now.utc.astimezone(site.zone).date()
    roster = store.rosters.roster(first, day, site.zone)
    return today(store.book.stamps(since, until), roster, site, marks(store, site), now)


def _figures(totals: Totals, days: int = 1) -> dict[str, float]:
    sums = totals.as_dict()
    return {
        name: sums[name] if days == 1 else round(sums[name] / days, 2) for name in ("present", "half_day", "late", "absent", "worked_s")
    }


def _trend(one: Trend) -> dict[str, Any]:
    before = None if one.before is None else _figures(one.before, one.length)
    return {"first": one.first.isoformat(), "last": one.last.isoformat()} | _figures(one.totals, one.length) | {"before": before}
