"""What is taken for a terminal's certificate. The odd ones are made by the tests' own authority, which refuses nothing."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from blinkd.crypto.certificates import CertificateChecker, read_certificate
from blinkd.errors import CertificateRefused
from tests.services.certificates import Authority

ACME = Authority("acme")
DOOR = ACME.terminal("door-1")
DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)


def refused(
    der: bytes, org: str = "acme", terminal: str = "door-1", at: dt.datetime | None = None, checker: CertificateChecker | None = None
) -> str:
    with pytest.raises(CertificateRefused) as error:
        (checker or CertificateChecker(ACME.pem)).check(der, org, terminal, at)
    return str(error.value)


def issued(name: str, uris: list[str], usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH) -> bytes:
    certificate, _ = ACME._issue(name, [x509.UniformResourceIdentifier(uri) for uri in uris], usage)
    return certificate.public_bytes(Encoding.DER)


KEYS = [f"blinkd:signing:{'11' * 32}", f"blinkd:box:{'22' * 32}"]


def test_a_certificate_of_the_authority_gives_the_terminals_name_and_keys() -> None:
    found = CertificateChecker(ACME.pem).check(DOOR.der, "acme", "door-1", NOW)
    assert DOOR.signing is not None
    assert DOOR.box is not None
    assert (found.org, found.terminal, found.der) == ("acme", "door-1", DOOR.der)
    assert found.signing == DOOR.signing.public_key().public_bytes_raw()
    assert found.box == DOOR.box.public_key().public_bytes_raw()
    assert found.serial == DOOR.certificate.serial_number
    assert found.not_before < NOW < found.not_after


@pytest.mark.parametrize(("org", "terminal"), [("acme", "door-2"), ("acme2", "door-1"), ("", ""), ("acme/door-1", ""), ("door-1", "acme")])
def test_it_counts_for_no_other_name(org: str, terminal: str) -> None:
    assert "acme/door-1" in refused(DOOR.der, org, terminal)


def test_another_authority_vouches_for_nobody_even_under_the_same_name() -> None:
    assert "not signed" in refused(Authority("acme").terminal("door-1").der)


def test_the_authoritys_own_certificate_and_a_self_made_one_are_no_terminals() -> None:
    refused(ACME.certificate.public_bytes(Encoding.DER))
    refused(ACME.broker().der)
    refused(ACME.relay().der)


def test_dates_count_only_where_a_moment_is_given() -> None:
    late, early = ACME.terminal("door-1", begins=-2 * DAY, ends=-DAY), ACME.terminal("door-1", begins=DAY, ends=2 * DAY)
    checker = CertificateChecker(ACME.pem)
    for credentials in (late, early):
        assert checker.check(credentials.der, "acme", "door-1").terminal == "door-1"
        assert "valid from" in refused(credentials.der, at=NOW, checker=checker)
        assert "valid from" in refused(credentials.der, at=NOW, checker=checker), "when it is known already, too"


def test_a_revoked_certificate_counts_no_longer_whether_it_was_known_or_not() -> None:
    authority = Authority("acme")
    known, unknown, other = (authority.terminal(name) for name in ("door-1", "door-2", "door-3"))
    checker = CertificateChecker(authority.pem)
    checker.check(known.der, "acme", "door-1")
    authority.revoke(known)
    authority.revoke(unknown)
    checker.heed(authority.crl())
    assert "revoked" in refused(known.der, checker=checker)
    assert "revoked" in refused(unknown.der, terminal="door-2", checker=checker)
    checker.check(other.der, "acme", "door-3")
    checker.revoke({"serial": f"{other.certificate.serial_number:x}"})
    assert "revoked" in refused(other.der, terminal="door-3", checker=checker)
    assert "revoked" in refused(known.der, checker=CertificateChecker(authority.pem, authority.crl()))


def test_an_older_list_does_not_bring_a_certificate_back() -> None:
    authority = Authority("acme")
    door, before = authority.terminal("door-1"), authority.crl()
    authority.revoke(door)
    checker = CertificateChecker(authority.pem, authority.crl())
    checker.heed(before)
    assert "revoked" in refused(door.der, checker=checker)


@pytest.mark.parametrize("crl", [b"", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", Authority("acme").crl(), ACME.pem])
def test_a_list_that_is_not_the_authoritys_is_refused(crl: bytes) -> None:
    with pytest.raises(CertificateRefused, match=r"crl\.pem"):
        CertificateChecker(ACME.pem, crl)


@pytest.mark.parametrize("pem", [b"", b"no", DOOR.pem, ACME.crl()])
def test_what_is_no_authoritys_certificate_is_refused_as_one(pem: bytes) -> None:
    with pytest.raises(CertificateRefused, match=r"ca\.pem"):
        CertificateChecker(pem)


@pytest.mark.parametrize(
    "name",
    ["acme", "acme/", "/door-1", "acme/door/1", "acme/+", "acme/#", "acme/*", "$SYS/door", "acme/door 1", "acme/dör", "acme/door\n"],
)
def test_a_name_that_no_topic_could_have_is_refused(name: str) -> None:
    assert "ORGANISATION/TERMINAL" in refused(issued(name, KEYS))


@pytest.mark.parametrize(
    "uris",
    [
        KEYS[:1],
        KEYS[1:],
        [*KEYS, KEYS[0]],
        [*KEYS, "blinkd:box:" + "33" * 32],
        [KEYS[0], "blinkd:box:" + "22" * 31],
        [KEYS[0], "blinkd:box:" + "22" * 33],
        [KEYS[0], "blinkd:box:" + "AA" * 32],
        [KEYS[0], "blinkd:box:" + " 2" * 32],
        [KEYS[0], "blinkd:box:" + "zz" * 32],
        ["https://example.org/"],
    ],
)
def test_it_must_name_each_key_once_and_in_one_form(uris: list[str]) -> None:
    assert read_certificate(issued("acme/door-1", KEYS)).box == bytes([0x22] * 32)
    assert "does not name one key" in refused(issued("acme/door-1", uris))


def test_a_servers_certificate_is_no_terminals() -> None:
    assert "server" in refused(issued("acme/door-1", KEYS, ExtendedKeyUsageOID.SERVER_AUTH))


def test_a_certificate_without_alternative_names_is_refused() -> None:
    assert "no terminal's certificate" in refused(ACME.client("acme/door-1").der)


def test_every_changed_byte_is_refused() -> None:
    checker = CertificateChecker(ACME.pem)
    for position in range(len(DOOR.der)):
        changed = bytearray(DOOR.der)
        changed[position] ^= 0x55
        refused(bytes(changed), checker=checker)
    checker.check(DOOR.der, "acme", "door-1")


@given(st.binary(max_size=300))
def test_whatever_bytes_there_are_they_are_refused(der: bytes) -> None:
    refused(der)
    refused(DOOR.der + der[:1] + b"x")


def test_what_was_refused_is_not_remembered_as_good() -> None:
    checker, foreign = CertificateChecker(ACME.pem), Authority("acme").terminal("door-1").der
    assert refused(foreign, checker=checker) == refused(foreign, checker=checker)


def test_no_more_certificates_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blinkd.crypto.certificates.MOST_KNOWN", 2)
    checker = CertificateChecker(ACME.pem)
    for name in ("a", "b", "c", "a"):
        checker.check(ACME.terminal(name).der, "acme", name)
    assert len(checker._known) == 2
