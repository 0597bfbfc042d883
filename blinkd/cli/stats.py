"""The verb stats: figures for a dashboard."""

import typer
from rich.table import Table

from blinkd.attendance.reports.payroll import hours
from blinkd.attendance.reports.watermark import listed
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.office.making import own, site_of
from blinkd.office.overview import Overview, overview
from blinkd.parts import Parts

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
        found = overview(site_of(parts, store), store, now)
    if as_json:
        print_json(found.as_json())
        return
    _show(found)


def _show(of: Overview) -> None:
    out, found, known, zone = console(), of.today, of.known, of.zone
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
    for long in of.trends:
        for name, sums in ((f"last {long.length} days", long.totals), (f"the {long.length} before", long.before)):
            if sums is not None:
                counts = [f"{getattr(sums, what) / long.length:.1f}" for what in ("present", "half_day", "late", "absent")]
                table.add_row(name, *counts, str(hours(sums.worked_s // long.length, "hhmm")))
    out.print(table)
    top = sorted(((number, hour) for hour, number in enumerate(of.busy) if number), reverse=True)[:BUSIEST]
    out.print(f"busiest hours: {', '.join(f'{hour:02d} ({number} punches)' for number, hour in top) or 'none'}")
    for seqs, what in ((found.uncertain, "of uncertain time that may be today's"), (found.disowned, "disowned, waiting for a supervisor")):
        if seqs:
            out.print(f"{len(seqs)} punch(es) {what}: {listed(seqs)}")
    for why in found.state.why:
        out.print(f"provisional: {why}", markup=False)
