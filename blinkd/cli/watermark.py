"""The verbs watermark …: how far each terminal of the site has reported, which makes days final."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from blinkd.cli.moments import moment
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.errors import NotAllowed
from blinkd.parts import Parts

app = typer.Typer(no_args_is_help=True, help="How far the site's terminals have reported, which makes days final: list, set.")


@app.command("list")
def list_(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Every terminal of the site, and up to when its punches are here."""
    parts = Parts(context.obj)
    terminal, now = parts.settings.terminal, parts.clock.now()
    with parts.open_store(read_only=True) as store:
        reported = store.watermarks.all()
        head = store.book.head()
    rows: list[tuple[str, datetime | None, int | None]] = [
        (terminal.id, now.utc if now.confidence != "unsynced" else None, None if head is None else head.seq)
    ]
    for name in terminal.others:
        mark = reported.get(name)
        rows.append((name, None if mark is None else mark.utc, None if mark is None else mark.seq))
    if as_json:
        print_json([{"terminal": name, "until": None if utc is None else utc.isoformat(), "seq": seq} for name, utc, seq in rows])
        return
    table = Table("terminal", "has reported up to", "entry")
    for name, utc, seq in rows:
        missing = "its clock is not trusted now" if name == terminal.id else "nothing yet"
        table.add_row(
            name, missing if utc is None else f"{utc.astimezone(terminal.zone):%Y-%m-%d %H:%M:%S}", "-" if seq is None else str(seq)
        )
    console().print(table, markup=False)


@app.command("set")
def set_(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TERMINAL", help="One of terminal.others.")],
    until: Annotated[datetime, typer.Argument(metavar="TIME", parser=moment, help="Every punch of it before that time is here.")],
    seq: Annotated[int, typer.Option("--seq", min=0, max=2**63 - 1, help="The last of its entries that is here, where that is known.")] = 0,
    as_json: bool = JsonFlag,
) -> None:
    """After an import of another terminal's punches: up to when they are complete. It never goes back."""
    parts = Parts(context.obj)
    terminal, now = parts.settings.terminal, parts.clock.now()
    if name not in terminal.others:
        known = ", ".join(terminal.others) or "none"
        raise NotAllowed(f"{name!r} is no other terminal of this site; terminal.others in the settings lists them: {known}")
    utc = until if until.tzinfo else until.replace(tzinfo=terminal.zone)
    if now.confidence != "unsynced" and utc > now.utc:
        raise NotAllowed(f"{utc.isoformat()} lies in the future, and nobody can have reported past it; check the date and the time zone")
    with parts.open_store() as store:
        mark = store.watermarks.report(name, utc, seq)
    if as_json:
        print_json({"terminal": mark.terminal, "until": mark.utc.isoformat(), "seq": mark.seq})
    else:
        console().print(f"{mark.terminal} has reported up to {mark.utc.astimezone(terminal.zone):%Y-%m-%d %H:%M:%S}", markup=False)
