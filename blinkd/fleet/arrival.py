"""A bundle arrives at its terminal: everything about it is checked before anything is changed.

Whose authority it is must be known by more than the file itself, which anybody can make with an authority of his own: by the `ca.pem` that is in
place, by the code of the bundle or of the claim, or by the authority's fingerprint, which somebody compares.
"""

import json
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from blinkd.clock import BUILT, Instant
from blinkd.crypto.authority import CA_FILE
from blinkd.crypto.box import BOX_KEY, Box
from blinkd.crypto.certificates import CertificateChecker, TerminalCertificate
from blinkd.crypto.chain import canonical
from blinkd.crypto.installation import TERMINAL_FILE
from blinkd.crypto.keyfile import KEY_BYTES, KeyName, load_key
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.request import TLS_KEY_FILE, read_tls_key
from blinkd.crypto.signing import SIGNING_KEY, Signer
from blinkd.crypto.unlocked import KEYRING_KEY, PORTABLE_FILE, UNLOCKED_FILE, has_keyring, load, load_file, sealed_at_rest, unlock
from blinkd.errors import BundleRefused, ConfigError, KeyMissing
from blinkd.fleet.bundle import AGAIN, Bundle, authority_fingerprint
from blinkd.fleet.fragment import merge, parse_fragment
from blinkd.fleet.making import OwnKeys, open_grants, open_keys
from blinkd.fleet.placing import Place
from blinkd.settings_file import load_settings

RECORD_FILE = "bundle.json"  # in the state folder: which bundle was installed last
CLOCKS_DIFFER = timedelta(days=1)
SETTINGS_MODE = 0o640  # a camera's address may hold a password
ASK = "run `blinkd fleet request` here and have that request issued"


@dataclass(frozen=True, slots=True)
class Here:
    """The terminal. owner: user and group of what is written into the state folder, None for whoever runs this."""

    state_dir: Path
    config_file: Path
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What comes with a bundle by another way. code: of its keys; password: the organisation's; authority: fingerprint of the authority;
    claimed: the bundle answers this terminal's own claim, which has been proved.
    """  # fmt: skip

    code: str | None = None
    password: str | None = None
    authority: str | None = None
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """What will be put in place, and what is to be said about it."""

    certificate: TerminalCertificate
    places: tuple[Place, ...]
    notes: tuple[str, ...]


def examine(bundle: Bundle, here: Here, given: Given, now: Instant) -> Arrival:
    """Check a bundle against this terminal. The caller holds the state folder's lock.

    Raises BundleRefused, CertificateRefused, KeyMissing, KeyringRefused, WrongPassword, ConfigError; nothing was changed then.
    """
    notes: list[str] = []
    trusted = now.confidence == "synced"
    _check_dates(bundle, now.utc, trusted=trusted)
    if not trusted:
        notes.append("this clock is not known to be right, so the dates were not judged")
    _check_owner(here)
    _check_newer(bundle, here)
    keyring_here = load_file(here.state_dir / PORTABLE_FILE) if (here.state_dir / PORTABLE_FILE).exists() else None
    if keyring_here is not None and keyring_here.organisation != bundle.organisation:
        raise BundleRefused(
            f"the bundle is of {bundle.organisation}, this terminal belongs to {keyring_here.organisation}; "
            f"to change the organisation, begin with an empty state folder instead of {here.state_dir}"
        )
    if bundle.keys is not None and given.code is None:
        raise BundleRefused("the bundle holds the terminal's keys, and opens by the code that `blinkd fleet issue` showed; give that")
    own = None if bundle.keys is None else open_keys(bundle, str(given.code))
    _check_authority(bundle, here, given, vouched=own is not None or given.claimed)
    der = _der(bundle.certificate)
    certificate = CertificateChecker(bundle.authority).check(der, bundle.organisation, bundle.terminal, now.utc if trusted else None)
    places = _key_places(certificate, der, here, own)
    places += _keyring_places(bundle, here, keyring_here, own, given, notes)
    places += [_state(here, CA_FILE, bundle.authority), _state(here, TERMINAL_FILE, bundle.certificate)]
    settings = _settings_place(bundle, here, notes)
    record = {"fingerprint": bundle.fingerprint(), "issued": bundle.issued.isoformat(), "terminal": bundle.terminal}
    places += [*settings, _state(here, RECORD_FILE, canonical(record) + b"\n")]  # last: it says that the rest is there
    return Arrival(certificate, tuple(places), tuple(notes))


def _check_dates(bundle: Bundle, now: datetime, *, trusted: bool) -> None:
    span = f"it may be installed from {bundle.issued:%Y-%m-%d} to {bundle.expires:%Y-%m-%d}"
    if bundle.expires < BUILT or (trusted and now > bundle.expires):
        raise BundleRefused(f"the bundle has expired: {span}; {AGAIN}")
    if trusted and now < bundle.issued - CLOCKS_DIFFER:
        raise BundleRefused(
            f"the bundle is not valid yet: {span}, and this clock says {now:%Y-%m-%d}; put the clock right, here or at the authority"
        )


def _check_owner(here: Here) -> None:
    folder = here.state_dir
    try:
        found = folder.stat()
    except OSError as error:
        raise BundleRefused(f"{folder}: {error.strerror}; install blinkd first, or make the folder") from None
    if not stat.S_ISDIR(found.st_mode):
        raise BundleRefused(f"{folder}: is no folder; name another state_dir")
    me = os.geteuid()
    if me not in (0, found.st_uid):
        raise BundleRefused(f"{folder}: belongs to user {found.st_uid}, and you are user {me}; run this as root (sudo), or as its owner")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise BundleRefused(f"{folder}: others may write into it; run: chmod 700 {folder}")


def _check_newer(bundle: Bundle, here: Here) -> None:
    try:
        issued = datetime.fromisoformat(json.loads((here.state_dir / RECORD_FILE).read_bytes())["issued"])
        older = bundle.issued < issued
    except (OSError, KeyError, TypeError, ValueError):
        return  # none was installed, or its record is torn: then the bundle's own dates have to do
    if older:
        raise BundleRefused(
            f"the bundle is of {bundle.issued:%Y-%m-%d %H:%M}, and one of {issued:%Y-%m-%d %H:%M} is installed; bring the newest one"
        )


def _check_authority(bundle: Bundle, here: Here, given: Given, *, vouched: bool) -> None:
    shown = authority_fingerprint(bundle.authority)
    if given.authority is not None and "".join(given.authority.lower().split()) != shown.replace(" ", ""):
        raise BundleRefused(
            f"the bundle's authority has the fingerprint {shown}, not the one that was given; it is another authority's bundle"
        )
    path = here.state_dir / CA_FILE
    if path.exists():
        if _der(_read(path)) != _der(bundle.authority):
            raise BundleRefused(
                f"{path}: another authority is installed, and nobody whom it has certified would be believed any more; "
                "if the organisation really has a new one, move the file away first"
            )
    elif given.authority is None and not vouched:
        raise BundleRefused(
            f"nothing here tells whether the bundle is from your authority: its fingerprint is {shown}; "
            f'compare it with what `blinkd fleet issue` showed, and give --authority "{shown}"'
        )


def _key_places(certificate: TerminalCertificate, der: bytes, here: Here, own: OwnKeys | None) -> list[Place]:
    """The terminal's own keys, where the bundle brings them; in any case they are those that the certificate names."""
    folder = here.state_dir
    if own is None:
        signing, box, tls = Signer.load(folder, create=False).public, Box.load(folder, create=False).public, _read(folder / TLS_KEY_FILE)
    else:
        signing, box, tls = Signer(own.signing).public, Box(own.box).public, own.tls
        mine = [(SIGNING_KEY, own.signing), (BOX_KEY, own.box)]
        if any(_there(folder, name, key) for name, key in mine) or (
            (folder / TLS_KEY_FILE).exists() and _read(folder / TLS_KEY_FILE) != tls
        ):
            raise BundleRefused(f"{folder}: this terminal has keys of its own, which must not be overwritten; {ASK}")
    if certificate.signing != signing or certificate.box != box:
        raise BundleRefused(f"the certificate names other signing or box keys than this terminal has; {ASK}")
    if x509.load_der_x509_certificate(der).public_key() != read_tls_key(tls).public_key():
        raise BundleRefused(f"the certificate is for another TLS key than {TLS_KEY_FILE}; {ASK}")
    if own is None:
        return []
    return [_state(here, SIGNING_KEY.file, own.signing), _state(here, BOX_KEY.file, own.box), _state(here, TLS_KEY_FILE, own.tls)]


def _there(folder: Path, name: KeyName, key: bytes) -> bool:
    """Whether the terminal has another key by this name. Raises KeyMissing for one that cannot be read."""
    try:
        return load_key(folder, name, create=False) != key
    except KeyMissing:
        if (folder / name.file).exists():
            raise
        return False


def _keyring_places(
    bundle: Bundle, here: Here, keyring_here: KeyringFile | None, own: OwnKeys | None, given: Given, notes: list[str]
) -> list[Place]:
    file = bundle.keyring
    if file is None:
        if keyring_here is None:
            raise BundleRefused(f"this terminal has no keyring and the bundle brings none; {AGAIN}, with --keyring")
        return []
    if file.organisation != bundle.organisation:
        raise BundleRefused(f"its keyring is of {file.organisation}, its authority of {bundle.organisation}; {AGAIN}")
    if keyring_here is not None:
        if file.admin != keyring_here.admin:
            raise BundleRefused(
                f"its keyring is another one of {file.organisation} than is here; bring a bundle made with the keyring of this organisation"
            )
        if file.revision < keyring_here.revision:
            notes.append(f"the keyring here is newer (revision {keyring_here.revision}, the bundle's has {file.revision}) and stays")
            return []
        if file.revision == keyring_here.revision and file != keyring_here:
            raise BundleRefused(
                f"two different keyrings of revision {file.revision}: it was changed in two places at once; run `blinkd keys rotate`"
            )
    keyring = _opened(bundle, file, Box(own.box) if own is not None else Box.load(here.state_dir, create=False), given)
    try:
        if has_keyring(here.state_dir):  # epochs that have come by the registry meanwhile
            for epoch, root in load(here.state_dir).roots.items():
                keyring.take(epoch, bytes(root))
        key, key_place = _keyring_key(here)
        return [
            *key_place,
            _state(here, PORTABLE_FILE, canonical(file.to_json()) + b"\n"),
            _state(here, UNLOCKED_FILE, sealed_at_rest(key, keyring)),
        ]
    finally:
        keyring.wipe()


def _opened(bundle: Bundle, file: KeyringFile, box: Box, given: Given) -> Keyring:
    if (keyring := open_grants(bundle, box)) is not None:
        return keyring
    if given.password is None:
        raise BundleRefused("its keyring opens by the organisation password; give that, or have the bundle issued without --locked")
    with file.opened(given.password) as secret:
        return unlock(file, secret)


def _keyring_key(here: Here) -> tuple[bytes, list[Place]]:
    try:
        return load_key(here.state_dir, KEYRING_KEY, create=False), []
    except KeyMissing:
        if (here.state_dir / KEYRING_KEY.file).exists():
            raise
    key = secrets.token_bytes(KEY_BYTES)
    return key, [_state(here, KEYRING_KEY.file, key)]


def _settings_place(bundle: Bundle, here: Here, notes: list[str]) -> list[Place]:
    path = here.config_file.resolve()
    wanted = parse_fragment(bundle.settings)
    wanted.setdefault("terminal", {})["id"] = bundle.terminal
    try:
        there = path.stat() if path.exists() else None
        existing = path.read_text(encoding="utf-8") if there is not None else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BundleRefused(f"{path}: cannot be read: {error}; check its owner, mode and content") from None
    try:
        merged = merge(existing, wanted)
    except BundleRefused as error:
        raise BundleRefused(f"{path}: {error}") from None
    _check_settings(merged.text, path, bundle)
    notes += [f"{path}: {key} stays as it is set there; the bundle would set it otherwise" for key in merged.kept]
    if merged.text == existing:
        return []
    if there is not None and there.st_mode & 0o002:
        raise BundleRefused(f"{path}: everybody may write it; run: chmod o-w {path}")
    parent = next(one for one in path.parents if one.exists())
    # the file's owner stays its owner, which only root or that user can see to
    if not os.access(parent, os.W_OK) or (there is not None and os.geteuid() not in (0, there.st_uid)):
        raise BundleRefused(f"{path}: you may not write it; run this as root (sudo)")
    notes += [f"{path}: {key} is set" for key in merged.added]
    if there is not None:
        return [Place(path, merged.text.encode(), stat.S_IMODE(there.st_mode), (there.st_uid, there.st_gid))]
    owner = None if here.owner is None else (os.geteuid(), here.owner[1])  # the daemon may read it, and change nothing
    return [Place(path, merged.text.encode(), SETTINGS_MODE, owner)]


def _check_settings(text: str, path: Path, bundle: Bundle) -> None:
    """As the daemon will read them, variables and all."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.touch(mode=0o600)
        trial.write_text(text, encoding="utf-8")
        try:
            settings = load_settings(trial)
        except ConfigError as error:
            raise ConfigError(f"with the bundle's settings: {str(error).replace(str(trial), str(path))}") from None
    if settings.terminal.id != bundle.terminal:
        raise BundleRefused(
            f"the bundle is for {bundle.organisation}/{bundle.terminal}, and this terminal is called {settings.terminal.id} "
            f"(terminal.id in {path}, or BLINKD_TERMINAL__ID); bring the bundle of {settings.terminal.id}, or take that line out"
        )


def _state(here: Here, name: str, content: bytes) -> Place:
    return Place(here.state_dir.resolve() / name, content, owner=here.owner)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyMissing(f"{path}: cannot be read: {error.strerror}; {ASK}") from None


def _der(pem: bytes) -> bytes:
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    except ValueError:
        return pem
