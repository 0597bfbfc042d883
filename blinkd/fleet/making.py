"""At the authority: a bundle is made, for a terminal that has asked, or for one that is to get its keys by it."""

import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import blinkd
from blinkd.crypto.authority import Authority
from blinkd.crypto.box import Box, seal_to
from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, unb64
from blinkd.crypto.keyring import Keyring, KeyringFile, Secrets
from blinkd.crypto.request import Request, make_request, new_tls_key
from blinkd.crypto.signing import Signer, Verifier
from blinkd.crypto.wrapping import unwrap, wrap
from blinkd.errors import BundleRefused, EnvelopeRejected, KeyringRefused, WrongPassword
from blinkd.fleet.bundle import AGAIN, INDEX, Bundle
from blinkd.fleet.codes import code_of, value_of
from blinkd.fleet.fragment import parse_fragment

VALID_DAYS = 30  # of a bundle: it is brought to its terminal within the month, and is no use to who finds it later
CODE_BYTES = 10  # 80 random bits, each guess of which takes 600,000 rounds
KEY_BYTES = 32
KEYS_CONTEXT = b"blinkd bundle keys 1\n"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bundle is to hold beside the certificate. keyring: as `keys export` wrote it, None for a terminal that has it; opened: its secrets,
    None where the terminal shall ask for the organisation password; settings: TOML; valid: how long the bundle may be installed.
    """  # fmt: skip

    keyring: KeyringFile | None = None
    opened: Secrets | None = None
    settings: str = ""
    valid: timedelta = timedelta(days=VALID_DAYS)


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """A terminal's keys. signing, box: 32 bytes each; tls: PEM."""

    signing: bytes = field(repr=False)
    box: bytes = field(repr=False)
    tls: bytes = field(repr=False)

    @classmethod
    def made(cls) -> "OwnKeys":
        """New ones."""
        return cls(secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES), new_tls_key())


def answer_request(authority: Authority, request: Request, days: int, wanted: Wanted, now: datetime) -> Bundle:
    """For a terminal that has asked by `fleet request`. days: validity of the certificate. Raises CertificateRefused, BundleRefused."""
    _check(authority, wanted)
    return _signed(authority, request.terminal, authority.issue_terminal(request, days), request.box, wanted, None, now)


def answer_claim(authority: Authority, request: Request, terminal: str, days: int, wanted: Wanted, now: datetime) -> Bundle:
    """For a terminal that nobody had claimed, under a name of the administrator's choice. Raises as `answer_request`."""
    _check(authority, wanted)
    return _signed(authority, terminal, authority.issue_claimed(request, terminal, days), request.box, wanted, None, now)


def make_whole(authority: Authority, terminal: str, days: int, wanted: Wanted, now: datetime) -> tuple[Bundle, str]:
    """For a terminal that has no keys: they are made here, wrapped, and forgotten; and the code that opens them. Raises as `answer_request`."""
    _check(authority, wanted)
    keys, code = OwnKeys.made(), code_of(secrets.token_bytes(CODE_BYTES))
    box = Box(keys.box).public
    request = make_request(terminal, authority.org, keys.tls, Signer(keys.signing).public, box)
    return _signed(authority, terminal, authority.issue_terminal(request, days), box, wanted, (keys, code), now), code


def open_keys(bundle: Bundle, code: str) -> OwnKeys:
    """The keys in a bundle. Raises BundleRefused when it has none, or the code is not its own."""
    if bundle.keys is None:
        raise BundleRefused("the bundle holds no keys, so it has no code")
    typed = code_of(value_of(code, CODE_BYTES))
    try:
        inner = json.loads(unwrap(bundle.keys.encode(), typed, KEYS_CONTEXT + canonical(bundle.bound())))
        return OwnKeys(unb64(inner["signing"], KEY_BYTES), unb64(inner["box"], KEY_BYTES), str(inner["tls"]).encode())
    except WrongPassword:
        raise BundleRefused("the code is that of another bundle, or the bundle was changed; read the code again") from None
    except (KeyError, TypeError, ValueError, KeyringRefused):
        raise BundleRefused(f"its keys are torn; {AGAIN}") from None


def open_grants(bundle: Bundle, box: Box) -> Keyring | None:
    """The keyring as the terminal works with it; None where the bundle leaves that to the organisation password. Raises BundleRefused."""
    file = bundle.keyring
    if file is None or not bundle.grants:
        return None
    if bundle.grants.keys() != {INDEX, *(epoch.kid for epoch in file.epochs)}:
        raise BundleRefused(f"its keys are not those of its keyring; {AGAIN}")
    if not Verifier(file.admin).holds(bundle.signed_by_admin(), bundle.admin):
        raise BundleRefused(f"its keys are not from the administrator of {file.organisation}; {AGAIN}")
    try:
        opened = {name: bytearray(box.open(grant, file.organisation, name, bundle.terminal)) for name, grant in bundle.grants.items()}
    except EnvelopeRejected:
        raise BundleRefused(f"its keys are sealed to another terminal's box; {AGAIN}") from None
    index = opened.pop(INDEX)
    return Keyring(file.organisation, file.current, opened, index, file.admin)


def _check(authority: Authority, wanted: Wanted) -> None:
    """Before a certificate is given out."""
    parse_fragment(wanted.settings)
    if wanted.keyring is not None and wanted.keyring.organisation != authority.org:
        raise BundleRefused(
            f"the keyring is of {wanted.keyring.organisation}, the authority of {authority.org}; give the keyring of {authority.org}"
        )


def _signed(
    authority: Authority, terminal: str, certificate: bytes, box: bytes, wanted: Wanted, own: tuple[OwnKeys, str] | None, now: datetime
) -> Bundle:
    issued = now.replace(microsecond=0)
    bundle = Bundle(
        blinkd.__version__,
        authority.org,
        terminal,
        issued,
        issued + wanted.valid,
        authority.ca_pem,
        certificate,
        wanted.keyring,
        _grants(authority.org, terminal, box, wanted.opened),
        b"",
        wanted.settings,
        None,
    )
    if wanted.opened is not None:
        bundle = replace(bundle, admin=wanted.opened.administrator().sign(bundle.signed_by_admin()))
    if own is not None:
        keys, code = own
        inner = canonical({"signing": b64(keys.signing), "box": b64(keys.box), "tls": keys.tls.decode()})
        bundle = replace(bundle, keys=wrap(inner, code, KEYS_CONTEXT + canonical(bundle.bound())).decode())
    return replace(bundle, signature=authority.sign(bundle.signed()))


def _grants(org: str, terminal: str, box: bytes, opened: Secrets | None) -> dict[str, dict[str, str]]:
    """All that the keyring holds but the administrator's key, which no terminal needs."""
    if opened is None:
        return {}
    return {name: seal_to(box, org, name, terminal, bytes(key)) for name, key in [*opened.roots.items(), (INDEX, opened.index)]}
