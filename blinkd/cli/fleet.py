"""The verbs fleet …: certificates, from the administrator's own authority to terminals, relays and the broker.

`init`, `issue…`, `revoke` and `list` work on the authority's folder, which belongs on a machine that is no terminal; `request` and `install` on a
terminal's state folder.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from blinkd.cli.keys import organisation_of
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.cli.whole_file import write_whole as write_out
from blinkd.clock import SystemClock
from blinkd.crypto.authority import CA_FILE, CRL_FILE, SERVICE_DAYS, TERMINAL_DAYS, Authority, has_password, read_issued
from blinkd.crypto.box import Box
from blinkd.crypto.installation import install_certificate
from blinkd.crypto.keyfile import alone, write_whole
from blinkd.crypto.request import Request, make_request, own_tls_key
from blinkd.crypto.signing import Signer
from blinkd.errors import CertificateRefused, KeyMissing
from blinkd.settings import Settings

DEFAULT_FOLDER = Path("blinkd-ca")
MOST_DAYS = 3650
ASKED = "authority's password"

app = typer.Typer(
    no_args_is_help=True,
    help="Certificates: init, request, issue, install, issue-relay, issue-broker, revoke, list.",
)

Folder = Annotated[Path, typer.Option("--folder", metavar="F", help="The authority's folder.")]
Out = Annotated[str, typer.Option("-o", "--out", metavar="FILE", help="Where to write it.")]
OutFolder = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="A folder for certificate, key, ca.pem and crl.pem.")]
Days = Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="How long it is valid.")]


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


@app.command("request")
def request(context: typer.Context, out: Out) -> None:
    """On a terminal: make its keys where they are missing, and ask for a certificate. `fleet issue` answers the file."""
    settings: Settings = context.obj
    folder, org = settings.state_dir, organisation_of(settings)
    with alone(folder):
        signer, box = Signer.load(folder, create=not _has_signed(settings)), Box.load(folder, create=True)
        asked = make_request(settings.terminal.id, org, own_tls_key(folder), signer.public, box.public)
    write_out(out, json.dumps(asked.to_json(signer)).encode() + b"\n")
    said = notes()  # the request itself may go to standard output
    said.print(f"asks for the certificate of {org}/{settings.terminal.id}; run `blinkd fleet issue` with it at the authority", markup=False)
    said.print(f"fingerprint: {asked.fingerprint()}", markup=False)


@app.command("issue")
def issue(
    path: Annotated[Path, typer.Argument(metavar="REQUEST", help="What `blinkd fleet request` wrote on the terminal.")],
    out: Out,
    folder: Folder = DEFAULT_FOLDER,
    days: Days = TERMINAL_DAYS,
    password_fd: PasswordFd = None,
) -> None:
    """Issue a terminal's certificate. Be sure that the file is the terminal's own: compare the fingerprint with the one it showed."""
    asked = Request.load(path)
    authority = _authority(folder, password_fd)
    write_out(out, authority.issue_terminal(asked, days))
    said = notes()  # the certificate itself may go to standard output
    said.print(f"issued to {authority.org}/{asked.terminal}, whose request has the fingerprint {asked.fingerprint()}", markup=False)
    said.print(f"bring it and {folder / CA_FILE} to the terminal and run `blinkd fleet install` there", markup=False)


@app.command("install")
def install(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="CERT.pem", help="What `blinkd fleet issue` wrote.")],
    ca: Annotated[Path, typer.Option("--ca", metavar="CA.pem", help="The authority's certificate.")],
) -> None:
    """On a terminal: put its certificate and the authority's in their places, once both are found to be the right ones."""
    settings: Settings = context.obj
    now = SystemClock(trust_hardware=settings.terminal.trust_hardware_clock).now()
    at = now.utc if now.confidence == "synced" else None  # a clock that may be wrong says nothing about validity
    found = install_certificate(settings.state_dir, organisation_of(settings), settings.terminal.id, _bytes(path), _bytes(ca), at)
    console().print(f"{found.org}/{found.terminal} is certified until {found.not_after:%Y-%m-%d}", markup=False)


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
def list_(folder: Folder = DEFAULT_FOLDER, as_json: bool = JsonFlag) -> None:
    """What the authority has given out; needs no password."""
    issued = read_issued(folder)
    if as_json:
        print_json([asdict(one) for one in issued])
        return
    table, today = Table("kind", "name", "until", "state", "serial number"), SystemClock().now().utc.date()
    for one in issued:
        state = f"revoked {one.revoked}" if one.revoked is not None else "counts" if one.counts(today) else "past its date"
        table.add_row(one.kind, one.name, one.not_after, state, one.serial)
    console().print(table if issued else f"{folder}: nothing was issued yet", markup=False)


def _authority(folder: Path, password_fd: int | None) -> Authority:
    return Authority.load(folder, Passwords(password_fd).existing(ASKED) if has_password(folder) else None)


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


def _has_signed(settings: Settings) -> bool:
    """Whether the terminal has signed entries or people: then its signing key must be there, for by a new one none of it would hold."""
    from blinkd.store.database import Store  # noqa: PLC0415  brings what the other verbs do without

    with Store.open(settings.state_dir, settings.store, read_only=True) as store:
        return store.book.head() is not None or bool(store.people.all())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateRefused(f"{path}: cannot be read: {error.strerror}") from None
