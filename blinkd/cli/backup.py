"""The verbs backup …: back-ups of this terminal, and the way back."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from blinkd.backup.making import backups, check, folder_of, make
from blinkd.backup.restoring import key_by, restore
from blinkd.backup.sealed import Header, read_header
from blinkd.cli.config_file import config_file
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.crypto import unlocked
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.errors import BackupRefused, KeyMissing
from blinkd.parts import Parts
from blinkd.settings import Settings

MEGABYTE = 1 << 20

app = typer.Typer(no_args_is_help=True, help="Back-ups of this terminal: create, list, verify, restore.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A back-up.")]
KeyringOption = Annotated[
    Path | None, typer.Option("--keyring", metavar="FILE", help="What `blinkd keys export` wrote; without it, the one in the back-up.")
]


def keyring_for_backups(settings: Settings) -> Keyring:
    """By which back-ups are sealed. Raises KeyMissing, KeyringRefused."""
    if not unlocked.has_keyring(settings.state_dir):
        raise KeyMissing(
            f"{settings.state_dir}: back-ups open with the organisation's password, and there is no organisation yet; `blinkd keys init` makes"
            " one, which needs no network"
        )
    return unlocked.load(settings.state_dir)


@app.command("create")
def create(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Make a back-up now, while the daemon works. It is read back before older ones go."""
    parts = Parts(context.obj)
    keyring = keyring_for_backups(parts.settings)
    with parts.open_store() as store:
        made = make(store, parts.settings, keyring, parts.clock.now().utc, config_file(context))
    if as_json:
        print_json({"file": str(made.path), "bytes": made.size, "removed": list(made.removed)})
    else:
        console().print(f"{made.path}: {made.size / MEGABYTE:.1f} MB, read back; {len(made.removed)} older ones removed", markup=False)


@app.command("list")
def list_(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option("--folder", metavar="DIR", help="Of another place than backup.folder.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """The back-ups in the folder, oldest first, of whichever terminal."""
    found = backups(folder_of(context.obj) if folder is None else folder)
    if as_json:
        print_json([{"file": str(path), "bytes": path.stat().st_size} | _said(header) for path, header in found])
        return
    table = Table("file", "terminal", "organisation", "made", "MB")
    for path, header in found:
        size = f"{path.stat().st_size / MEGABYTE:.1f}"
        table.add_row(path.name, header.terminal, header.organisation, f"{header.made:%Y-%m-%d %H:%M} UTC", size)
    console().print(table)


@app.command("verify")
def verify(
    context: typer.Context, path: File, keyring: KeyringOption = None, password_fd: PasswordFd = None, as_json: bool = JsonFlag
) -> None:
    """Read a back-up to its end and prove that nothing of it was changed. Asks for the password where this terminal's keyring does not open it."""
    settings: Settings = context.obj
    header = check(path, key_by(_keyring(settings, path, keyring, password_fd, own=True)))
    if as_json:
        print_json({"file": str(path), "ok": True} | _said(header))
    else:
        console().print(
            f"{path}: whole; terminal {header.terminal}, {header.made:%Y-%m-%d %H:%M} UTC, blinkd {header.version}", markup=False
        )


@app.command("restore")
def restore_(
    context: typer.Context,
    path: File,
    keyring: KeyringOption = None,
    aside: Annotated[bool, typer.Option("--aside", help="Move what is in the state folder into a folder of its own first.")] = False,
    password_fd: PasswordFd = None,
    as_json: bool = JsonFlag,
) -> None:
    """Put a back-up back into the state folder, in which nothing else may be. The daemon must not be running."""
    parts = Parts(context.obj)
    opened = _keyring(parts.settings, path, keyring, password_fd, own=False)
    done = restore(path, parts.settings, opened, parts.clock, aside=aside)
    if as_json:
        print_json(
            {"terminal": done.terminal, "made": done.made.isoformat(), "people": done.people, "entries": done.entries}
            | {"aside": None if done.aside is None else str(done.aside), "settings": None if done.settings is None else str(done.settings)}
        )
        return
    out = console()
    out.print(f"put back: terminal {done.terminal} as of {done.made:%Y-%m-%d %H:%M} UTC, {done.people} people", markup=False)
    if done.aside is not None:
        out.print(f"what was here before is in {done.aside}", markup=False)
    if done.settings is not None:
        out.print(f"its settings file of then is {done.settings}; compare it with {config_file(context)}", markup=False)
    if done.terminal != parts.settings.terminal.id:
        notes().print(
            f"terminal.id is {parts.settings.terminal.id} in the settings, and {done.terminal} in the back-up: set it", markup=False
        )
    notes().print(
        "Who was deleted since then is here again: delete them once more, where no other terminal tells this one so. What was punched since is not"
        " here; where it reached the relay it stays there, and the relay says `fork` of this terminal's chain, because it continues an older one."
    )


def _said(header: Header) -> dict[str, Any]:
    return {"terminal": header.terminal, "organisation": header.organisation, "made": header.made.isoformat(), "version": header.version}


def _keyring(settings: Settings, path: Path, given: Path | None, password_fd: int | None, *, own: bool) -> Keyring:
    if own and given is None and password_fd is None and unlocked.has_keyring(settings.state_dir):
        return unlocked.load(settings.state_dir)
    if given is not None:
        file = unlocked.load_file(given)
    else:
        try:
            with path.open("rb") as source:
                header, _ = read_header(source, path)
        except OSError as error:
            raise BackupRefused(f"{path}: cannot be read: {error.strerror}") from None
        if header.keyring is None:
            raise BackupRefused(f"{path}: the keyring is not in it; give the organisation's: --keyring FILE")
        file = KeyringFile.of(header.keyring)
    with file.opened(Passwords(password_fd).existing("organisation password")) as secret:
        return unlocked.unlock(file, secret)
