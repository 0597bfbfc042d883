"""The organisation's own certificate authority: a folder with its key, on a machine of the administrator's."""

import ipaddress
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blinkd.clock import BUILT, SystemClock
from blinkd.crypto.certificates import BOX, SIGNING, UNREADABLE
from blinkd.crypto.keyfile import alone, write_whole
from blinkd.crypto.names import LONGEST_COMMON_NAME, common_name, is_name
from blinkd.crypto.request import UNCLAIMED, Request, key_pem, make_request, new_tls_key, subject
from blinkd.crypto.wrapping import unwrap, wrap
from blinkd.errors import CertificateRefused, KeyringRefused, WrongPassword

__all__ = ["Authority", "Issued", "Request", "make_request", "new_tls_key"]

CA_FILE, KEY_FILE, CRL_FILE, ISSUED_FILE = "ca.pem", "ca.key", "crl.pem", "issued.json"
CA_DAYS, TERMINAL_DAYS, SERVICE_DAYS = 20 * 365, 2 * 365, 2 * 365
MOST_DAYS = CA_DAYS  # nothing outlives the authority
CRL_DAYS = CA_DAYS  # the list is renewed when it changes; a broker must not shut everybody out because nobody was revoked for a year
EARLIER = timedelta(days=1)  # before now, from which a certificate is valid: clocks differ
KEY_CONTEXT = b"blinkd authority key 1\n"
PEM = b"-----BEGIN "  # a key without a password begins so
TERMINAL, RELAY, BROKER = "terminal", "relay", "broker"
HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*")  # no wildcard, no slash


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was given out. kind: terminal, relay or broker; serial: hexadecimal; not_after, revoked: ISO dates, revoked None
    while it counts; signing: a terminal's public key in hexadecimal.
    """  # fmt: skip

    kind: str
    name: str
    serial: str
    not_after: str
    revoked: str | None = None
    signing: str | None = None

    def counts(self, today: date) -> bool:
        """Whether it is neither revoked nor past its date."""
        return self.revoked is None and self.not_after >= today.isoformat()


def wall_time() -> datetime:
    """This machine's."""
    return SystemClock().now().utc


class Authority:
    """Signs certificates. Each is written down before it is handed out, so that it can be revoked."""

    def __init__(
        self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, clock: Callable[[], datetime] = wall_time
    ) -> None:
        self._folder = folder
        self._certificate = certificate
        self._key = key
        self._clock = clock

    @classmethod
    def create(cls, folder: Path, org: str, password: str | None = None, clock: Callable[[], datetime] = wall_time) -> "Authority":
        """Begin an authority in a folder that has none; password: encrypts its key; clock: wall time, aware.

        Raises CertificateRefused, StoreError, PasswordRefused.
        """
        if not is_name(org):
            raise CertificateRefused(
                f"{org[:80]!r} cannot be an organisation's name: letters, digits, dots, hyphens and underscores, 63 at most, "
                "a letter or digit first"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        name = subject("blinkd authority", org)
        now = _honest(clock())
        certificate = (
            _builder(name, name, key.public_key(), now, now + timedelta(days=CA_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        made = cls(folder, certificate, key, clock)
        with alone(folder):
            if (folder / KEY_FILE).exists():
                raise CertificateRefused(
                    f"{folder}: an authority is there already; it is never overwritten, for its certificates would count no longer"
                )
            write_whole(folder / CA_FILE, made.ca_pem)
            write_whole(folder / ISSUED_FILE, b"[]\n")
            write_whole(folder / CRL_FILE, made._sign_crl([]))
            plain = key_pem(key)
            # last: without it there is no authority. Not PKCS #8's own encryption, which the library makes with 2,048 rounds
            write_whole(folder / KEY_FILE, plain if password is None else wrap(plain, password, KEY_CONTEXT))
        return made

    @classmethod
    def load(cls, folder: Path, password: str | None = None, clock: Callable[[], datetime] = wall_time) -> "Authority":
        """Open it. clock: wall time, aware. Raises CertificateRefused, WrongPassword."""
        path = folder / KEY_FILE
        try:
            certificate = x509.load_pem_x509_certificate(_read(folder, CA_FILE))
        except UNREADABLE:
            raise CertificateRefused(f"{folder / CA_FILE}: torn; put it back from the backup") from None
        content = _read(folder, KEY_FILE)
        if not content.startswith(PEM):
            if password is None:
                raise WrongPassword(f"{path}: is encrypted; give its password")
            try:
                content = unwrap(content, password, KEY_CONTEXT)
            except WrongPassword as error:
                raise WrongPassword(f"{path}: {error}") from None
            except KeyringRefused as error:
                raise CertificateRefused(f"{path}: {error}") from None
        elif password is not None:
            raise WrongPassword(f"{path}: is not encrypted; give no password")
        try:
            key = serialization.load_pem_private_key(content, None)
        except UNREADABLE:
            raise CertificateRefused(f"{path}: torn; put it back from the backup") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise CertificateRefused(f"{path}: is not the key of {CA_FILE}; put both back from the same backup")
        return cls(folder, certificate, key, clock)

    @property
    def ca_pem(self) -> bytes:
        """The authority's own certificate."""
        return _pem(self._certificate)

    @property
    def org(self) -> str:
        """Whose it is."""
        return str(self._certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)

    def issue_terminal(self, request: Request, days: int = TERMINAL_DAYS) -> bytes:
        """A terminal's certificate, PEM. The same terminal may ask again, before its certificate ends.

        Raises CertificateRefused when the request does not prove that its TLS key is the terminal's, is another organisation's, or when
        a terminal with another signing key has the name already: two would write the same topics, and each other's records.
        """
        return self._terminal(request.terminal, request.tls_key(self.org), request, days)

    def issue_claimed(self, request: Request, terminal: str, days: int = TERMINAL_DAYS) -> bytes:
        """The certificate of a terminal that did not know yet whose it would be, and is called by a name of the administrator's choice.

        The caller knows that the request is that terminal's. Raises CertificateRefused as `issue_terminal` does.
        """
        try:
            common_name(self.org, terminal)
        except ValueError as error:
            raise CertificateRefused(str(error)) from None
        return self._terminal(terminal, request.tls_key(UNCLAIMED), request, days)

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256, DER. The message begins with a context of its own, which no certificate begins with."""
        return self._key.sign(message, ec.ECDSA(SHA256()))

    def _terminal(self, terminal: str, key: ec.EllipticCurvePublicKey, request: Request, days: int) -> bytes:
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(f"{SIGNING}{request.signing.hex()}"),
            x509.UniformResourceIdentifier(f"{BOX}{request.box.hex()}"),
        ]
        name, signing = f"{self.org}/{terminal}", request.signing.hex()
        return self._issue(Issued(TERMINAL, name, "", "", signing=signing), key, names, ExtendedKeyUsageOID.CLIENT_AUTH, days)

    def issue_relay(self, name: str = "relay", days: int = SERVICE_DAYS) -> tuple[bytes, bytes]:
        """Certificate and key of a relay, PEM. name: what the broker's rules call it, without a slash, which terminals have."""
        if not is_name(name):
            raise CertificateRefused(f"{name[:80]!r} cannot be a relay's name: letters, digits, dots, hyphens and underscores, 63 at most")
        key = ec.generate_private_key(ec.SECP256R1())
        return self._issue(
            Issued(RELAY, name, "", ""), key.public_key(), [x509.DNSName(name)], ExtendedKeyUsageOID.CLIENT_AUTH, days
        ), key_pem(key)

    def issue_broker(self, hosts: Sequence[str], days: int = SERVICE_DAYS) -> tuple[bytes, bytes]:
        """Certificate and key of a broker that is reached by these names or addresses, PEM. Raises CertificateRefused."""
        if not hosts:
            raise CertificateRefused("a broker's certificate needs the name or address by which terminals reach it")
        names = [_host(host) for host in hosts]
        key = ec.generate_private_key(ec.SECP256R1())
        name = next((host for host in hosts if len(host) <= LONGEST_COMMON_NAME), BROKER)  # clients look at the other names only
        return self._issue(Issued(BROKER, name, "", ""), key.public_key(), names, ExtendedKeyUsageOID.SERVER_AUTH, days), key_pem(key)

    def revoke(self, name: str) -> bytes:
        """Revoke every certificate of a terminal; where no terminal has the name, of a relay or broker; the new list of revoked ones, PEM.

        Raises CertificateRefused when none of that name counts.
        """
        today = _honest(self._clock()).date().isoformat()
        with alone(self._folder):
            issued = self.issued()
            terminals = {one.serial for one in issued if one.kind == TERMINAL and one.name == f"{self.org}/{name}" and one.revoked is None}
            services = {one.serial for one in issued if one.kind != TERMINAL and one.name == name and one.revoked is None}
            meant = terminals or services
            if not meant:
                raise CertificateRefused(f"{name}: has no certificate that counts; `blinkd fleet list` shows who has")
            changed = [replace(one, revoked=today) if one.serial in meant else one for one in issued]
            self._write(changed)
            return self._renewed(changed)

    def crl(self) -> bytes:
        """The list of revoked certificates, PEM, newly signed; written beside the authority too."""
        with alone(self._folder):
            return self._renewed(self.issued())

    def issued(self) -> list[Issued]:
        """All that was given out, oldest first. Raises CertificateRefused when the list is torn."""
        return read_issued(self._folder)

    def _issue(
        self, asked: Issued, key: ec.EllipticCurvePublicKey, names: list[x509.GeneralName], use: x509.ObjectIdentifier, days: int
    ) -> bytes:
        if not 1 <= days <= MOST_DAYS:
            raise CertificateRefused(f"{days} days: a certificate is valid for 1 to {MOST_DAYS}")
        now = _honest(self._clock())
        end = min(now + timedelta(days=days), self._certificate.not_valid_after_utc)
        if end <= now:
            raise CertificateRefused(
                f"{self._folder / CA_FILE}: the authority's own certificate is past its date; begin another with `blinkd fleet init`"
            )
        certificate = (
            _builder(subject(asked.name, self.org), self._certificate.subject, key, now, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .sign(self._key, SHA256())
        )
        given = replace(asked, serial=f"{certificate.serial_number:x}", not_after=certificate.not_valid_after_utc.date().isoformat())
        with alone(self._folder):
            issued = self.issued()
            if any(
                one.name == given.name and one.signing != given.signing and one.counts(now.date()) for one in issued if one.kind == TERMINAL
            ):
                raise CertificateRefused(
                    f"{given.name}: another terminal has a certificate by this name; give this one another terminal.id, or, where it takes "
                    "the place of that one, run `blinkd fleet revoke` first"
                )
            self._write([*issued, given])
        return _pem(certificate)

    def _write(self, issued: list[Issued]) -> None:
        write_whole(self._folder / ISSUED_FILE, json.dumps([asdict(one) for one in issued], indent=1).encode() + b"\n")

    def _renewed(self, issued: list[Issued]) -> bytes:
        pem = self._sign_crl([one for one in issued if one.revoked is not None])
        write_whole(self._folder / CRL_FILE, pem)
        return pem

    def _sign_crl(self, revoked: list[Issued]) -> bytes:
        now = _honest(self._clock())
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._certificate.subject)
        builder = builder.last_update(now - EARLIER).next_update(now + timedelta(days=CRL_DAYS))
        builder = builder.add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)  # grows, as RFC 5280 wants it
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        for one in revoked:
            day = datetime.fromisoformat(str(one.revoked)).replace(tzinfo=UTC)
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(int(one.serial, 16)).revocation_date(day).build()
            )
        return builder.sign(self._key, SHA256()).public_bytes(serialization.Encoding.PEM)


def _honest(now: datetime) -> datetime:
    """What is signed by a clock in the past is of the past: over before it begins, or a list of revoked ones that is older than the last."""
    if now < BUILT:
        raise CertificateRefused(
            f"this clock says {now:%Y-%m-%d}, which was before blinkd was made, and what is signed bears its date; put the clock right first "
            "(timedatectl)"
        )
    return now


def read_issued(folder: Path) -> list[Issued]:
    """All that an authority gave out, oldest first; needs no password. Raises CertificateRefused when the list is torn."""
    try:
        found = [Issued(**one) for one in json.loads(_read(folder, ISSUED_FILE))]
        for one in found:
            int(one.serial, 16)
    except (TypeError, ValueError, RecursionError):
        raise CertificateRefused(f"{folder / ISSUED_FILE}: torn; put it back from the backup") from None
    return found


def has_password(folder: Path) -> bool:
    """Whether the authority's key is encrypted. Raises CertificateRefused when there is none."""
    return not _read(folder, KEY_FILE).startswith(PEM)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise CertificateRefused(f"{folder / name}: not there; `blinkd fleet init` begins an authority") from None
    except OSError as error:
        raise CertificateRefused(f"{folder / name}: cannot be read: {error.strerror}; check its owner and mode") from None


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime) -> x509.CertificateBuilder:
    serial = secrets.randbits(159) | 1  # positive and of 20 bytes at most, as RFC 5280 wants it
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key).serial_number(serial)
    return builder.not_valid_before(now - EARLIER).not_valid_after(end)


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
        if not HOST.fullmatch(host):
            raise CertificateRefused(
                f"{host[:80]!r} is no name or address of a broker: write it like 'broker.example.org' or '192.0.2.7'"
            ) from None
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
