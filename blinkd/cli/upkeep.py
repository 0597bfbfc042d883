"""The verb upkeep: what is done once a day, now."""

from dataclasses import asdict
from typing import Annotated

import typer

from blinkd.backup.making import make
from blinkd.cli.backup import keyring_for_backups
from blinkd.cli.config_file import config_file
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.parts import Parts
from blinkd.upkeep import keep_up


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("upkeep")(upkeep)


def upkeep(
    context: typer.Context,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    as_json: bool = JsonFlag,
) -> None:
    """Erase what is older than the limits of [privacy], check the whole database, and make a back-up where [backup] names a folder."""
    parts, made = Parts(context.obj), None
    with parts.open_store() as store:
        done = keep_up(store, parts.settings.privacy, parts.clock.now(), parts.rota(store), dry=dry)
        if parts.settings.backup.folder is not None and not dry:
            made = make(store, parts.settings, keyring_for_backups(parts.settings), parts.clock.now().utc, config_file(context))
    if as_json:
        print_json(asdict(done) | {"notes": list(done.notes), "dry_run": dry, "backup": None if made is None else str(made.path)})
        return
    out = console()
    verb = "would be erased" if dry else "erased"
    out.print(f"{verb}: {done.scans} entries of the scan log, {done.punches} punches")
    for note in done.notes:
        out.print(note, markup=False)
    if not dry:
        out.print("the database is sound")
    if made is not None:
        out.print(f"back-up: {made.path}", markup=False)
