"""What a terminal asks a certificate for: its TLS key's CSR and its other public keys, signed by its signing key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from blinkd.crypto.certificates import UNREADABLE
from blinkd.crypto.encoding import b64, prefixed, unb64
from blinkd.crypto.keyfile import write_new
from blinkd.crypto.names import common_name
from blinkd.crypto.signing import Signer
from blinkd.errors import CertificateRefused, KeyMissing

TLS_KEY_FILE = "tls.key"  # in the state folder, PEM
CONTEXT = b"blinkd request 1\n"
MEMBERS = frozenset({"v", "terminal", "csr", "signing", "box", "signature"})
VERSION = 1
KEY_BYTES, SIGNATURE_BYTES = 32, 64
MOST_BYTES = 16_384  # of a request's file
UNCLAIMED = "unclaimed"  # the organisation in the request of a terminal that nobody has claimed yet
AGAIN = "run `blinkd fleet request` on the terminal again"


@dataclass(frozen=True, slots=True)
class Request:
    """csr: PKCS #10, PEM, its subject ORGANISATION/TERMINAL; signing, box: public keys, 32 bytes each."""

    terminal: str
    csr: bytes
    signing: bytes
    box: bytes

    def to_json(self, signer: Signer) -> dict[str, Any]:
        """Signed by the terminal's signing key, so that none of its keys can be exchanged for another on the way."""
        members = {"v": VERSION, "terminal": self.terminal, "csr": self.csr.decode(), "signing": b64(self.signing), "box": b64(self.box)}
        return members | {"signature": b64(signer.sign(self._signed()))}

    @classmethod
    def of(cls, value: object) -> "Request":
        """Read one. Raises CertificateRefused."""
        try:
            if not isinstance(value, Mapping) or value.keys() != MEMBERS or value["v"] != VERSION:
                raise ValueError("not a request of this version")
            terminal, csr = value["terminal"], value["csr"]
            if not isinstance(terminal, str) or not isinstance(csr, str):
                raise TypeError("not text")
            found = cls(terminal, csr.encode(), unb64(value["signing"], KEY_BYTES), unb64(value["box"], KEY_BYTES))
            Ed25519PublicKey.from_public_bytes(found.signing).verify(unb64(value["signature"], SIGNATURE_BYTES), found._signed())
            X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(found.box))  # ValueError: a point that hides nothing
        except (TypeError, ValueError, InvalidSignature):
            raise CertificateRefused(f"the request is torn or not signed by its terminal; {AGAIN}") from None
        return found

    @classmethod
    def load(cls, path: Path) -> "Request":
        """Read the file that the terminal wrote. Raises CertificateRefused."""
        try:
            with path.open("rb") as file:
                text = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise CertificateRefused(f"{path}: cannot be read: {error.strerror}") from None
        try:
            if len(text) > MOST_BYTES:
                raise ValueError("too long")
            return cls.of(json.loads(text))
        except (ValueError, RecursionError):
            raise CertificateRefused(f"{path}: is no request; {AGAIN}") from None
        except CertificateRefused as error:
            raise CertificateRefused(f"{path}: {error}") from None

    def tls_key(self, org: str) -> ec.EllipticCurvePublicKey:
        """The key of the CSR. Raises CertificateRefused when the request is another organisation's, or the key's owner has not signed it."""
        try:
            name = common_name(org, self.terminal)
            csr = x509.load_pem_x509_csr(self.csr)
            key, subject = csr.public_key(), [one.value for one in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
            signed = csr.is_signature_valid
        except UNREADABLE as error:
            raise CertificateRefused(f"the request cannot be used: {error}; {AGAIN}") from None
        if subject != [name]:
            raise CertificateRefused(f"the request is for {str(subject)[2:-2]}, not for {name}; {AGAIN}, with this organisation's keyring")
        if not signed or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise CertificateRefused(f"the request's CSR is not signed by its own key, or that is no P-256 key; {AGAIN}")
        return key

    def fingerprint(self) -> str:
        """For reading aloud, so that nobody's request takes another's place on the way: 8 groups of 4 hexadecimal characters."""
        text = hashlib.sha256(self._signed()).hexdigest()[:32]
        return " ".join(text[start : start + 4] for start in range(0, len(text), 4))

    def _signed(self) -> bytes:
        return CONTEXT + prefixed(self.terminal, self.csr.decode()) + self.signing + self.box


def make_request(terminal: str, org: str, key_pem: bytes, signing: bytes, box: bytes) -> Request:
    """A terminal's request. key_pem: its TLS key, as `new_tls_key` makes it. Raises CertificateRefused, KeyMissing for a torn key."""
    try:
        name = common_name(org, terminal)
    except ValueError as error:
        raise CertificateRefused(str(error)) from None
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject(name, org)).sign(read_tls_key(key_pem), SHA256())
    return Request(terminal, csr.public_bytes(serialization.Encoding.PEM), signing, box)


def read_tls_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """A key that `new_tls_key` made. Raises KeyMissing when it is torn."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except UNREADABLE:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyMissing(
            f"{TLS_KEY_FILE}: is torn, or not a key that `blinkd fleet request` made; move it away and ask for a new certificate"
        )
    return key


def new_tls_key() -> bytes:
    """An EC key (P-256) in PEM, unencrypted."""
    return key_pem(ec.generate_private_key(ec.SECP256R1()))


def own_tls_key(state_dir: Path) -> bytes:
    """The terminal's TLS key, PEM; made, readable by its owner only, when there is none. Raises KeyMissing, StoreError."""
    path = state_dir / TLS_KEY_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        write_new(path, new_tls_key())
        return path.read_bytes()  # another process may have been faster
    except OSError as error:
        raise KeyMissing(f"{path}: cannot be read: {error.strerror}; check its owner and mode") from None


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 in PEM, unencrypted."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def subject(common: str, org: str) -> x509.Name:
    """The name of a certificate's holder."""
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, org), x509.NameAttribute(NameOID.COMMON_NAME, common)])
