"""The verb log: the punches."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from blinkd.cli.moments import moment
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.daemon import Parts
from blinkd.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("log")(log)


def log(
    context: typer.Context,
    since: Annotated[datetime | None, typer.Option("--since", metavar="TIME", parser=moment, help="Punches from then on.")] = None,
    until: Annotated[datetime | None, typer.Option("--until", metavar="TIME", parser=moment, help="Punches before it.")] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="ID", help="Only this person.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """Every punch, newest last."""
    settings: Settings = context.obj
    zone = settings.terminal.zone
    start, end = (None if limit is None else limit if limit.tzinfo else limit.replace(tzinfo=zone) for limit in (since, until))
    table = Table("seq", "time", "person", "status", "punctuality", "sync")
    with Parts(settings).open_store(read_only=True) as store:
        names = {known.id: known.name for known in store.people.all()}
        count = 0
        for punch in store.book.punches(since=start, until=end, person_id=person):
            count += 1
            if as_json:
                print_json(
                    {
                        "id": punch.id,
                        "seq": punch.seq,
                        "person_id": punch.person_id,
                        "name": names.get(punch.person_id),
                        "timestamp": punch.utc.isoformat(),
                        "status": str(punch.status),
                        "punctuality": str(punch.punctuality),
                        "clock": punch.clock,
                        "sync": str(punch.sync),
                        "terminal": punch.terminal,
                    }
                )
            else:
                when = punch.utc.astimezone(zone)
                who = names.get(punch.person_id) or punch.person_id
                table.add_row(str(punch.seq), f"{when:%Y-%m-%d %H:%M:%S}", who, str(punch.status), str(punch.punctuality), str(punch.sync))
    if not as_json:
        console().print(table if count else "no punches", markup=False)  # a name may hold square brackets
