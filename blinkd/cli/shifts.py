"""The verbs shifts …: which there are, and who works which."""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from blinkd.attendance.shifts.assignments import Assigned, Planner
from blinkd.cli.moments import day
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.parts import Parts
from blinkd.store.database import Store

app = typer.Typer(no_args_is_help=True, help="Shifts: list, show, assign, end, import, holidays.")

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="The person's id.")]
ShiftName = Annotated[str, typer.Argument(metavar="SHIFT", help="A shift's name.")]
By = Annotated[str, typer.Option("--by", metavar="WHO", help="Who decides this; it stays in the book.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it stays in the book.")]


@app.command("list")
def list_(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Every shift, with the number of people who are assigned to it now or later."""
    parts = Parts(context.obj)
    today = parts.clock.now().utc.astimezone(parts.settings.terminal.zone).date()
    with parts.open_store(read_only=True) as store:
        held: dict[str, set[int]] = {}
        for one in store.book.assignments():
            if one.assignment.last is None or one.assignment.last >= today:
                held.setdefault(one.assignment.shift, set()).add(one.assignment.subject)
    rows: list[dict[str, Any]] = [
        {
            "name": shift.name,
            "start": f"{shift.start:%H:%M:%S}",
            "end": f"{shift.end:%H:%M:%S}",
            "weekdays": [DAYS[number] for number in sorted(shift.weekdays)],
            "default": shift.name == parts.default_shift,
            "people": len(held.get(shift.name, ())),
        }
        for shift in parts.shifts.values()
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("shift", "start", "end", "days", "people")
    for row in rows:
        people = "everybody without another" if row["default"] else str(row["people"])
        table.add_row(row["name"], row["start"], row["end"], " ".join(row["weekdays"]), people)
    console().print(table, markup=False)


@app.command("show")
def show(context: typer.Context, person: PersonId, as_json: bool = JsonFlag) -> None:
    """The shifts that a person works, and since when."""
    with Parts(context.obj).open_store(read_only=True) as store:
        known = store.people.get(person)
        found = [_as_json(one, person) for one in store.book.assignments(known.subject)]
    if as_json:
        print_json(found)
        return
    out = console()
    for one in found:
        out.print(
            f"{one['shift']}: from {one['from']} to {one['to'] or 'further notice'} (entry {one['entry']}, by {one['by']})", markup=False
        )
    if not found:
        out.print("no assignment: works the default shift, where there is one")


@app.command("assign")
def assign(
    context: typer.Context,
    person: PersonId,
    shift: ShiftName,
    by: By,
    why: Why,
    first: Annotated[date | None, typer.Option("--from", metavar="DATE", parser=day, help="First day (default: today).")] = None,
    last: Annotated[date | None, typer.Option("--to", metavar="DATE", parser=day, help="Last day (default: for good).")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """A person works a shift; shifts of one person that would overlap are refused."""

    def work(store: Store, parts: Parts) -> int:
        today = parts.clock.now().utc.astimezone(parts.settings.terminal.zone).date()
        return Planner(store.book, parts.shifts, parts.clock, by).assign(person, shift, first or today, last, why)

    _write(context, work, as_json)


@app.command("end")
def end(
    context: typer.Context,
    person: PersonId,
    shift: ShiftName,
    by: By,
    why: Why,
    last: Annotated[date, typer.Option("--to", metavar="DATE", parser=day, help="Last day on which the person works it.")],
    as_json: bool = JsonFlag,
) -> None:
    """A person works a shift no longer."""
    _write(context, lambda store, parts: Planner(store.book, parts.shifts, parts.clock, by).end(person, shift, last, why), as_json)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns person_id,shift,from[,to].")],
    by: By,
    why: Why,
    as_json: bool = JsonFlag,
) -> None:
    """Assign many people: all rows, or none."""
    parts = Parts(context.obj)
    with parts.open_store() as store:
        count = Planner(store.book, parts.shifts, parts.clock, by).take_in(file, why)
    if as_json:
        print_json({"assigned": count})
    else:
        console().print(f"{count} assignments from {file}", markup=False)


@app.command("holidays")
def holidays(
    context: typer.Context,
    year: Annotated[int | None, typer.Argument(min=1970, max=2099, help="Default: this year.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """The holidays of a year, as the settings give them."""
    parts = Parts(context.obj)
    wanted = year or parts.clock.now().utc.astimezone(parts.settings.terminal.zone).year
    first = date(wanted, 1, 1)
    days = (first + timedelta(days=number) for number in range((date(wanted + 1, 1, 1) - first).days))
    found = [{"date": one.isoformat(), "name": name} for one in days if (name := parts.holidays.name(one)) is not None]
    if as_json:
        print_json(found)
        return
    for one in found:
        console().print(f"{one['date']}  {one['name']}", markup=False)
    if not found:
        console().print(f"no holidays in {wanted}: set attendance.holidays_file or attendance.holidays_country")


def _write(context: typer.Context, work: Any, as_json: bool) -> None:  # noqa: ANN401  a callable
    parts = Parts(context.obj)
    with parts.open_store() as store:
        entry = work(store, parts)
    if as_json:
        print_json({"entry": entry})
    else:
        console().print(f"written as entry {entry}")


def _as_json(one: Assigned, person: str) -> dict[str, Any]:
    last = one.assignment.last
    return {
        "person_id": person,
        "shift": one.assignment.shift,
        "from": one.assignment.first.isoformat(),
        "to": None if last is None else last.isoformat(),
        "entry": one.seq,
        "by": one.by,
    }
