"""All that a terminal needs to belong to an organisation, in one file that the organisation's authority has signed.

The file is JSON: whom it is for and for how long, the certificates of the authority and of the terminal, the keyring as `keys export` writes it,
the keyring's keys sealed to the terminal's box (so that nobody types the organisation password at a door), and settings as TOML. Where the
terminal has no keys yet, they are in it too, wrapped by a code that was shown once.

What a signature by the authority that the same file brings is worth: that nothing was changed since. Whose authority it is must be known in
another way, and `arrival.py` asks for one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from blinkd.crypto.certificates import UNREADABLE
from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, unb64
from blinkd.crypto.keyring import KeyringFile
from blinkd.errors import BundleRefused, KeyringRefused

KIND, VERSION = "blinkd bundle", 1
CONTEXT, ADMIN = b"blinkd bundle 1\n", b"blinkd bundle admin 1\n"
MEMBERS = frozenset(
    {
        "kind", "v", "made_by", "organisation", "terminal", "issued", "expires", "authority", "certificate", "keyring", "grants", "admin", "settings",
        "keys", "signature",
    }
)  # fmt: skip
MOST_BYTES = 4 << 20  # of a file; the longest keyring is of 1 MiB
INDEX = "index"  # among the grants, the key that names records; no epoch is called so
AGAIN = "have `blinkd fleet issue` write it again, and bring that one"
FINGERPRINT_HEX = 32  # 128 bits: nobody makes a second authority to match


@dataclass(frozen=True, slots=True)
class Bundle:
    """made_by: version of blinkd; issued, expires: aware UTC, whole seconds; authority, certificate: PEM; keyring: None where the terminal has
    it already; grants: the keyring's keys by epoch, and the index, each sealed to the terminal's box, empty where the organisation password is
    wanted on the terminal; admin: the administrator's signature of them, b"" where there are none; settings: TOML; keys: the terminal's own, wrapped by a code, None where they never left it; signature: DER.
    """  # fmt: skip

    made_by: str
    organisation: str
    terminal: str
    issued: datetime
    expires: datetime
    authority: bytes
    certificate: bytes
    keyring: KeyringFile | None
    grants: Mapping[str, Mapping[str, str]]
    admin: bytes
    settings: str
    keys: str | None
    signature: bytes = b""

    def bound(self) -> dict[str, Any]:
        """Every member but keys and signature."""
        return {
            "kind": KIND,
            "v": VERSION,
            "made_by": self.made_by,
            "organisation": self.organisation,
            "terminal": self.terminal,
            "issued": self.issued.isoformat(),
            "expires": self.expires.isoformat(),
            "authority": self.authority.decode(),
            "certificate": self.certificate.decode(),
            "keyring": None if self.keyring is None else self.keyring.to_json(),
            "grants": {name: dict(grant) for name, grant in self.grants.items()},
            "admin": b64(self.admin),
            "settings": self.settings,
        }

    def signed_by_admin(self) -> bytes:
        """What the administrator signs: the keys, and for whom. Who steals the authority's key gives no terminal keys of his own by that."""
        bound = self.bound()
        return ADMIN + canonical({name: bound[name] for name in ("organisation", "terminal", "keyring", "grants")})

    def signed(self) -> bytes:
        """What the authority signs."""
        return CONTEXT + canonical({**self.bound(), "keys": self.keys})

    def to_json(self) -> dict[str, Any]:
        """Its JSON value."""
        return {**self.bound(), "keys": self.keys, "signature": b64(self.signature)}

    def to_bytes(self) -> bytes:
        """The file."""
        return canonical(self.to_json()) + b"\n"

    def fingerprint(self) -> str:
        """Of all that it says, as hexadecimal text: the same bundle again has the same."""
        return hashlib.sha256(self.signed()).hexdigest()

    @classmethod
    def parse(cls, text: bytes) -> "Bundle":
        """Read one, and check that its authority has signed it. Raises BundleRefused."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise BundleRefused(f"torn, or no bundle; {AGAIN}") from None
        return cls.of(value)

    @classmethod
    def of(cls, value: object) -> "Bundle":
        """Of the file's JSON value. Raises BundleRefused."""
        try:
            if not isinstance(value, Mapping) or value["kind"] != KIND:
                raise ValueError("no bundle")
            if type(value["v"]) is not int or value["v"] > VERSION:
                made = str(value.get("made_by", "another version"))[:40]
                raise BundleRefused(f"made by a newer blinkd ({made}), in a form that this one does not know; upgrade this terminal first")
            if value.keys() != MEMBERS:
                raise ValueError("other members")
            keyring, keys = value["keyring"], value["keys"]
            texts = [value[name] for name in ("made_by", "organisation", "terminal", "authority", "certificate", "settings")]
            if not all(isinstance(one, str) for one in [*texts, *([] if keys is None else [keys])]):
                raise TypeError("not text")
            made_by, organisation, terminal, authority, certificate, settings = texts
            found = cls(
                made_by,
                organisation,
                terminal,
                _moment(value["issued"]),
                _moment(value["expires"]),
                authority.encode(),
                certificate.encode(),
                None if keyring is None else KeyringFile.of(keyring),
                {str(name): {str(key): str(text) for key, text in grant.items()} for name, grant in value["grants"].items()},
                unb64(value["admin"]),
                settings,
                keys,
                unb64(value["signature"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise BundleRefused(f"torn, or no bundle; {AGAIN}") from None
        except KeyringRefused as error:
            raise BundleRefused(f"{error}") from None
        found._check_signature()
        return found

    @classmethod
    def load(cls, path: Path) -> "Bundle":
        """Of a file. Raises BundleRefused."""
        try:
            return cls.parse(read_limited(path))
        except BundleRefused as error:
            raise BundleRefused(f"{path}: {error}") from None

    def _check_signature(self) -> None:
        try:
            key = x509.load_pem_x509_certificate(self.authority).public_key()
            if not isinstance(key, ec.EllipticCurvePublicKey):
                raise TypeError("another kind of key")
            key.verify(self.signature, self.signed(), ec.ECDSA(SHA256()))
        except (*UNREADABLE, InvalidSignature):
            raise BundleRefused(f"changed since the authority signed it, or torn; {AGAIN}") from None


def authority_fingerprint(pem: bytes) -> str:
    """Of an authority's certificate, for reading aloud: 8 groups of 4 hexadecimal characters. Raises BundleRefused."""
    try:
        der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    except UNREADABLE:
        raise BundleRefused(f"the authority's certificate cannot be read; {AGAIN}") from None
    text = hashlib.sha256(der).hexdigest()[:FINGERPRINT_HEX]
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def read_limited(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a plain file. Raises BundleRefused."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise BundleRefused(f"cannot be read: {error.strerror}; check its name, owner and mode") from None
    if len(content) > most:
        raise BundleRefused(f"longer than {most} bytes, which no bundle is; {AGAIN}")
    return content


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None or moment.astimezone(UTC).isoformat() != text:
        raise ValueError("not a moment in UTC")
    return moment.astimezone(UTC)
