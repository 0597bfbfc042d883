"""The verbs fleet … of a terminal: request, claim, install, renew."""

import contextlib
import json
import os
import pwd
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from blinkd.cli.config_file import config_file
from blinkd.cli.keys import organisation_of
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.cli.qr import shown
from blinkd.cli.whole_file import write_whole as write_out
from blinkd.clock import SystemClock
from blinkd.crypto.box import Box
from blinkd.crypto.chain import canonical
from blinkd.crypto.installation import install_certificate
from blinkd.crypto.keyfile import alone
from blinkd.crypto.request import UNCLAIMED, Request, make_request, own_tls_key
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import PORTABLE_FILE
from blinkd.errors import BundleRefused, CarrierAway
from blinkd.fleet.arrival import Arrival, Given, Here, examine
from blinkd.fleet.bundle import Bundle, read_limited
from blinkd.fleet.carrier import Carrier
from blinkd.fleet.claim import CLAIM_FILE, KIND, QR_SCHEME, Claim
from blinkd.fleet.expiry import certificate_file, expiry_of
from blinkd.fleet.placing import FOLDER as ARRIVING
from blinkd.fleet.placing import place_all, resume
from blinkd.fleet.renewal import BEFORE_DAYS, box_of
from blinkd.settings import Settings

USER = "blinkd"  # who runs the daemon, where install.sh has made the user
PEM = b"-----BEGIN "
POLL_S = 10.0  # between two looks for an answer; a hundred terminals of a site stay within the relay's limit for their one address

Out = Annotated[str, typer.Option("-o", "--out", metavar="FILE", help="Where to write it; - for standard output.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("request")(request)
    app.command("claim")(claim)
    app.command("install")(install)
    app.command("renew")(renew)
    app.command("status")(status)


def request(
    context: typer.Context,
    out: Out,
    organisation: Annotated[
        str | None,
        typer.Option("--organisation", metavar="ORG", help="Whose certificate is asked for, where no keyring is here that tells."),
    ] = None,
) -> None:
    """On a terminal: make its keys where they are missing, and ask for a certificate. `fleet issue` answers the file."""
    settings: Settings = context.obj
    org = organisation or organisation_of(settings)
    asked, signer = _asked(settings, org)
    write_out(out, json.dumps(asked.to_json(signer)).encode() + b"\n")
    said = notes()  # the request itself may go to standard output
    said.print(f"asks for the certificate of {org}/{settings.terminal.id}; run `blinkd fleet issue` with it at the authority", markup=False)
    said.print(f"fingerprint: {asked.fingerprint()}", markup=False)


def renew(
    context: typer.Context,
    out: Annotated[str | None, typer.Option("-o", "--out", metavar="FILE", help="Write the request here, to be carried by hand.")] = None,
    relay: Annotated[
        str | None,
        typer.Option("--relay", metavar="URL", help="Leave it there, or take the answer that is there (default: sync.relay_url)."),
    ] = None,
    before: Annotated[
        int, typer.Option("--before", min=0, max=3650, metavar="DAYS", help="By a relay: only with so many days left, or fewer.")
    ] = BEFORE_DAYS,
) -> None:
    """On a terminal: ask for its next certificate, with the keys that it has; by a relay without anybody's help, for a timer.

    By hand: `fleet issue` answers the file, `fleet install` takes the answer. By a relay: `fleet renewals` answers all that wait.
    """
    settings: Settings = context.obj
    expiry = expiry_of(settings, SystemClock(trust_hardware=settings.terminal.trust_hardware_clock).now())
    notes().print(expiry.words, markup=False)
    if expiry.not_after is None:
        raise BundleRefused("there is no certificate to renew; `blinkd fleet request` or `blinkd fleet claim` asks for the first one")
    if out is not None:
        request(context, out)
        return
    address = relay or settings.sync.relay_url
    if not address:
        raise typer.BadParameter("give -o FILE, or --relay URL, or set sync.relay_url")
    if expiry.days is None or expiry.days > before:
        console().print("nothing to do yet")
        return
    _renew_by(context, settings, Carrier(address))


def status(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """On a terminal: whose it is, and how long its certificate counts yet; exit code 1 where somebody should do something.

    The JSON: {"organisation", "terminal", "state", "days", "not_after", "words"}; state is none, missing, unreadable, early, ok, soon, over, or
    unknown where this clock may be wrong.
    """
    settings: Settings = context.obj
    found = expiry_of(settings, SystemClock(trust_hardware=settings.terminal.trust_hardware_clock).now())
    organisation = organisation_of(settings) if (settings.state_dir / PORTABLE_FILE).exists() else None
    if as_json:
        until = None if found.not_after is None else found.not_after.isoformat()
        who = {"organisation": organisation, "terminal": settings.terminal.id}
        print_json(who | {"state": found.state, "days": found.days, "not_after": until, "words": found.words})
    else:
        console().print(f"{organisation or 'no organisation'}/{settings.terminal.id}: {found.words}", markup=False)
    if found.troubles:
        raise typer.Exit(1)


def claim(
    context: typer.Context,
    out: Annotated[str | None, typer.Option("-o", "--out", metavar="FILE", help="Write the request here, to be carried by hand.")] = None,
    relay: Annotated[
        str | None, typer.Option("--relay", metavar="URL", help="Leave the request there, wait for the answer, and install it.")
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=0, max=31_536_000, metavar="SECONDS", help="With --relay: how long.")] = 86_400,
) -> None:
    """On a new terminal: make its keys, and show the code by which the administrator takes it in (`fleet approve CODE`)."""
    settings: Settings = context.obj
    address = relay or (settings.sync.relay_url if out is None else "")
    if out is None and not address:
        raise typer.BadParameter("give --relay URL, or set sync.relay_url, or -o FILE to carry the request by hand")
    carrier = Carrier(address) if address else None
    asked, signer = _asked(settings, UNCLAIMED)
    with _owned(settings.state_dir), alone(settings.state_dir):
        begun = Claim.begin(settings.state_dir, asked, signer)
    if out is not None:
        write_out(out, canonical(begun.sent) + b"\n")
    typer.echo(shown(QR_SCHEME + begun.code), err=True)
    said = notes()
    said.print(f"code: {begun.code}", markup=False)
    if carrier is None:
        said.print("at the authority: blinkd fleet approve CODE --request FILE --keyring keyring.json -o ANSWER", markup=False)
        said.print("then here: blinkd fleet install ANSWER", markup=False)
        return
    said.print(f"at the authority: blinkd fleet approve CODE --relay {address} --keyring keyring.json", markup=False)
    _say(_await(context, settings, begun, carrier, time.monotonic() + wait))


def install(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="BUNDLE|ANSWER|CERT.pem", help="What `blinkd fleet issue` or `fleet approve` wrote.")],
    ca: Annotated[Path | None, typer.Option("--ca", metavar="CA.pem", help="With CERT.pem: the authority's certificate.")] = None,
    authority: Annotated[
        str | None, typer.Option("--authority", metavar="FINGERPRINT", help="Of the authority, as `fleet issue` showed it.")
    ] = None,
    password_fd: PasswordFd = None,
) -> None:
    """On a terminal: take in what the authority has made for it. Everything is checked first; then all of it is put in place, or nothing."""
    settings: Settings = context.obj
    try:
        content = read_limited(path)
        if content.startswith(PEM):
            if ca is None:
                raise typer.BadParameter(f"{path}: a certificate alone; give --ca, the authority's")
            now = SystemClock(trust_hardware=settings.terminal.trust_hardware_clock).now()
            at = now.utc if now.confidence == "synced" else None  # a clock that may be wrong says nothing about validity
            with _owned(settings.state_dir):
                found = install_certificate(
                    settings.state_dir, organisation_of(settings), settings.terminal.id, content, read_limited(ca), at
                )
            console().print(f"{found.org}/{found.terminal} is certified until {found.not_after:%Y-%m-%d}", markup=False)
            return
        here = _here(context, settings)
        with _locked(here):
            bundle, claimed = _bundle(content, settings.state_dir)
        arrival = _take(settings, here, bundle, Passwords(password_fd), authority, claimed=claimed)
    except BundleRefused as error:
        raise BundleRefused(f"{path}: {error}") from None
    _say(arrival)


def _await(context: typer.Context, settings: Settings, begun: Claim, carrier: Carrier, until: float) -> Arrival:
    """Until a true answer is there, and in place. A carrier that is away, or brings a false answer, may yet bring the true one."""
    here, before = _here(context, settings), ""
    while True:
        bundle, trouble = None, ""
        try:
            bundle = _answered(settings, begun, carrier)
        except (BundleRefused, CarrierAway) as error:
            trouble = str(error)
        if bundle is not None:
            return _take(settings, here, bundle, Passwords(None), None, claimed=True)
        if trouble != before and trouble:
            notes().print(f"{trouble}; going on", markup=False)
        before, left = trouble, until - time.monotonic()
        if left <= 0:
            raise BundleRefused("nobody has approved this terminal yet; run the same command again: the code stays the same")
        time.sleep(min(POLL_S, left))


def _answered(settings: Settings, begun: Claim, carrier: Carrier) -> Bundle | None:
    """Ask once. A relay that knows nothing of the claim, or no more, is given it."""
    found = carrier.find(begun.handle)
    if found is None:
        carrier.begin(begun.sent)
        return None
    return None if found[1] is None else begun.open(found[1], Box.load(settings.state_dir, create=False))


def _renew_by(context: typer.Context, settings: Settings, carrier: Carrier) -> None:
    asked, signer = _asked(settings, organisation_of(settings))
    box = box_of(asked)
    found = carrier.find(box)
    if found is None:
        carrier.begin(asked.to_json(signer))
    if found is None or found[1] is None:
        console().print("the request waits for the administrator: blinkd fleet renewals")
        return
    bundle = Bundle.of(found[1])
    if bundle.certificate == _bytes_of(certificate_file(settings)):
        console().print("the answer that is there is installed already")
        return
    _say(_take(settings, _here(context, settings), bundle, Passwords(None), None, claimed=False))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _take(settings: Settings, here: Here, bundle: Bundle, words: Passwords, authority: str | None, *, claimed: bool) -> Arrival:
    """Check a bundle, and put it in place."""
    now = SystemClock(trust_hardware=settings.terminal.trust_hardware_clock).now()
    code = None if bundle.keys is None else words.existing("code of the bundle")
    wants = bundle.keyring is not None and not bundle.grants
    given = Given(code, words.existing("organisation password") if wants else None, authority, claimed)
    with _locked(here):
        arrival = examine(bundle, here, given, now)
        place_all(settings.state_dir, arrival.places)
        if claimed:
            (settings.state_dir / CLAIM_FILE).unlink(missing_ok=True)  # its code has done its work
    return arrival


def _asked(settings: Settings, org: str) -> tuple[Request, Signer]:
    folder = settings.state_dir
    with _owned(folder), alone(folder):
        resume(folder)
        signer, box = Signer.load(folder, create=not _has_signed(settings)), Box.load(folder, create=True)
        return make_request(settings.terminal.id, org, own_tls_key(folder), signer.public, box.public), signer


def _bundle(content: bytes, state_dir: Path) -> tuple[Bundle, bool]:
    """The bundle in a file, and whether it is the proved answer to this terminal's claim."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise BundleRefused("torn, or no bundle; bring it again") from None
    if isinstance(value, dict) and value.get("kind") == KIND:
        return Claim.load(state_dir).open(value, Box.load(state_dir, create=False)), True
    return Bundle.of(value), False


def _say(arrival: Arrival) -> None:
    out, found = console(), arrival.certificate
    for note in arrival.notes:
        out.print(note, markup=False)
    out.print(f"{found.org}/{found.terminal} is certified until {found.not_after:%Y-%m-%d}", markup=False)
    out.print("A daemon that runs takes it up when it is started anew: systemctl restart blinkd")


def _here(context: typer.Context, settings: Settings) -> Here:
    return Here(settings.state_dir, config_file(context), _owner(settings.state_dir))


def _owner(folder: Path) -> tuple[int, int] | None:
    """Whose the state folder's files are to be, where root runs this for the daemon's user."""
    if os.geteuid() != 0:
        return None
    try:
        if folder.exists():
            found = folder.stat()
            return found.st_uid, found.st_gid
        user = pwd.getpwnam(USER)
    except KeyError:
        return None
    return user.pw_uid, user.pw_gid


@contextlib.contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """What root makes in the state folder, or puts in another file's place, belongs to the daemon's user, or the daemon could not read it."""
    owner = _owner(folder)
    before = _files(folder)
    try:
        yield
    finally:
        if owner is not None and folder.exists():
            if before is None:
                os.chown(folder, *owner)
            for file, path in (_files(folder) or {}).items():
                # a plan counts for its maker only, who will end it
                if file not in (before or {}) and path.name != ARRIVING:
                    os.chown(path, *owner, follow_symlinks=False)


def _files(folder: Path) -> dict[tuple[int, int], Path] | None:
    """By inode and time of its last change: what was put in the place of another has its name, and may have an inode that had become free.

    Second names of files that lie elsewhere too are left out.
    """
    if not folder.exists():
        return None
    found = [(path, path.lstat()) for path in folder.iterdir()]
    return {(one.st_ino, one.st_ctime_ns): path for path, one in found if stat.S_ISDIR(one.st_mode) or one.st_nlink == 1}


@contextlib.contextmanager
def _locked(here: Here) -> Iterator[None]:
    """While nobody else works on the folder; what an earlier run has left is ended first."""
    with _owned(here.state_dir), alone(here.state_dir):
        resume(here.state_dir)
        yield


def _has_signed(settings: Settings) -> bool:
    """Whether the terminal has signed entries or people: then its signing key must be there, for by a new one none of it would hold."""
    from blinkd.store.database import Store  # noqa: PLC0415  brings what the other verbs do without

    with Store.open(settings.state_dir, settings.store, read_only=True) as store:
        return store.book.head() is not None or bool(store.people.all())
