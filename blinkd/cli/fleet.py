"""The verbs fleet …: certificates and bundles, from the administrator's own authority to terminals, relays and the broker.

Those here and in `fleet_answers.py` work on the authority's folder, which belongs on a machine that is no terminal; those of
`fleet_terminal.py` on a terminal's state folder.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from blinkd.cli import fleet_answers, fleet_terminal
from blinkd.cli.fleet_answers import ASKED, DEFAULT_FOLDER, Days, Folder, clock_of, open_authority
from blinkd.cli.keys import organisation_of
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.crypto.authority import CA_FILE, CRL_FILE, SERVICE_DAYS, Authority, read_issued
from blinkd.crypto.keyfile import alone, write_whole
from blinkd.errors import CertificateRefused, KeyMissing
from blinkd.fleet.expiry import WARN_DAYS
from blinkd.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Certificates and bundles: init, request, claim, issue, approve, install, renew, renewals, status, issue-relay, issue-broker, revoke, list.",
)

OutFolder = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="A folder for certificate, key, ca.pem and crl.pem.")]
fleet_answers.register(app)
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
    context: typer.Context,
    which: Annotated[
        str, typer.Argument(metavar="TERMINAL", help="A terminal's id; or the name of a relay or broker, where no terminal has it.")
    ],
    folder: Folder = DEFAULT_FOLDER,
    password_fd: PasswordFd = None,
) -> None:
    """Make every certificate of a terminal useless, and write the list that tells the broker."""
    authority = _authority(folder, password_fd)
    counted = {one.serial for one in authority.issued() if one.revoked is None}
    authority.revoke(which)
    gone = [one for one in authority.issued() if one.serial in counted and one.revoked is not None]
    left = (date.fromisoformat(max(one.not_after for one in gone)) - clock_of(context.obj).now().utc.date()).days
    out = console()
    many = "1 certificate" if len(gone) == 1 else f"{len(gone)} certificates"
    out.print(f"revoked: {which}: {many}, with {max(left, 0)} days left. Two things must follow:", markup=False)
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


def _authority(folder: Path, password_fd: int | None) -> Authority:
    return open_authority(folder, Passwords(password_fd))


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
