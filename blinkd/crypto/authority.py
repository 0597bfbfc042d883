"""The organisation's own certificate authority: a folder with its key, on a machine of the administrator's."""

import ipaddress
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blinkd.crypto.certificates import BOX, SIGNING
from blinkd.crypto.encoding import b64, prefixed, unb64
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.signing import Signer
from blinkd.errors import CertificateRefused, StoreError, WrongPassword

CA_FILE, KEY_FILE, CRL_FILE, ISSUED_FILE = "ca.pem", "ca.key", "crl.pem", "issued.json"
CA_DAYS, TERMINAL_DAYS, SERVICE_DAYS = 20 * 365, 2 * 365, 2 * 365
CRL_DAYS = 20 * 365  # the list is renewed when it changes; a broker must not shut everybody out because nobody was revoked for a year
EARLIER = timedelta(days=1)  # before now, from which a certificate is valid: clocks differ
REQUEST = b"blinkd request 1\n"


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was given out. kind: terminal, relay or broker; days as ISO dates; revoked: None while it counts."""

    kind: str
    name: str
    serial: str
    not_after: str
    revoked: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a terminal asks a certificate for. csr: PKCS #10, PEM; signing, box: public keys, 32 bytes each."""

    terminal: str
    csr: bytes
    signing: bytes
    box: bytes

    def to_json(self, signer: Signer) -> dict[str, Any]:
        """Signed by the terminal's signing key, so that nobody can ask in its name with it."""
        members = {"terminal": self.terminal, "csr": self.csr.decode(), "signing": b64(self.signing), "box": b64(self.box)}
        return members | {"signature": b64(signer.sign(self._signed()))}

    @classmethod
    def of(cls, value: Any) -> "Request":  # noqa: ANN401  JSON
        """Read one. Raises CertificateRefused."""
        try:
            found = cls(str(value["terminal"]), str(value["csr"]).encode(), unb64(value["signing"], 32), unb64(value["box"], 32))
            Ed25519PublicKey.from_public_bytes(found.signing).verify(unb64(value["signature"], 64), found._signed())
        except (KeyError, TypeError, ValueError, InvalidSignature):
            raise CertificateRefused("the request is torn or not signed by its terminal; run `blinkd fleet request` there again") from None
        return found

    def _signed(self) -> bytes:
        return REQUEST + prefixed(self.terminal, self.csr.decode()) + self.signing + self.box


def make_request(terminal: str, org: str, key_pem: bytes, signing: bytes, box: bytes) -> Request:
    """A terminal's request. key_pem: its TLS key, as `new_tls_key` makes it."""
    key = serialization.load_pem_private_key(key_pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateRefused("the TLS key is not an EC key")
    csr = x509.CertificateSigningRequestBuilder().subject_name(_name(f"{org}/{terminal}", org)).sign(key, SHA256())
    return Request(terminal, csr.public_bytes(serialization.Encoding.PEM), signing, box)


def new_tls_key() -> bytes:
    """An EC key (P-256) in PEM, unencrypted."""
    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


class Authority:
    """Signs certificates. Every call that signs writes down what it has signed first, so that it can be revoked."""

    def __init__(self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._folder = folder
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, folder: Path, org: str, password: str | None = None) -> "Authority":
        """Begin an authority in an empty folder; password: encrypts its key. Raises CertificateRefused, StoreError."""
        if (folder / KEY_FILE).exists():
            raise CertificateRefused(
                f"{folder}: an authority is there already; it is never overwritten, for its certificates would count no longer"
            )
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made: {error.strerror}") from None
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"{org} blinkd authority", org)
        now = datetime.now(UTC)
        certificate = (
            _builder(name, name, key.public_key(), now, CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        made = cls(folder, certificate, key)
        write_whole(folder / CA_FILE, made.ca_pem)
        write_whole(folder / ISSUED_FILE, b"[]\n")
        write_whole(folder / CRL_FILE, made._sign_crl([]))
        write_whole(folder / KEY_FILE, _key_pem(key, password))  # last: without it there is no authority
        return made

    @classmethod
    def load(cls, folder: Path, password: str | None = None) -> "Authority":
        """Open it. Raises CertificateRefused, WrongPassword."""
        try:
            certificate = x509.load_pem_x509_certificate((folder / CA_FILE).read_bytes())
            key = serialization.load_pem_private_key((folder / KEY_FILE).read_bytes(), None if password is None else password.encode())
        except FileNotFoundError as error:
            raise CertificateRefused(f"{error.filename}: not there; `blinkd fleet init` begins an authority") from None
        except OSError as error:
            raise CertificateRefused(f"{error.filename}: cannot be read: {error.strerror}") from None
        except TypeError:
            raise WrongPassword(
                f"{folder / KEY_FILE}: is encrypted; give its password" if password is None else "the key has no password"
            ) from None
        except ValueError:
            raise WrongPassword(f"{folder / KEY_FILE}: the password is not the right one, or the file was changed") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CertificateRefused(f"{folder / KEY_FILE}: not an EC key")
        return cls(folder, certificate, key)

    @property
    def ca_pem(self) -> bytes:
        """The authority's own certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def org(self) -> str:
        """Whose it is."""
        return str(self._certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)

    def issue_terminal(self, request: Request, days: int = TERMINAL_DAYS) -> bytes:
        """A terminal's certificate, PEM. Raises CertificateRefused when the request does not prove that its TLS key is the terminal's."""
        try:
            csr = x509.load_pem_x509_csr(request.csr)
        except ValueError:
            raise CertificateRefused("the request's CSR cannot be read; run `blinkd fleet request` again") from None
        key = csr.public_key()
        if not csr.is_signature_valid or not isinstance(key, ec.EllipticCurvePublicKey):
            raise CertificateRefused("the request's CSR is not signed by its own key; run `blinkd fleet request` again")
        names = [
            x509.UniformResourceIdentifier(f"{SIGNING}{request.signing.hex()}"),
            x509.UniformResourceIdentifier(f"{BOX}{request.box.hex()}"),
        ]
        return self._issue("terminal", f"{self.org}/{request.terminal}", key, names, ExtendedKeyUsageOID.CLIENT_AUTH, days)

    def issue_relay(self, name: str = "relay") -> tuple[bytes, bytes]:
        """Certificate and key of a relay, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._issue("relay", name, key.public_key(), [x509.DNSName(name)], ExtendedKeyUsageOID.CLIENT_AUTH, SERVICE_DAYS), _key_pem(
            key
        )

    def issue_broker(self, hosts: list[str]) -> tuple[bytes, bytes]:
        """Certificate and key of a broker that is reached by these names or addresses, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [_host(host) for host in hosts]
        return self._issue("broker", hosts[0], key.public_key(), names, ExtendedKeyUsageOID.SERVER_AUTH, SERVICE_DAYS), _key_pem(key)

    def revoke(self, terminal: str) -> bytes:
        """Revoke every certificate of a terminal; the new list of revoked ones, PEM. Raises CertificateRefused when it has none."""
        name, today = f"{self.org}/{terminal}", datetime.now(UTC).date().isoformat()
        issued = self.issued()
        if not any(one.name == name and one.revoked is None for one in issued):
            raise CertificateRefused(f"{name}: has no certificate that counts; `blinkd fleet list` shows who has")
        changed = [
            Issued(one.kind, one.name, one.serial, one.not_after, one.revoked or (today if one.name == name else None)) for one in issued
        ]
        self._write(changed)
        return self.crl()

    def crl(self) -> bytes:
        """The list of revoked certificates, PEM; written beside the authority too."""
        pem = self._sign_crl([one for one in self.issued() if one.revoked is not None])
        write_whole(self._folder / CRL_FILE, pem)
        return pem

    def issued(self) -> list[Issued]:
        """All that was given out. Raises CertificateRefused when the list is torn."""
        try:
            return [Issued(**one) for one in json.loads((self._folder / ISSUED_FILE).read_bytes())]
        except (OSError, TypeError, ValueError):
            raise CertificateRefused(f"{self._folder / ISSUED_FILE}: torn or missing; put it back from the backup") from None

    def _issue(
        self, kind: str, name: str, key: ec.EllipticCurvePublicKey, names: list[Any], use: x509.ObjectIdentifier, days: int
    ) -> bytes:
        now = datetime.now(UTC)
        certificate = (
            _builder(_name(name, self.org), self._certificate.subject, key, now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .sign(self._key, SHA256())
        )
        given = Issued(kind, name, f"{certificate.serial_number:x}", certificate.not_valid_after_utc.date().isoformat())
        self._write([*self.issued(), given])
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, issued: list[Issued]) -> None:
        write_whole(self._folder / ISSUED_FILE, json.dumps([asdict(one) for one in issued], indent=1).encode() + b"\n")

    def _sign_crl(self, revoked: list[Issued]) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._certificate.subject)
        builder = builder.last_update(now - EARLIER).next_update(now + timedelta(days=CRL_DAYS))
        for one in revoked:
            day = datetime.fromisoformat(str(one.revoked)).replace(tzinfo=UTC)
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(int(one.serial, 16)).revocation_date(day).build()
            )
        return builder.sign(self._key, SHA256()).public_bytes(serialization.Encoding.PEM)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int) -> x509.CertificateBuilder:
    serial = secrets.randbits(159) | 1  # positive and of 20 bytes at most, as RFC 5280 wants it
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(serial)
    return builder.not_valid_before(now - EARLIER).not_valid_after(now + timedelta(days=days))


def _name(common: str, org: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, org), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey, password: str | None = None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
