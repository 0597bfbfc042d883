"""The verbs fleet …: certificates and bundles, from the administrator's own authority to terminals, relays and the broker.

Those here work on the authority's folder, which belongs on a machine that is no terminal; those of `fleet_terminal.py` on a terminal's state
folder.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from blinkd.cli import fleet_terminal
from blinkd.cli.keys import organisation_of
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.cli.whole_file import write_whole as write_out
from blinkd.clock import SystemClock
from blinkd.crypto.authority import CA_FILE, CRL_FILE, SERVICE_DAYS, TERMINAL_DAYS, Authority, has_password, read_issued
from blinkd.crypto.chain import canonical
from blinkd.crypto.keyfile import alone, write_whole
from blinkd.crypto.names import is_name
from blinkd.crypto.request import Request
from blinkd.crypto.unlocked import load_file
from blinkd.errors import BundleRefused, CarrierAway, CertificateRefused, KeyMissing
from blinkd.fleet.bundle import authority_fingerprint
from blinkd.fleet.carrier import Carrier
from blinkd.fleet.claim import answer, checked, handle, handle_of
from blinkd.fleet.expiry import WARN_DAYS
from blinkd.fleet.making import VALID_DAYS, Wanted, answer_claim, answer_request, make_whole
from blinkd.settings import Settings

DEFAULT_FOLDER = Path("blinkd-ca")
MOST_DAYS = 3650
ASKED = "authority's password"

app = typer.Typer(
    no_args_is_help=True,
    help="Certificates and bundles: init, request, claim, issue, approve, install, renew, issue-relay, issue-broker, revoke, list.",
)

Folder = Annotated[Path, typer.Option("--folder", metavar="F", help="The authority's folder.")]
Out = Annotated[str, typer.Option("-o", "--out", metavar="FILE", help="Where to write it.")]
OutFolder = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="A folder for certificate, key, ca.pem and crl.pem.")]
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

fleet_terminal.register(app)


@app.command("init")
def init(
    context: typer.Context,
    folder: Folder = DEFAULT_FOLDER,
    organisation: Annotated[
        str | None, typer.Option("--organisation", metavar="ORG", help="As in its keyring, which is asked where there is one.")
    ] = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="Leave the authority's key unencrypted.")] = False,
    password_fd: PasswordFd = None,
) -> None:
    """Begin the organisation's authority, whose certificates the broker lets in. Keep its folder where no terminal is, and a copy of it."""
    if no_password and password_fd is not None:
        raise typer.BadParameter("give --password-fd or --no-password, not both")
    name = organisation or _known_organisation(context.obj)
    chosen = None if no_password else Passwords(password_fd).new(ASKED, [name])
    Authority.create(folder, name, chosen)
    out = console()
    out.print(f"{folder}: the authority of {name} is made; {CA_FILE} and {CRL_FILE} in it go to the broker", markup=False)
    if chosen is None:
        out.print("Its key is not encrypted: who copies the folder can issue certificates in everybody's name.")


@app.command("issue")
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


@app.command("approve")
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


@app.command("issue-relay")
def issue_relay(out: OutFolder, folder: Folder = DEFAULT_FOLDER, days: Days = SERVICE_DAYS, password_fd: PasswordFd = None) -> None:
    """Make key and certificate of a relay: relay.key, relay.pem. Each relay gets its own."""
    authority = _authority(folder, password_fd)
    _write_pair(authority, out, "relay", lambda: authority.issue_relay(days=days))


@app.command("issue-broker")
def issue_broker(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST…", help="Every name or address by which it is reached.")],
    out: OutFolder,
    folder: Folder = DEFAULT_FOLDER,
    days: Days = SERVICE_DAYS,
    password_fd: PasswordFd = None,
) -> None:
    """Make key and certificate of the broker: broker.key, broker.pem."""
    authority = _authority(folder, password_fd)
    _write_pair(authority, out, "broker", lambda: authority.issue_broker(hosts, days))


@app.command("revoke")
def revoke(
    which: Annotated[
        str, typer.Argument(metavar="TERMINAL", help="A terminal's id; or the name of a relay or broker, where no terminal has it.")
    ],
    folder: Folder = DEFAULT_FOLDER,
    password_fd: PasswordFd = None,
) -> None:
    """Make every certificate of a terminal useless, and write the list that tells the broker."""
    authority = _authority(folder, password_fd)
    authority.revoke(which)
    out = console()
    out.print(f"revoked: {which}. Two things must follow:", markup=False)
    out.print(f"  bring {folder / CRL_FILE} to the broker and reload it (a restart also ends the connections that stand)", markup=False)
    out.print(f"  on a terminal: blinkd keys rotate --revoke {which}   (what is sealed from then on, it cannot open)", markup=False)


@app.command("list")
def list_(context: typer.Context, folder: Folder = DEFAULT_FOLDER, as_json: bool = JsonFlag) -> None:
    """What the authority has given out, and for how long it counts yet; needs no password."""
    issued, today = read_issued(folder), clock_of(context.obj).now().utc.date()
    days_left = [(date.fromisoformat(one.not_after) - today).days for one in issued]
    if as_json:
        print_json([asdict(one) | {"days_left": left} for one, left in zip(issued, days_left, strict=True)])
        return
    table = Table("kind", "name", "until", "days left", "state", "serial number")
    for one, left in zip(issued, days_left, strict=True):
        state = (
            f"revoked {one.revoked}"
            if one.revoked is not None
            else "past its date"
            if left < 0
            else "ends soon"
            if left <= WARN_DAYS
            else "counts"
        )
        table.add_row(one.kind, one.name, one.not_after, str(left), state, one.serial)
    console().print(table if issued else f"{folder}: nothing was issued yet", markup=False)


def _waiting(carrier: Carrier, code: str) -> Request:
    found = carrier.find(handle_of(code))
    if found is None:
        raise BundleRefused("no terminal waits there by this code; read it again, or start `blinkd fleet claim --relay` on the terminal")
    return Request.of(found[0])


def _authority(folder: Path, password_fd: int | None) -> Authority:
    return open_authority(folder, Passwords(password_fd))


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


def _write_pair(authority: Authority, out: Path, name: str, make: Callable[[], tuple[bytes, bytes]]) -> None:
    certificate, key = out / f"{name}.pem", out / f"{name}.key"
    with alone(out):
        if there := [path for path in (certificate, key) if path.exists()]:
            raise CertificateRefused(f"{there[0]}: there already; name another folder, or move it away")
        pem, secret = make()
        write_whole(key, secret)
        write_whole(certificate, pem)
        write_whole(out / CA_FILE, authority.ca_pem)
        write_whole(out / CRL_FILE, authority.crl())
    console().print(f"{out}: {key.name} (secret), {certificate.name}, {CA_FILE}, {CRL_FILE}", markup=False)


def _known_organisation(settings: Settings) -> str:
    try:
        return organisation_of(settings)
    except KeyMissing:
        raise typer.BadParameter("--organisation ORG is needed where no keyring names it") from None
