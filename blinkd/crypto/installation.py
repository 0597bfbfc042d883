"""A terminal's certificate comes home: it is put in its place once it is found to be this terminal's, and to fit the keys that are there."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from blinkd.crypto.authority import CA_FILE, Authority
from blinkd.crypto.box import Box
from blinkd.crypto.certificates import UNREADABLE, CertificateChecker, TerminalCertificate
from blinkd.crypto.keyfile import alone, write_whole
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.request import TLS_KEY_FILE, make_request, own_tls_key, read_tls_key
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import keep
from blinkd.errors import CertificateRefused, KeyMissing

TERMINAL_FILE = "terminal.pem"  # in the state folder, beside ca.pem
AGAIN = "run `blinkd fleet request` here and have that request issued"


def install_certificate(state_dir: Path, org: str, terminal: str, pem: bytes, ca_pem: bytes, at: datetime | None) -> TerminalCertificate:
    """Check a certificate (PEM) against authority, names and keys, and write it and the authority's into the state folder.

    at: the moment for which it must be valid; None where the clock may be wrong. Raises CertificateRefused, KeyMissing, StoreError.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        authority = x509.load_pem_x509_certificate(ca_pem)
        owners = [name.value for name in authority.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        tls_key = certificate.public_key()
    except UNREADABLE:
        raise CertificateRefused(
            "the certificate or the authority's is no PEM certificate; bring what `blinkd fleet issue` wrote"
        ) from None
    if owners != [org]:
        raise CertificateRefused(f"the authority is that of {', '.join(map(str, owners)) or 'nobody'}; this terminal's keyring is of {org}")
    found = CertificateChecker(ca_pem).check(certificate.public_bytes(serialization.Encoding.DER), org, terminal, at)
    with alone(state_dir):
        if found.signing != Signer.load(state_dir, create=False).public or found.box != Box.load(state_dir, create=False).public:
            raise CertificateRefused(f"the certificate names other signing or box keys than this terminal has; {AGAIN}")
        if tls_key != read_tls_key(_read(state_dir / TLS_KEY_FILE)).public_key():
            raise CertificateRefused(f"the certificate is for another TLS key than {TLS_KEY_FILE}; {AGAIN}")
        path = state_dir / CA_FILE
        if path.exists() and _der(_read(path)) != _der(ca_pem):
            raise CertificateRefused(
                f"{path}: another authority is installed, and nobody whom it has certified would be believed any more; if the organisation "
                "really has a new one, move the file away first"
            )
        write_whole(path, ca_pem)
        write_whole(state_dir / TERMINAL_FILE, pem)
    return found


def admit(state_dir: Path, terminal: str, authority: Authority, keyring: KeyringFile, keys: Keyring) -> None:
    """Make a terminal of an organisation where administrator and terminal are one, as in a demonstration: keys, certificate and keyring.

    state_dir: exists. Raises CertificateRefused, KeyMissing, StoreError.
    """
    keep(state_dir, keyring, keys)
    signer, box = Signer.load(state_dir, create=True), Box.load(state_dir, create=True)
    request = make_request(terminal, authority.org, own_tls_key(state_dir), signer.public, box.public)
    install_certificate(state_dir, authority.org, terminal, authority.issue_terminal(request), authority.ca_pem, datetime.now(UTC))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyMissing(f"{path}: cannot be read: {error.strerror}; {AGAIN}") from None


def _der(pem: bytes) -> bytes:
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    except UNREADABLE:
        return pem
