"""The verbs fleet … that answer terminals: issue, approve, renewals. They need the authority's key."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.cli.whole_file import write_whole as write_out
from blinkd.clock import SystemClock
from blinkd.crypto.authority import CA_FILE, TERMINAL_DAYS, Authority, has_password
from blinkd.crypto.chain import canonical
from blinkd.crypto.names import is_name
from blinkd.crypto.request import Request
from blinkd.crypto.unlocked import load_file
from blinkd.errors import BundleRefused, CarrierAway, CertificateRefused
from blinkd.fleet.bundle import authority_fingerprint
from blinkd.fleet.carrier import Carrier
from blinkd.fleet.claim import answer, checked, handle, handle_of
from blinkd.fleet.making import VALID_DAYS, Wanted, answer_claim, answer_request, make_whole
from blinkd.fleet.renewal import BEFORE_DAYS, answered_by, checked_renewal, renewal_handle, standing
from blinkd.settings import Settings

DEFAULT_FOLDER = Path("blinkd-ca")
MOST_DAYS = 3650
ASKED = "authority's password"

Folder = Annotated[Path, typer.Option("--folder", metavar="F", help="The authority's folder.")]
Out = Annotated[str, typer.Option("-o", "--out", metavar="FILE", help="Where to write it.")]
Days = Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="How long it is valid.")]
KeyringOption = Annotated[
    Path | None,
    typer.Option("--keyring", metavar="FILE", help="What `blinkd keys export` wrote: the bundle brings the organisation's keys."),
]
LockedOption = Annotated[
    bool, typer.Option("--locked", help="Leave the keyring behind its password, which the terminal then asks for, instead of asking here.")
]
SettingsOption = Annotated[Path | None, typer.Option("--settings", metavar="FILE", help="TOML: settings for the terminal, as sync.broker.")]
ValidOption = Annotated[int, typer.Option("--valid", min=1, max=366, metavar="DAYS", help="How long the bundle may be installed.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("issue")(issue)
    app.command("approve")(approve)
    app.command("renewals")(renewals)


def issue(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(metavar="REQUEST|TERMINAL", help="What `blinkd fleet request` wrote on the terminal; or the name of a terminal."),
    ],
    out: Out,
    folder: Folder = DEFAULT_FOLDER,
    days: Days = TERMINAL_DAYS,
    keyring: KeyringOption = None,
    locked: LockedOption = False,
    settings: SettingsOption = None,
    valid: ValidOption = VALID_DAYS,
    password_fd: PasswordFd = None,
) -> None:
    """Issue a terminal's certificate; with --keyring or --settings a bundle, which holds all that the terminal needs.

    For a request: be sure that the file is the terminal's own: compare the fingerprint with the one it showed. For a name: the terminal gets its
    keys in the bundle, which opens by a code that is shown once.
    """
    path = Path(what)
    named = not path.exists() and is_name(what) and path.suffix != ".json"
    asked = None if named else Request.load(path)
    if named and keyring is None:
        raise typer.BadParameter(
            f"{what}: no such file; for the bundle of a terminal called {what} give --keyring, as `blinkd keys export` wrote it"
        )
    words = Passwords(password_fd)
    authority = open_authority(folder, words)
    said = notes()  # the certificate itself may go to standard output
    if asked is not None and keyring is None and settings is None:
        write_out(out, authority.issue_terminal(asked, days))
        said.print(f"issued to {authority.org}/{asked.terminal}, whose request has the fingerprint {asked.fingerprint()}", markup=False)
        said.print(f"bring it and {folder / CA_FILE} to the terminal and run `blinkd fleet install` there", markup=False)
        return
    now = clock_of(context.obj).now().utc
    with wanted(keyring, settings, valid, words, locked=locked) as content:
        if asked is not None:
            write_out(out, answer_request(authority, asked, days, content, now).to_bytes())
            said.print(f"for {authority.org}/{asked.terminal}, whose request has the fingerprint {asked.fingerprint()}", markup=False)
            said.print(f'install with: blinkd fleet install {out} --authority "{authority_fingerprint(authority.ca_pem)}"', markup=False)
            return
        bundle, code = make_whole(authority, what, days, content, now)
    write_out(out, bundle.to_bytes())
    said.print(
        f"for {authority.org}/{what}, to be installed until {bundle.expires:%Y-%m-%d} by this code, which is shown only now:", markup=False
    )
    said.print(f"  {code}", markup=False)
    said.print("Bring the code by another way than the file: who has both has the terminal's keys.")


def approve(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="What `blinkd fleet claim` shows on the terminal.")],
    keyring: Annotated[Path, typer.Option("--keyring", metavar="FILE", help="What `blinkd keys export` wrote.")],
    relay: Annotated[str | None, typer.Option("--relay", metavar="URL", help="Where the terminal waits.")] = None,
    request: Annotated[
        Path | None, typer.Option("--request", metavar="FILE", help="Or its request, carried by hand, as `fleet claim -o` wrote it.")
    ] = None,
    out: Annotated[str | None, typer.Option("-o", "--out", metavar="FILE", help="Then where to write the answer.")] = None,
    terminal: Annotated[
        str | None, typer.Option("--terminal", metavar="NAME", help="What the terminal shall be called; else what it calls itself.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    days: Days = TERMINAL_DAYS,
    locked: LockedOption = False,
    settings: SettingsOption = None,
    valid: ValidOption = VALID_DAYS,
    password_fd: PasswordFd = None,
) -> None:
    """Take a new terminal in: check that the request is the one whose code its console shows, and answer it with a bundle."""
    if (relay is None) == (request is None) or (request is None) != (out is None):
        raise typer.BadParameter("give --relay URL, or both --request FILE and -o FILE")
    carrier = None if relay is None else Carrier(relay)
    asked = _waiting(carrier, code) if carrier is not None else Request.load(Path(str(request)))
    secret = checked(code, asked)
    words = Passwords(password_fd)
    authority, name = open_authority(folder, words), terminal or asked.terminal
    with wanted(keyring, settings, valid, words, locked=locked) as content:
        bundle = answer_claim(authority, asked, name, days, content, clock_of(context.obj).now().utc)
    sealed, done = answer(asked, secret, bundle), f"{authority.org}/{name} is approved"
    if carrier is None:
        write_out(str(out), canonical(sealed) + b"\n")
        notes().print(f"{done}; bring the answer to the terminal and run `blinkd fleet install` there", markup=False)
        return
    if not carrier.answer(handle(asked), sealed):
        raise CarrierAway(f"{relay}: the terminal waits there no more; start `blinkd fleet claim` on it, and run this once more")
    notes().print(f"{done}; the terminal takes the answer up within seconds, if it still waits", markup=False)


def renewals(
    context: typer.Context,
    relay: Annotated[str, typer.Option("--relay", metavar="URL", help="Where the terminals leave their requests.")],
    folder: Folder = DEFAULT_FOLDER,
    before: Annotated[
        int,
        typer.Option(
            "--before", min=0, max=MOST_DAYS, metavar="DAYS", help="Tell also who has so many days left, or fewer, and does not ask."
        ),
    ] = BEFORE_DAYS,
    days: Days = TERMINAL_DAYS,
    password_fd: PasswordFd = None,
    as_json: bool = JsonFlag,
) -> None:
    """Answer every terminal that asks for its next certificate (`fleet renew`), in one go.

    The JSON: [{"terminal", "days_left", "renewed", "words"}]; words say why one was not renewed. Exit code 1 where a request was not as it should be.
    """
    carrier, now = Carrier(relay), clock_of(context.obj).now().utc
    authority = open_authority(folder, Passwords(password_fd))
    rows, ok = [], True
    for one in standing(authority.issued(), authority.org, now.date()):
        renewed, words = False, "has not asked yet"
        box = renewal_handle(authority.org, one.terminal, one.signing)
        found = carrier.find(box)
        if found is None:
            if one.days > before:
                continue
        elif answered_by(found[1], authority.ca_pem, one.terminal):
            words = "has an answer waiting"  # and asks again, should that get lost
        else:
            try:
                asked = checked_renewal(found[0], authority.org, one)
                renewed = carrier.answer(box, answer_request(authority, asked, days, Wanted(), now).to_json())
                words = "renewed" if renewed else "asks no more"
            except (BundleRefused, CertificateRefused) as error:
                words, ok = str(error), False
        rows.append({"terminal": one.terminal, "days_left": one.days, "renewed": renewed, "words": words})
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            console().print(f"{row['terminal']}: {row['days_left']} days left: {row['words']}", markup=False)
        if not rows:
            console().print(f"nobody asks, and no certificate ends within {before} days")
    if not ok:
        raise typer.Exit(1)


def open_authority(folder: Path, words: Passwords) -> Authority:
    """The authority of a folder; its password is asked where it has one."""
    return Authority.load(folder, words.existing(ASKED) if has_password(folder) else None)


@contextlib.contextmanager
def wanted(keyring: Path | None, settings: Path | None, valid: int, words: Passwords, *, locked: bool) -> Iterator[Wanted]:
    """What a bundle shall hold; the organisation password is asked for, unless the terminal is to ask for it."""
    with contextlib.ExitStack() as stack:
        file = None if keyring is None else load_file(keyring)
        opened = None if file is None or locked else stack.enter_context(file.opened(words.existing("organisation password")))
        text = ""
        if settings is not None:
            try:
                text = settings.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise BundleRefused(f"{settings}: cannot be read: {error}; check its name and mode") from None
        yield Wanted(file, opened, text, timedelta(days=valid))


def clock_of(settings: Settings) -> SystemClock:
    """This machine's clock."""
    return SystemClock(trust_hardware=settings.terminal.trust_hardware_clock)


def _waiting(carrier: Carrier, code: str) -> Request:
    found = carrier.find(handle_of(code))
    if found is None:
        raise BundleRefused("no terminal waits there by this code; read it again, or start `blinkd fleet claim --relay` on the terminal")
    return Request.of(found[0])
