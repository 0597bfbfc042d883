"""The verbs report day, week and month: who was there, how long, and how sure that is."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from blinkd.attendance.reports.lines import Line, in_order, lines
from blinkd.attendance.reports.payroll import hours
from blinkd.attendance.reports.period import Kind, period_of
from blinkd.attendance.reports.report import attention
from blinkd.attendance.reports.report_json import as_json as report_json
from blinkd.attendance.reports.report_json import trend
from blinkd.attendance.reports.sheet import table as sheet
from blinkd.attendance.reports.totals import NAMES, Totals
from blinkd.attendance.reports.watermark import runs
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.cli.whole_file import write_whole
from blinkd.office.making import Made, chosen, counted, own, site_of
from blinkd.parts import Parts

app = typer.Typer(no_args_is_help=True, help="Who was there, and how long: day, week, month.")

LISTED = 100  # lines of a table on a screen; files and JSON hold all

Day = Annotated[str | None, typer.Argument(metavar="DATE", help="A date in it, as 2026-03-31; for a month also 2026-03. Default: now.")]
PersonOption = Annotated[str | None, typer.Option("--person", metavar="ID", help="Only this person; of somebody deleted, the pseudonym.")]
GroupOption = Annotated[str | None, typer.Option("--group", metavar="NAME", help="Only the people of this group.")]
Csv = Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write a table for spreadsheets (- for standard output).")]
Pdf = Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="Write one page with figures and plots.")]
Png = Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Write the same as a picture.")]


@app.command("day")
def day(
    context: typer.Context,
    date: Day = None,
    person: PersonOption = None,
    group: GroupOption = None,
    csv: Csv = None,
    pdf: Pdf = None,
    png: Png = None,
    as_json: bool = JsonFlag,
) -> None:
    """One date: a line for everybody who came or was expected."""
    _report(context, "day", date, person, group, csv, pdf, png, as_json)


@app.command("week")
def week(
    context: typer.Context,
    date: Day = None,
    person: PersonOption = None,
    group: GroupOption = None,
    csv: Csv = None,
    pdf: Pdf = None,
    png: Png = None,
    as_json: bool = JsonFlag,
) -> None:
    """An ISO week, Monday to Sunday: sums of each person and the site."""
    _report(context, "week", date, person, group, csv, pdf, png, as_json)


@app.command("month")
def month(
    context: typer.Context,
    date: Day = None,
    person: PersonOption = None,
    group: GroupOption = None,
    csv: Csv = None,
    pdf: Pdf = None,
    png: Png = None,
    as_json: bool = JsonFlag,
) -> None:
    """A month: sums of each person and the site."""
    _report(context, "month", date, person, group, csv, pdf, png, as_json)


def _report(
    context: typer.Context,
    kind: Kind,
    text: str | None,
    person: str | None,
    group: str | None,
    csv: str | None,
    pdf: Path | None,
    png: Path | None,
    as_json: bool,
) -> None:
    if person is not None and group is not None:
        raise typer.BadParameter("give --person or --group, not both")
    if as_json and csv == "-":
        raise typer.BadParameter("--json and --csv - both want standard output; name a file for one of them")
    parts = Parts(context.obj)
    now = parts.clock.now()
    zone = parts.settings.terminal.zone
    try:
        period = period_of(kind, text, now.utc.astimezone(zone).date())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with parts.open_store(read_only=not own(parts.settings), repair=False) as store:
        made = counted(site_of(parts, store), store, period, now, chosen(store, person, group))
    each = kind == "day" or person is not None
    if csv is not None:
        write_whole(csv, _csv(made, each=each))
    for path, form in ((pdf, "pdf"), (png, "png")):
        if path is not None:
            from blinkd.attendance.reports.plots import page  # noqa: PLC0415  matplotlib, half a second that only this needs

            write_whole(str(path), page(made.report, made.known, form))
    if as_json:
        print_json(report_json(made.report, made.known, attendances=each))
    elif csv != "-":
        _show(made, each=each)


def _csv(made: Made, *, each: bool) -> bytes:
    report, known = made.report, made.known
    provisional = len(report.provisional)
    if each:
        titles = ["person_id", "name", "date", "shift", "status", "first_in", "last_out", "hours", "expected", "punctuality"]
        titles += ["uncertain", "final", "remarks"]
        return sheet(titles, (_row(line) for line in lines(report, known)))
    titles = ["person_id", "name", "first", "last", *NAMES, "uncertain", "disowned", "corrected", "amended", "provisional_days"]
    ends = (report.period.first.isoformat(), report.period.last.isoformat())
    return sheet(
        titles,
        (
            (
                known[one.subject].person_id,
                known[one.subject].name,
                *ends,
                *one.totals.as_dict().values(),
                *(getattr(one.marks, name) for name in ("uncertain", "disowned", "corrected", "amended")),
                provisional,
            )
            for one in in_order(report, known)
        ),
    )


def _row(line: Line) -> tuple[str | int | float | None, ...]:
    came, left = (None if one is None else one.isoformat(timespec="seconds") for one in (line.first_in, line.last_out))
    worked, expected = hours(line.worked_s, "decimal"), hours(line.expected_s, "decimal")
    state = (line.marks.uncertain, int(line.final), "; ".join(line.remarks))
    return (
        line.person_id,
        line.name,
        line.date.isoformat(),
        line.shift,
        line.status,
        came,
        left,
        worked,
        expected,
        line.punctuality,
        *state,
    )


def _show(made: Made, *, each: bool) -> None:
    report, out = made.report, console()
    period = report.period
    name = f"{period.first}" if period.kind == "day" else f"{period.first} to {period.last}"
    out.print(f"{period.kind} {name} ({report.zone.key}): {_in_words(report.site)}", markup=False)
    before, changes = report.before[0], trend(report.site, report.before[1])
    against = f"{before.first}" if before.first == before.last else f"{before.first} to {before.last}"
    grown = ", ".join(_grown(what, change) for what, change in changes.items() if change) or "no change"
    out.print(f"against {against}: {grown}", markup=False)
    if each:
        _show_lines(made)
    else:
        _show_people(made)
    for first, last, why in runs(report.provisional):
        days = f"{first} is" if first == last else f"{first} to {last} are"
        out.print(f"{days} provisional: {'; '.join(why)}", markup=False)
    for one in report.uncertain:
        limits = [
            f"{word} {limit.astimezone(report.zone):%Y-%m-%d %H:%M}"
            for word, limit in (("after", one.after), ("before", one.before))
            if limit
        ]
        counts = "counts as recorded" if one.counted else "counts nowhere"
        shown = f"{one.recorded.astimezone(report.zone):%Y-%m-%d %H:%M:%S}"
        who = made.known[one.subject].name or made.known[one.subject].person_id
        out.print(
            f"uncertain: punch {one.seq} of {who}, recorded {shown}, was {' and '.join(limits) or 'at no known time'}; {counts}",
            markup=False,
        )


def _show_lines(made: Made) -> None:
    dates = () if made.report.period.kind == "day" else ("date",)
    table = Table(*dates, "person", "shift", "status", "in", "out", "hours", "punctuality", "remarks", box=None)
    count = 0
    for line in lines(made.report, made.known):
        count += 1
        if count <= LISTED:
            came, left = (_clock(one, line) for one in (line.first_in, line.last_out))
            who = line.name or line.person_id
            worked = str(hours(line.worked_s, "hhmm"))
            day = (str(line.date),) if dates else ()
            rest = (line.punctuality, ", ".join(line.remarks))
            table.add_row(*day, who, line.shift or "-", line.status, came, left, worked, *rest)
    _end(table, count)


def _show_people(made: Made) -> None:
    # without a frame, and titles that a terminal of 80 columns has room for
    table = Table("person", "pres", "late", "half", "abs", "hol", "hours", "expect", "over", "early", "no out", "remarks", box=None)
    people = sorted(made.report.people, key=attention)
    for one in people[:LISTED]:
        sums = one.totals
        worked, expected, over = (str(hours(seconds, "hhmm")) for seconds in (sums.worked_s, sums.expected_s, sums.overtime_s))
        counts = [str(number) for number in (sums.present, sums.late, sums.half_day, sums.absent, sums.holiday)]
        rest = (str(sums.early), str(sums.missing_out), ", ".join(one.marks.words()))
        known = made.known[one.subject]
        table.add_row(known.name or known.person_id, *counts, worked, expected, over, *rest)
    _end(table, len(people))


def _end(table: Table, count: int) -> None:
    out = console()
    out.print(table if count else "nobody came and nobody was expected", markup=False)  # a name may hold square brackets
    if count > LISTED:
        out.print(f"and {count - LISTED} more: --csv FILE and --json hold all")


def _in_words(sums: Totals) -> str:
    worked, expected, over = (hours(seconds, "hhmm") for seconds in (sums.worked_s, sums.expected_s, sums.overtime_s))
    counts = f"{sums.present} present, {sums.late} late, {sums.half_day} half days, {sums.absent} absent, {sums.holiday} on holiday"
    rest = f"{sums.early} left early, {sums.missing_out} without check-out"
    return f"{counts}, {worked} h of {expected} h expected, {over} h overtime, {rest}"


def _grown(what: str, change: int) -> str:
    sign = "+" if change > 0 else "-"
    if what.endswith("_s"):
        return f"{what.removesuffix('_s')} {sign}{hours(abs(change), 'hhmm')} h"
    return f"{what.replace('_', ' ')} {sign}{abs(change)}"


def _clock(moment: datetime | None, line: Line) -> str:
    """The time of day; with the date where it is another one than the shift's."""
    if moment is None:
        return "-"
    return f"{moment:%H:%M:%S}" if moment.date() == line.date else f"{moment:%m-%d %H:%M:%S}"
