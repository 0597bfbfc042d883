"""A certificate authority for tests. It also makes what the real one refuses to make: other names, other dates, wild cards in names."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOSTS = ("localhost", "127.0.0.1")
VALID = dt.timedelta(days=30)
SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One party's certificate and key. signing, box: the terminal's secret keys, where it is a terminal's."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    signing: ed25519.Ed25519PrivateKey | None = None
    box: x25519.X25519PrivateKey | None = None

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Files NAME.pem and NAME.key."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.pem)
        key.touch(0o600)
        key.write_bytes(self.key_pem)
        return certificate, key


class Authority:
    """Signs for one organisation."""

    def __init__(self, organisation: str) -> None:
        self.organisation = organisation
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, "CA")])
        self._revoked: list[int] = []
        now = _now()
        self.certificate = (
            x509.CertificateBuilder(self._name, self._name, self._key.public_key(), x509.random_serial_number(), now - SKEW, now + VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def org(self) -> str:
        return self.organisation

    @property
    def ca_pem(self) -> bytes:
        return self.pem

    def issue_broker(self, hosts: Sequence[str]) -> tuple[bytes, bytes]:
        assert set(hosts) == set(HOSTS)
        made = self.broker()
        return made.pem, made.key_pem

    def terminal(self, terminal: str, begins: dt.timedelta = -SKEW, ends: dt.timedelta = VALID) -> Credentials:
        """A terminal of the organisation. begins, ends: from now."""
        signing, box = ed25519.Ed25519PrivateKey.generate(), x25519.X25519PrivateKey.generate()
        keys = {
            "signing": signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
            "box": box.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
        }
        names = [x509.UniformResourceIdentifier(f"blinkd:{use}:{key.hex()}") for use, key in keys.items()]
        certificate, key = self._issue(f"{self.organisation}/{terminal}", names, ExtendedKeyUsageOID.CLIENT_AUTH, begins, ends)
        return Credentials(certificate, key, signing, box)

    def client(self, common_name: str) -> Credentials:
        """A client by any name."""
        return Credentials(*self._issue(common_name, [], ExtendedKeyUsageOID.CLIENT_AUTH))

    def relay(self) -> Credentials:
        return self.client("relay")

    def broker(self, begins: dt.timedelta = -SKEW, ends: dt.timedelta = VALID) -> Credentials:
        names: list[x509.GeneralName] = [x509.DNSName(HOSTS[0]), x509.IPAddress(ipaddress.ip_address(HOSTS[1]))]
        return Credentials(*self._issue("broker", names, ExtendedKeyUsageOID.SERVER_AUTH, begins, ends))

    def revoke(self, credentials: Credentials) -> None:
        """From the next `crl` on."""
        self._revoked.append(credentials.certificate.serial_number)

    def crl(self) -> bytes:
        """PEM."""
        now = _now()
        builder = x509.CertificateRevocationListBuilder(self._name, now - SKEW, now + VALID)
        for serial in self._revoked:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _issue(
        self,
        common_name: str,
        names: list[x509.GeneralName],
        usage: x509.ObjectIdentifier,
        begins: dt.timedelta = -SKEW,
        ends: dt.timedelta = VALID,
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key, now = ec.generate_private_key(ec.SECP256R1()), _now()
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organisation), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        )
        serial = x509.random_serial_number()
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), serial, now + begins, now + ends)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256()), key


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    """signs: certificates and revocation lists; else what a TLS party does."""
    return x509.KeyUsage(not signs, False, False, False, False, signs, signs, False, False)
