import json
import shutil
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from blinkd.crypto.authority import CA_FILE, CRL_FILE, ISSUED_FILE, KEY_FILE, Authority, read_issued
from blinkd.crypto.box import Box
from blinkd.crypto.certificates import CertificateChecker
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.request import Request, make_request, new_tls_key, own_tls_key
from blinkd.crypto.signing import Signer
from blinkd.errors import CertificateRefused, KeyMissing, PasswordRefused, WrongPassword
from tests.unit.store.stores import at_once

SIGNER, BOX, TLS_KEY = Signer(bytes([1] * 32)), Box(bytes([2] * 32)), new_tls_key()
OTHER = Signer(bytes([3] * 32))
OPENSSL = shutil.which("openssl")


def request(terminal: str = "door-1", org: str = "acme", signer: Signer = SIGNER) -> Request:
    return make_request(terminal, org, TLS_KEY, signer.public, BOX.public)


def der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    return Authority.create(tmp_path / "ca", "acme")


def test_a_terminal_gets_a_certificate_of_its_name_and_keys(authority: Authority) -> None:
    pem = authority.issue_terminal(request())
    now = datetime.now(UTC)
    found = CertificateChecker(authority.ca_pem, authority.crl()).check(der(pem), "acme", "door-1", now)
    assert (found.signing, found.box) == (SIGNER.public, BOX.public)
    assert found.not_before < now - timedelta(hours=23), "a terminal's clock may be behind"
    assert timedelta(days=729) < found.not_after - now < timedelta(days=731)
    certificate = x509.load_pem_x509_certificate(pem)
    key = serialization.load_pem_private_key(TLS_KEY, None)
    assert certificate.public_key() == key.public_key()
    assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_only_the_owner_reads_the_folder_and_its_files(authority: Authority, tmp_path: Path) -> None:
    authority.issue_terminal(request())
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    assert {path.name for path in (tmp_path / "ca").iterdir()} == {CA_FILE, KEY_FILE, CRL_FILE, ISSUED_FILE}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ca").iterdir()} == {0o600}


def test_the_authoritys_key_can_be_encrypted(tmp_path: Path) -> None:
    Authority.create(tmp_path, "acme", "correct horse battery staple")
    assert b"PRIVATE KEY" not in (tmp_path / KEY_FILE).read_bytes()
    Authority.load(tmp_path, "correct horse battery staple").issue_terminal(request())
    for password in (None, "", "another password"):
        with pytest.raises(WrongPassword, match=r"ca\.key"):
            Authority.load(tmp_path, password)
    with pytest.raises(PasswordRefused):
        Authority.load(tmp_path, "\udcff")


def test_a_key_that_is_not_encrypted_needs_no_password(authority: Authority, tmp_path: Path) -> None:
    assert Authority.load(tmp_path / "ca").org == authority.org == "acme"
    with pytest.raises(WrongPassword, match="give no password"):
        Authority.load(tmp_path / "ca", "some password")


def test_an_authority_is_never_overwritten(authority: Authority, tmp_path: Path) -> None:
    before = (tmp_path / "ca" / CA_FILE).read_bytes()
    with pytest.raises(CertificateRefused, match="there already"):
        Authority.create(tmp_path / "ca", "acme")
    assert (tmp_path / "ca" / CA_FILE).read_bytes() == before == authority.ca_pem


@pytest.mark.parametrize("name", [CA_FILE, KEY_FILE, ISSUED_FILE])
def test_a_missing_or_torn_file_is_named(authority: Authority, tmp_path: Path, name: str) -> None:
    path = tmp_path / "ca" / name
    whole = path.read_bytes()
    for content in (None, whole[:-3], b"", b"[{}]"):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises((CertificateRefused, WrongPassword), match=name.replace(".", r"\.")):
            Authority.load(tmp_path / "ca").issued()
        path.write_bytes(whole)
    assert Authority.load(tmp_path / "ca").issued() == authority.issued() == []


def test_the_key_of_another_authority_is_not_taken_for_its_own(authority: Authority, tmp_path: Path) -> None:
    Authority.create(tmp_path / "other", authority.org)
    shutil.copy(tmp_path / "other" / KEY_FILE, tmp_path / "ca" / KEY_FILE)
    with pytest.raises(CertificateRefused, match="is not the key of"):
        Authority.load(tmp_path / "ca")


@pytest.mark.parametrize("terminal", ["", "a/b", "+", "#", "a*", "dör", "x" * 64, "-a", "a b"])
def test_a_terminal_that_no_topic_could_name_is_refused_at_request_and_at_issue(authority: Authority, terminal: str) -> None:
    with pytest.raises(CertificateRefused, match="no name of terminal"):
        request(terminal)
    with pytest.raises(CertificateRefused, match="no name of terminal"):
        authority.issue_terminal(Request(terminal, request().csr, SIGNER.public, BOX.public))
    assert authority.issued() == []


def test_a_name_too_long_for_a_certificate_is_refused_in_words(authority: Authority) -> None:
    longest = "x" * (64 - len("acme/"))
    authority.issue_terminal(request(longest))
    with pytest.raises(CertificateRefused, match="has room for 64"):
        request(longest + "x")


@pytest.mark.parametrize("name", ["", "a/b", "*", "#", "x" * 64])
def test_an_organisation_that_no_topic_could_name_has_no_authority(tmp_path: Path, name: str) -> None:
    with pytest.raises(CertificateRefused, match="organisation's name"):
        Authority.create(tmp_path / "ca", name)
    assert not (tmp_path / "ca").exists()


def test_the_longest_organisation_has_one_all_the_same(tmp_path: Path) -> None:
    made = Authority.create(tmp_path, "x" * 62)
    CertificateChecker(made.ca_pem).check(der(made.issue_terminal(request("a", "x" * 62))), "x" * 62, "a")


@pytest.mark.parametrize("name", ["acme/door-1", "relay/", "+", "", "*.example.org"])
def test_a_relay_cannot_be_called_like_a_terminal_or_a_wild_card(authority: Authority, name: str) -> None:
    with pytest.raises(CertificateRefused):
        authority.issue_relay(name)


@pytest.mark.parametrize("host", ["acme/door-1", "*.example.org", "", "a b", "-a", "a..b", "x" * 64 + ".org", "dör.example", "a\n"])
def test_a_broker_cannot_be_called_what_is_no_host(authority: Authority, host: str) -> None:
    with pytest.raises(CertificateRefused):
        authority.issue_broker(["broker.example.org", host])
    assert authority.issued() == []


def test_a_broker_needs_a_host(authority: Authority) -> None:
    with pytest.raises(CertificateRefused, match="name or address"):
        authority.issue_broker([])


def test_relay_and_broker_get_certificate_and_key_for_their_own_side_of_tls(authority: Authority) -> None:
    for (pem, key), use in (
        (authority.issue_relay(), ExtendedKeyUsageOID.CLIENT_AUTH),
        (authority.issue_broker(["broker.example.org", "192.0.2.7", "2001:db8::1"]), ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        certificate = x509.load_pem_x509_certificate(pem)
        assert serialization.load_pem_private_key(key, None).public_key() == certificate.public_key()
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [use]
        with pytest.raises(CertificateRefused):
            CertificateChecker(authority.ca_pem).check(der(pem), "acme", "door-1")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example.org"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "2001:db8::1"]
    assert [(one.kind, one.name) for one in authority.issued()] == [("relay", "relay"), ("broker", "broker.example.org")]


@pytest.mark.parametrize("days", [0, -1, 10**6])
def test_days_that_make_no_sense_are_refused(authority: Authority, days: int) -> None:
    with pytest.raises(CertificateRefused, match="days"):
        authority.issue_terminal(request(), days)


def test_no_certificate_outlives_the_authority(authority: Authority) -> None:
    ca = x509.load_pem_x509_certificate(authority.ca_pem)
    assert ca.not_valid_after_utc - ca.not_valid_before_utc > timedelta(days=19.9 * 365)
    pem = authority.issue_terminal(request(), 20 * 365)
    assert x509.load_pem_x509_certificate(pem).not_valid_after_utc <= ca.not_valid_after_utc


def test_a_name_belongs_to_one_terminal_until_it_is_revoked(authority: Authority) -> None:
    authority.issue_terminal(request())
    authority.issue_terminal(request())  # the same terminal, before its certificate ends
    with pytest.raises(CertificateRefused, match="another terminal has a certificate by this name"):
        authority.issue_terminal(request(signer=OTHER))
    authority.revoke("door-1")
    authority.issue_terminal(request(signer=OTHER))
    assert [one.revoked is None for one in authority.issued()] == [False, False, True]


def test_revoking_shuts_every_certificate_of_that_terminal_out_and_no_other(authority: Authority) -> None:
    door, again, other = (der(authority.issue_terminal(request(name))) for name in ("door-1", "door-1", "door-2"))
    checker = CertificateChecker(authority.ca_pem, authority.revoke("door-1"))
    for one in (door, again):
        with pytest.raises(CertificateRefused, match="revoked"):
            checker.check(one, "acme", "door-1")
    checker.check(other, "acme", "door-2")
    for name in ("door-1", "door-9", "acme/door-2"):
        with pytest.raises(CertificateRefused, match="fleet list"):
            authority.revoke(name)


def test_a_relay_is_revoked_by_its_name_unless_a_terminal_has_it(authority: Authority) -> None:
    authority.issue_relay()
    authority.issue_terminal(request("relay"))
    authority.issue_broker(["broker.example.org"])
    authority.revoke("relay")
    assert [one.revoked is None for one in authority.issued()] == [True, False, True]
    authority.revoke("relay")
    assert len(list(x509.load_pem_x509_crl(authority.revoke("broker.example.org")))) == 3


def test_the_list_that_is_beside_the_authority_is_the_newest(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "ca" / CRL_FILE
    authority.issue_terminal(request())
    first = x509.load_pem_x509_crl(path.read_bytes())
    newest = authority.revoke("door-1")
    assert path.read_bytes() == newest
    second = x509.load_pem_x509_crl(newest)
    numbers = [one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for one in (first, second)]
    assert numbers[0] < numbers[1]
    assert [len(list(one)) for one in (first, second)] == [0, 1]


def test_what_was_issued_is_written_down_before_it_is_handed_out(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("blinkd.crypto.authority.write_whole", full)
    with pytest.raises(OSError, match="No space"):
        authority.issue_terminal(request())
    monkeypatch.undo()
    pem = authority.issue_terminal(request())
    (given,) = read_issued(tmp_path / "ca")
    certificate = x509.load_pem_x509_certificate(pem)
    assert given.serial == f"{certificate.serial_number:x}"
    assert given.not_after == certificate.not_valid_after_utc.date().isoformat()
    assert (given.kind, given.name, given.revoked, given.signing) == ("terminal", "acme/door-1", None, SIGNER.public.hex())


ISSUE = """
import sys
from pathlib import Path
from blinkd.crypto.authority import Authority
authority = Authority.load(Path(sys.argv[1]))
print("ready", flush=True)
input()
for number in range(10):
    authority.issue_relay(f"{sys.argv[2]}-{number}")
"""


def test_processes_that_issue_at_once_all_stand_in_the_list(authority: Authority, tmp_path: Path) -> None:
    for done in at_once(ISSUE, [[str(tmp_path / "ca"), name] for name in ("a", "b", "c")]):
        assert done.returncode == 0, done.stderr
    assert {one.name for one in authority.issued()} == {f"{name}-{number}" for name in "abc" for number in range(10)}


def test_a_request_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request().to_json(SIGNER)))
    assert Request.load(path) == request_of(path) == Request.of(request_of(path).to_json(SIGNER))
    assert len(Request.load(path).fingerprint()) == 39


def request_of(path: Path) -> Request:
    return Request.of(json.loads(path.read_text()))


def test_no_part_of_a_request_can_be_exchanged() -> None:
    value = request().to_json(SIGNER)
    other = make_request("door-2", "acme", new_tls_key(), OTHER.public, Box(bytes([4] * 32)).public).to_json(OTHER)
    for name in ("terminal", "csr", "signing", "box", "signature"):
        with pytest.raises(CertificateRefused, match="torn or not signed"):
            Request.of(value | {name: other[name]})


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"more": 1}, {"terminal": 7}, {"csr": None}, {"signing": "AAAA"}, {"box": 7}, {"signature": ""}, {"csr": "\ud800"}],
)
def test_another_form_of_request_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CertificateRefused, match="fleet request"):
        Request.of(request().to_json(SIGNER) | change)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b" " * 20_000, b"[" * 10_000])
def test_a_file_that_is_no_request_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(content)
    with pytest.raises(CertificateRefused, match=r"request\.json"):
        Request.load(path)


def test_a_box_key_that_hides_nothing_is_refused_in_a_request() -> None:
    weak = make_request("door-1", "acme", TLS_KEY, SIGNER.public, bytes(32)).to_json(SIGNER)
    with pytest.raises(CertificateRefused):
        Request.of(weak)


def test_a_request_of_another_organisation_gets_nothing(authority: Authority) -> None:
    with pytest.raises(CertificateRefused, match="other/door-1, not for acme/door-1"):
        authority.issue_terminal(request(org="other"))


def test_a_request_for_a_key_that_another_holds_gets_nothing(authority: Authority) -> None:
    mine = request()
    csr = x509.load_pem_x509_csr(mine.csr).public_bytes(serialization.Encoding.DER)
    broken = csr[:-1] + bytes([csr[-1] ^ 1])
    pem = x509.load_der_x509_csr(broken).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(CertificateRefused, match="not signed by its own key"):
        authority.issue_terminal(Request("door-1", pem, SIGNER.public, BOX.public))


def test_the_tls_key_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    made = own_tls_key(tmp_path)
    assert own_tls_key(tmp_path) == made
    assert stat.S_IMODE((tmp_path / "tls.key").stat().st_mode) == 0o600


def test_a_torn_tls_key_is_said_so() -> None:
    for pem in (b"", TLS_KEY[:100]):
        with pytest.raises(KeyMissing, match=r"tls\.key"):
            make_request("door-1", "acme", pem, SIGNER.public, BOX.public)


def openssl(*arguments: str | Path) -> str:
    assert OPENSSL is not None
    done = subprocess.run([OPENSSL, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout + done.stderr


if OPENSSL is not None:

    def test_openssl_verifies_the_chain_and_heeds_the_list(authority: Authority, tmp_path: Path) -> None:
        ca, crl = tmp_path / "ca" / CA_FILE, tmp_path / "ca" / CRL_FILE
        door, relay, broker = (tmp_path / f"{name}.pem" for name in ("door", "relay", "broker"))
        write_whole(door, authority.issue_terminal(request()))
        write_whole(relay, authority.issue_relay()[0])
        write_whole(broker, authority.issue_broker(["broker.example.org", "192.0.2.7"])[0])
        check = ("verify", "-x509_strict", "-CAfile", ca, "-CRLfile", crl, "-crl_check")
        for path in (door, relay):
            assert f"{path}: OK" in openssl(*check, "-purpose", "sslclient", path)
            assert "unsuitable certificate purpose" in openssl(*check, "-purpose", "sslserver", path)
        assert f"{broker}: OK" in openssl(*check, "-purpose", "sslserver", "-verify_hostname", "broker.example.org", broker)
        assert f"{broker}: OK" in openssl(*check, "-purpose", "sslserver", "-verify_ip", "192.0.2.7", broker)
        assert "ostname mismatch" in openssl(*check, "-verify_hostname", "other.example.org", broker)
        assert "unsuitable certificate purpose" in openssl(*check, "-purpose", "sslclient", broker)
        assert "CN = acme/door-1" in openssl("x509", "-in", door, "-noout", "-subject")
        authority.revoke("door-1")
        assert "certificate revoked" in openssl(*check, door)
        assert f"{relay}: OK" in openssl(*check, relay)
        foreign = tmp_path / "foreign.pem"
        write_whole(foreign, Authority.create(tmp_path / "other", "acme").issue_terminal(request()))
        assert "OK" not in openssl(*check, foreign)


def test_a_clock_in_the_past_signs_nothing_and_says_so(tmp_path: Path) -> None:
    def past() -> datetime:
        return datetime(1970, 1, 2, tzinfo=UTC)

    with pytest.raises(CertificateRefused, match=r"this clock says 1970-01-02.*put the clock right"):
        Authority.create(tmp_path / "none", "acme", clock=past)
    assert not (tmp_path / "none" / "ca.pem").exists()
    Authority.create(tmp_path, "acme").issue_relay()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    late = Authority.load(tmp_path, clock=past)
    for attempt in (late.issue_relay, late.crl, lambda: late.revoke("relay"), lambda: late.issue_broker(["mqtt.example"])):
        with pytest.raises(CertificateRefused, match="put the clock right"):
            attempt()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
