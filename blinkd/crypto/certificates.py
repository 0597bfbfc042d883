"""Certificates of terminals: which terminal of which organisation, and which keys are its own.

The subject's common name is `ORGANISATION/TERMINAL`, which a broker takes for the user name; two URIs among the alternative names carry the
terminal's signing key and its box key, so that one signature of the organisation's authority vouches for all three keys.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blinkd.crypto.names import common_name
from blinkd.errors import CertificateRefused

SIGNING, BOX = "blinkd:signing:", "blinkd:box:"  # the URIs, before a key of 32 bytes in hexadecimal
KEY_BYTES = 32
# what the library raises for bytes that are no certificate, or one that it cannot take apart
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
MOST_KNOWN = 4096  # certificates whose check is remembered


@dataclass(frozen=True, slots=True)
class TerminalCertificate:
    """signing: Ed25519 public key, 32 bytes; box: X25519 public key, 32 bytes; not_before, not_after: aware UTC; der: the certificate."""

    org: str
    terminal: str
    signing: bytes
    box: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    der: bytes


def read_certificate(der: bytes) -> TerminalCertificate:
    """Take a terminal's certificate apart, without asking who made it. Raises CertificateRefused."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        ((name, *more),) = [[one.value for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]]
        extensions = certificate.extensions
        uris = extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.UniformResourceIdentifier)
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except UNREADABLE:
        raise CertificateRefused("it is no terminal's certificate; `blinkd fleet issue` makes one") from None
    org, _, terminal = str(name).partition("/")
    try:
        named = common_name(org, terminal)
    except ValueError:
        named = None
    if more or named != name:
        raise CertificateRefused("its common name is not ORGANISATION/TERMINAL")
    if ExtendedKeyUsageOID.CLIENT_AUTH not in uses:
        raise CertificateRefused("it is for a server, not for a terminal")
    return TerminalCertificate(
        org,
        terminal,
        _key(uris, SIGNING),
        _key(uris, BOX),
        certificate.serial_number,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        der,
    )


class CertificateChecker:
    """Whether a certificate is one of the organisation's authority, and still counts."""

    def __init__(self, ca_pem: bytes, crl_pem: bytes | None = None) -> None:
        """ca_pem: the authority's certificate; crl_pem: its list of revoked ones. Raises CertificateRefused when they cannot be used."""
        try:
            self._ca = x509.load_pem_x509_certificate(ca_pem)
            constraints = [one.value for one in self._ca.extensions if isinstance(one.value, x509.BasicConstraints)]
        except UNREADABLE:
            raise CertificateRefused("the authority's certificate (ca.pem) cannot be read; `blinkd fleet init` makes it") from None
        if not any(one.ca for one in constraints):
            raise CertificateRefused("the authority's certificate (ca.pem) is not an authority's; bring the ca.pem of `blinkd fleet init`")
        self._known: OrderedDict[bytes, TerminalCertificate] = OrderedDict()
        self._revoked: set[int] = set()
        self._revoked_keys: set[bytes] = set()  # signing keys
        if crl_pem is not None:
            self.heed(crl_pem)

    def heed(self, crl_pem: bytes) -> None:
        """Take a newer list of revoked certificates. Raises CertificateRefused when it is not the authority's."""
        key = self._ca.public_key()
        try:
            crl = x509.load_pem_x509_crl(crl_pem)
            signed = isinstance(key, ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)
            revoked = {one.serial_number for one in crl}
        except UNREADABLE:
            signed, revoked = False, set()
        if not signed:
            raise CertificateRefused(
                "the list of revoked certificates (crl.pem) is not this authority's; bring the one that `blinkd fleet revoke` wrote"
            )
        self._revoked |= revoked

    def revoke(self, said: Mapping[str, Any]) -> None:
        """Heed a revocation's record: its certificate counts no longer, nor any other of the same signing key. Raises CertificateRefused."""
        try:
            serial, signing = int(str(said["serial"]), 16), bytes.fromhex(str(said.get("signing", "")))
        except (KeyError, ValueError):
            raise CertificateRefused("a revocation that names no certificate") from None
        self._revoked.add(serial)
        if signing:
            self._revoked_keys.add(signing)

    def check(self, der: bytes, org: str, terminal: str, at: datetime | None = None) -> TerminalCertificate:
        """The certificate, read. at: the moment for which it must be valid; None: its dates are not asked, for what was signed stays signed.

        Raises CertificateRefused.
        """
        digest = hashlib.sha256(der).digest()
        if (found := self._known.get(digest)) is None:
            found = read_certificate(der)
            self._vouched(der)
            self._known[digest] = found
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        if (found.org, found.terminal) != (org, terminal):
            raise CertificateRefused(f"it is the certificate of {found.org}/{found.terminal}, not of {org}/{terminal}")
        if found.serial in self._revoked or found.signing in self._revoked_keys:
            raise CertificateRefused(f"the certificate of {org}/{terminal} was revoked")
        if at is not None and not found.not_before <= at <= found.not_after:
            raise CertificateRefused(
                f"the certificate of {org}/{terminal} is valid from {found.not_before:%Y-%m-%d} to {found.not_after:%Y-%m-%d}"
            )
        return found

    def _vouched(self, der: bytes) -> None:
        try:
            x509.load_der_x509_certificate(der).verify_directly_issued_by(self._ca)
        except (*UNREADABLE, InvalidSignature):
            raise CertificateRefused("it is not signed by the organisation's authority") from None


def _key(uris: list[str], prefix: str) -> bytes:
    found = [uri.removeprefix(prefix) for uri in uris if uri.startswith(prefix)]
    try:
        (text,) = found
        key = bytes.fromhex(text)
    except ValueError:
        text, key = "", b""
    if len(key) != KEY_BYTES or key.hex() != text:
        raise CertificateRefused(f"it does not name one key by {prefix}…; `blinkd fleet issue` makes one that does")
    return key
