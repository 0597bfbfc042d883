"""The verb export: hours for payroll, or check-ins for Frappe HR."""

from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from blinkd.attendance.reports.frappe import TITLES, Checkins, checkins
from blinkd.attendance.reports.payroll import DEFAULT, columns, layout
from blinkd.attendance.reports.period import FIRST_DATE, LAST_DATE
from blinkd.attendance.reports.sheet import table
from blinkd.attendance.reports.watermark import listed
from blinkd.cli.output import notes
from blinkd.cli.whole_file import write_whole
from blinkd.office.making import Made, chosen, counted, site_of
from blinkd.office.payroll import payroll_csv, payroll_period, refuse_provisional
from blinkd.parts import Parts


class Format(StrEnum):
    """What the file is for."""

    csv = "csv"
    frappe = "frappe"


class Hours(StrEnum):
    """How hours are written."""

    decimal = "decimal"
    hhmm = "hhmm"


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    meanings = "\n\n".join(f"{name}: {column.means}." for name, column in columns().items())
    app.command("export", epilog=f"COLUMNS\n\n{meanings}\n\nDefault: {DEFAULT}")(export)


def local_date(text: str) -> date:
    """A date of the command line. Wrong usage ends with exit code 2."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; write it like 2026-03-31") from None
    if not FIRST_DATE <= day <= LAST_DATE:
        raise typer.BadParameter(f"{text}: dates go from 1970 to 2099; check the year")
    return day


Out = Annotated[str, typer.Option("--out", metavar="FILE", help="Where to; only its owner may then read it. - is standard output.")]
Since = Annotated[date | None, typer.Option("--since", metavar="DATE", parser=local_date, help="First date. Default: of last month.")]
Until = Annotated[
    date | None, typer.Option("--until", metavar="DATE", parser=local_date, help="Last date, included. Default: of its month.")
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B,…", help='Columns of csv, each with a title if wanted: "Personnel no=person_id,Hours=hours".'),
]
Provisional = Annotated[bool, typer.Option("--provisional", help="Write days too that may still change; csv marks them.")]


def export(
    context: typer.Context,
    out: Out,
    form: Annotated[
        Format, typer.Option("--format", help="csv: hours for payroll. frappe: Employee Checkin for Data Import.")
    ] = Format.csv,
    since: Since = None,
    until: Until = None,
    columns: Columns = None,
    hours: Annotated[Hours, typer.Option("--hours", help="decimal: 7.75. hhmm: 7:45.")] = Hours.decimal,
    person: Annotated[str | None, typer.Option("--person", metavar="ID", help="Only this person.")] = None,
    group: Annotated[str | None, typer.Option("--group", metavar="NAME", help="Only the people of this group.")] = None,
    bom: Annotated[bool, typer.Option("--bom", help="Begin with the mark by which spreadsheets know UTF-8.")] = False,
    provisional: Provisional = False,
) -> None:
    """Hours for payroll (a row a person, date and shift), or punches as Frappe HR imports them.

    A day is refused while it is provisional, unless --provisional is given. Voided punches are in neither. In csv, a punch whose time is
    uncertain, or that was disowned and waits for a supervisor, is marked; in frappe it is left out and said on standard error. Text that
    a spreadsheet would run as a formula gets an apostrophe before it.

    Frappe wants local times without an offset: in the autumn night when one hour comes twice, its punches are written as the wall clock
    showed them, and said on standard error, for nobody can tell the two hours apart afterwards.
    """
    parts = Parts(context.obj)
    now = parts.clock.now()
    if form is Format.frappe and (columns is not None or hours is not Hours.decimal):
        raise typer.BadParameter("--format frappe has columns of its own; leave --columns and --hours out")
    if person is not None and group is not None:
        raise typer.BadParameter("give --person or --group, not both")
    try:
        wanted = layout(DEFAULT if columns is None else columns)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        period = payroll_period(since, until, now.utc.astimezone(parts.settings.terminal.zone).date())
    except ValueError as error:
        raise typer.BadParameter(f"--since and --until: {error}") from None
    with parts.open_store(read_only=True) as store:
        site = site_of(parts, store)
        made = counted(site, store, period, now, chosen(store, person, group), compare=False)
        groups = store.rosters.groups()
        elsewhere = store.rosters.elsewhere(site.here) if form is Format.frappe else {}
    if not provisional:
        refuse_provisional(made.report, "write them all the same with --provisional")
    if form is Format.csv:
        content = payroll_csv(made, wanted, groups, hours.value, bom=bom)
    else:
        found = _checkins(made, site.here, elsewhere)
        content = table(TITLES, found.rows, bom=bom)
        _tell(found)
    write_whole(out, content)


def _checkins(made: Made, here: str, elsewhere: dict[int, str]) -> Checkins:
    report = made.report
    named = {subject: one.known for subject, one in made.known.items()}
    return checkins(made.punched, made.known, named, here, elsewhere, report.zone, report.period.first, report.period.last)


def _tell(found: Checkins) -> None:
    out = notes()
    for seqs, what in (
        (found.uncertain, "left out, for their time is uncertain (blinkd log amend gives the right one)"),
        (found.disowned, "left out, for they were disowned and wait for a supervisor (blinkd log void or uphold)"),
        (found.erased, "left out, for nobody stands behind them any more"),
        (found.doubled, "written, but in the hour that comes twice when the clocks go back; check these hours by hand"),
    ):
        if seqs:
            out.print(f"{len(seqs)} punch(es) {what}: {listed(seqs)}", markup=False)
