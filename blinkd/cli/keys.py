"""The verbs keys …: the organisation's keyring."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.cli.whole_file import write_whole
from blinkd.clock import SystemClock
from blinkd.crypto import unlocked
from blinkd.crypto.authority import CA_FILE
from blinkd.crypto.certificates import CertificateChecker, TerminalCertificate
from blinkd.crypto.chain import canonical
from blinkd.crypto.grants import REVOCATION, grants_for, is_revoked, keyring_record, revocation_of
from blinkd.crypto.keyfile import alone
from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.unlocked import PORTABLE_FILE
from blinkd.errors import CertificateRefused, KeyMissing, KeyringRefused
from blinkd.settings import Settings
from blinkd.sync import founding

if TYPE_CHECKING:
    from blinkd.store.registry import Registry

ASKED = "organisation password"

app = typer.Typer(no_args_is_help=True, help="The organisation's keyring: init, join, export, password, show, rotate.")


def organisation_of(settings: Settings) -> str:
    """Whose the keyring of the state folder is. Raises KeyMissing, KeyringRefused."""
    return _here(settings.state_dir).organisation


@app.command("init")
def init(
    context: typer.Context,
    organisation: Annotated[str | None, typer.Option("--organisation", metavar="ORG", help="Its name; it is part of every topic.")] = None,
    password_fd: PasswordFd = None,
) -> None:
    """Make the keyring of a new organisation, here. The other terminals join by the file that `keys export` writes."""
    settings: Settings = context.obj
    passwords = Passwords(password_fd)
    folder, name = settings.state_dir, organisation or _asked_name()
    founding.refuse_second(folder)
    password = passwords.new(ASKED, [name, settings.terminal.id])
    file = founding.found(folder, lambda: _registry(settings), name, password, SystemClock().now().utc.date())
    out = console()
    out.print(f"the keyring of {name} is made: epoch {file.current}, fingerprint {founding.grouped(file)}", markup=False)
    out.print("Write the password down where nothing else of this terminal lies: without it no terminal can join, and no key be changed.")


@app.command("join")
def join(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What `blinkd keys export` wrote at another terminal.")],
    password_fd: PasswordFd = None,
) -> None:
    """Take the organisation's keyring over from another terminal, or a newer one of the same organisation."""
    settings: Settings = context.obj
    passwords = Passwords(password_fd)
    file, folder = unlocked.load_file(path), settings.state_dir
    founding.refuse_unfit(folder, file)
    founding.join(folder, file, passwords.existing(ASKED))  # asked for before anything is locked, here and below
    current = f"epoch {file.current}, revision {file.revision}, fingerprint {founding.grouped(file)}"
    console().print(f"this terminal has the keyring of {file.organisation}: {current}", markup=False)


@app.command("export")
def export(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="FILE", help="Where to write it; - for standard output.")],
) -> None:
    """Write the keyring for other terminals to join. It opens by the organisation password only."""
    file = _here(context.obj.state_dir)
    write_whole(target, canonical(file.to_json()) + b"\n")
    notes().print(f"revision {file.revision} of {file.organisation}; fingerprint {founding.grouped(file)}", markup=False)


@app.command("password")
def password(context: typer.Context, password_fd: PasswordFd = None) -> None:
    """Change the organisation password; the keys stay. Copies of the file from before still open by the old one: `keys rotate` outdates them."""
    settings: Settings = context.obj
    passwords = Passwords(password_fd)
    folder = settings.state_dir
    file = _here(folder)
    old = passwords.existing(f"present {ASKED}")
    with file.opened(old):
        pass  # before somebody thinks of a new one in vain
    new = passwords.new(f"new {ASKED}", [file.organisation, settings.terminal.id])
    with alone(folder):
        changed = _here(folder).rewrapped(old, new)
        with changed.opened(new) as secret:
            founding.keep(folder, changed, secret)
            with _registry(settings) as registry:
                founding.publish(registry, changed, secret, [keyring_record(changed)])
    console().print(f"changed; the keyring is of revision {changed.revision} now, and goes to the other terminals at the next sync")


@app.command("rotate")
def rotate(
    context: typer.Context,
    revoke: Annotated[
        list[str] | None, typer.Option("--revoke", metavar="TERMINAL", help="A lost terminal: it gets no key any more. May be repeated.")
    ] = None,
    password_fd: PasswordFd = None,
    as_json: bool = JsonFlag,
) -> None:
    """Begin a new epoch, whose key every terminal but the revoked ones is given by the next sync; what is stored is sealed anew then."""
    settings: Settings = context.obj
    passwords, lost = Passwords(password_fd), set(revoke or [])
    folder = settings.state_dir
    if settings.terminal.id in lost:
        raise typer.BadParameter(f"--revoke {settings.terminal.id}: that is this terminal; run it at another one")
    _here(folder)
    word = passwords.existing(ASKED)
    with alone(folder), _registry(settings) as registry:
        file = _here(folder)
        known, refused = _certificates(settings, file.organisation, registry)
        if unknown := lost - {one.terminal for one in known}:
            names = ", ".join(sorted({one.terminal for one in known})) or "none"
            raise KeyringRefused(f"{', '.join(sorted(unknown))}: no terminal with a certificate is known by that id; known are: {names}")
        rotated = file.rotated(word, SystemClock().now().utc.date())
        with rotated.opened(word) as secret:
            grants = grants_for(secret, rotated.current, [one for one in known if one.terminal not in lost], rotated.epochs[-1].created)
            # the keyring first: should this process end here, the next rotation builds upon it, and no second epoch of the same revision arises
            founding.keep(folder, rotated, secret)
            revocations = [revocation_of(one) for one in known if one.terminal in lost]
            with registry.together():  # grants for some terminals only would shut the others out
                founding.publish(registry, rotated, secret, [*revocations, *grants, keyring_record(rotated)])
                registry.resend()
    granted = [one.open["terminal"] for one in grants]
    for reason in refused:
        notes().print(f"no key for: {reason}", markup=False)
    if as_json:
        print_json(
            {"epoch": rotated.current, "revision": rotated.revision, "granted": granted, "revoked": sorted(lost), "refused": refused}
        )
        return
    out = console()
    out.print(f"epoch {rotated.current} has begun; {len(granted)} terminals are given its key by the next sync", markup=False)
    if lost:
        out.print(
            f"revoked: {', '.join(sorted(lost))}. The broker shuts them out by the list that `blinkd fleet revoke` writes.", markup=False
        )


@app.command("show")
def show(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Whose keyring this is, its epochs, and whether this terminal can start with it; never a secret."""
    folder: Path = context.obj.state_dir
    file = _here(folder)
    held, why = _held(folder)
    if as_json:
        print_json(
            {
                "organisation": file.organisation,
                "fingerprint": founding.fingerprint(file),
                "revision": file.revision,
                "current": file.current,
                "unlocked": why is None and file.current in held,
                "reason": why,
                "epochs": [
                    {
                        "kid": epoch.kid,
                        "created": epoch.created.isoformat(),
                        "current": epoch.kid == file.current,
                        "unlocked": epoch.kid in held,
                    }
                    for epoch in file.epochs
                ],
            }
        )
        return
    table = Table("epoch", "created", "current", "unlocked here")
    for epoch in file.epochs:
        table.add_row(
            epoch.kid, epoch.created.isoformat(), "yes" if epoch.kid == file.current else "", "yes" if epoch.kid in held else "no"
        )
    out = console()
    out.print(f"{file.organisation}, revision {file.revision}, fingerprint {founding.grouped(file)}", markup=False)
    out.print(table)
    if why is not None:
        out.print(why, markup=False)


@contextlib.contextmanager
def _registry(settings: Settings) -> Iterator["Registry"]:
    """Where records for all terminals wait."""
    from blinkd.store.database import Store  # noqa: PLC0415  brings what `keys show` does without

    with Store.open(settings.state_dir, settings.store) as store:
        yield store.registry


def _asked_name() -> str:
    if not os.isatty(0):
        raise typer.BadParameter("--organisation ORG is needed where nobody can be asked")
    return str(typer.prompt("Name of the organisation"))


def _here(folder: Path) -> KeyringFile:
    path = folder / PORTABLE_FILE
    if not path.exists():
        raise KeyMissing(f"{path}: this terminal has no keyring; run `blinkd keys init`, or `blinkd keys join FILE`")
    return unlocked.load_file(path)


def _held(folder: Path) -> tuple[set[str], str | None]:
    """Epochs whose keys this terminal has, and why it has none."""
    try:
        keyring = unlocked.load(folder)
    except (KeyMissing, KeyringRefused) as error:
        return set(), str(error)
    keyring.wipe()
    return set(keyring.roots), None


def _certificates(settings: Settings, org: str, registry: "Registry") -> tuple[list[TerminalCertificate], list[str]]:
    """Those that the authority vouches for and nobody has revoked, and why others are left out: a key is sealed to nobody whom only the relay
    has named.
    """  # fmt: skip
    terminals, revoked = registry.terminals(), list(registry.published(REVOCATION).values())
    if not terminals:
        return [], []
    path = settings.sync.ca_file or settings.state_dir / CA_FILE
    try:
        checker = CertificateChecker(path.read_bytes())
    except OSError as error:
        raise KeyMissing(
            f"{path}: cannot be read: {error.strerror}; `blinkd fleet install` puts the authority's certificate there"
        ) from None
    known, refused = [], []
    for terminal, der in terminals:
        try:
            found = checker.check(der, org, terminal)
        except CertificateRefused as error:
            refused.append(f"{terminal}: {error}")
            continue
        if is_revoked(found, revoked):
            refused.append(f"{terminal}: its certificate was revoked")
        else:
            known.append(found)
    return known, refused
