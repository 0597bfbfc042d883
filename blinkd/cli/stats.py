"""The verb stats: figures for a dashboard."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from blinkd.attendance.reports.payroll import hours
from blinkd.attendance.reports.report import Site
from blinkd.attendance.reports.stats import MONTH, WEEK, Arrival, Today, Trend, busiest, needed, today, trend
from blinkd.attendance.reports.totals import Totals
from blinkd.attendance.reports.trend import Figures
from blinkd.attendance.reports.watermark import listed
from blinkd.cli.making import marks, own, site_of
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.clock import Instant
from blinkd.parts import Parts
from blinkd.store.database import Store
from blinkd.store.rosters import Known

BUSIEST = 5  # hours named in words
NAMED = 20  # people named in words; JSON has more


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("stats")(stats)


def stats(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Today: who is in, late, absent so far; the last seven and thirty days; the busiest hours.

    The JSON: {"at", "date", "zone", "today": {"expected", "came", "in_now", "absent_so_far", "late", "early" (numbers of people or
    attendances), "late_arrivals" and "early_leaves": [{"person_id", "name", "time", "minutes"}] (newest first, 200 at most), "worked_s",
    "final", "why": [...]}, "trends": {"7": {"first", "last", "present", "half_day", "late", "absent", "worked_s" (means a day), "before":
    the same of the days before, or null}, "30": ...}, "days": [{"date", "present", "half_day", "late", "absent", "worked_s"}],
    "busiest_hours": [24 numbers of punches, of the thirty days and today], "uncertain": [numbers of punches], "disowned": [...]}
    """
    parts = Parts(context.obj)
    now = parts.clock.now()
    with parts.open_store(read_only=not own(parts.settings), repair=False) as store:
        site = site_of(parts, store)
        found = now_of(site, store, now)
        figures = Figures(store.book, store.rosters, store.day_totals, site.rota, now).of(
            found.date - timedelta(days=MONTH), found.date - timedelta(days=1)
        )
        known = store.rosters.known(sorted({one.subject for one in (*found.late, *found.early)}))
    trends = [trend(figures, found.date, length) for length in (WEEK, MONTH)]
    busy = tuple(map(sum, zip(busiest(figures), found.busy, strict=True)))
    if as_json:
        print_json(
            {"at": now.utc.astimezone(site.zone).isoformat(timespec="seconds"), "date": found.date.isoformat(), "zone": site.zone.key}
            | {"today": _today(found, known, site.zone), "trends": {str(one.length): _trend(one) for one in trends}}
            | {"days": [{"date": day.isoformat()} | _figures(one.totals) for day, one in figures.items()], "busiest_hours": list(busy)}
            | {"uncertain": found.uncertain, "disowned": found.disowned}
        )
        return
    _show(found, trends, busy, known, site.zone)


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


def _today(found: Today, known: dict[int, Known], zone: ZoneInfo) -> dict[str, Any]:
    def people(arrivals: list[Arrival]) -> list[dict[str, Any]]:
        return [
            {
                "person_id": known[one.subject].person_id,
                "name": known[one.subject].name,
                "time": one.utc.astimezone(zone).isoformat(timespec="seconds"),
                "minutes": one.minutes,
            }
            for one in arrivals
        ]

    return {
        "expected": found.expected,
        "came": found.came,
        "in_now": found.in_now,
        "absent_so_far": found.absent_so_far,
        "late": found.totals.late,
        "early": found.totals.early,
        "late_arrivals": people(found.late),
        "early_leaves": people(found.early),
        "worked_s": found.totals.worked_s,
        "final": found.state.final,
        "why": list(found.state.why),
    }


def _show(found: Today, trends: list[Trend], busy: tuple[int, ...], known: dict[int, Known], zone: ZoneInfo) -> None:
    out = console()
    came = f"{found.came} of {found.expected} expected" if found.came <= found.expected else f"{found.came}, {found.expected} expected"
    out.print(f"{found.date}: {came} came, {found.in_now} in now, {found.absent_so_far} absent so far")
    for what, arrivals, number in (("late", found.late, found.totals.late), ("left early", found.early, found.totals.early)):
        out.print(f"{what}: {number}")
        for one in arrivals[:NAMED]:
            name = known[one.subject].name or known[one.subject].person_id
            out.print(f"  {one.utc.astimezone(zone):%H:%M}  {name}, {one.minutes} min", markup=False)
        if len(arrivals) > NAMED:
            out.print(f"  and {number - NAMED} more")
    table = Table("a day, on average", "present", "half day", "late", "absent", "hours")
    for long in trends:
        for name, sums in ((f"last {long.length} days", long.totals), (f"the {long.length} before", long.before)):
            if sums is not None:
                counts = [f"{getattr(sums, what) / long.length:.1f}" for what in ("present", "half_day", "late", "absent")]
                table.add_row(name, *counts, str(hours(sums.worked_s // long.length, "hhmm")))
    out.print(table)
    top = sorted(((number, hour) for hour, number in enumerate(busy) if number), reverse=True)[:BUSIEST]
    out.print(f"busiest hours: {', '.join(f'{hour:02d} ({number} punches)' for number, hour in top) or 'none'}")
    for seqs, what in ((found.uncertain, "of uncertain time that may be today's"), (found.disowned, "disowned, waiting for a supervisor")):
        if seqs:
            out.print(f"{len(seqs)} punch(es) {what}: {listed(seqs)}")
    for why in found.state.why:
        out.print(f"provisional: {why}", markup=False)
