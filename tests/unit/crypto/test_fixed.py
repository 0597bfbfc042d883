"""What this version writes, byte for byte, so that no later one reads it differently. The random parts are a counter's."""

import hmac
import itertools
import json
import secrets
from datetime import date

import pytest

from blinkd.crypto.box import Box
from blinkd.crypto.chain import canonical
from blinkd.crypto.envelope import associated_data
from blinkd.crypto.grants import open_grant
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.unlocked import unlock

PASSWORD, DAY = "correct horse battery staple", date(2026, 1, 2)
KEYRING = Keyring("acme", "00000001", {"00000001": bytearray(range(32))}, bytearray(range(32, 64)), bytes(32))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(1)

    def token_bytes(count: int | None = None) -> bytes:
        return bytes([next(numbers)] * (count or 32))

    monkeypatch.setattr(secrets, "token_bytes", token_bytes)
    monkeypatch.setattr(secrets, "token_hex", lambda count: token_bytes(count).hex())


def test_working_keys() -> None:
    assert KEYRING.working_key("00000001", "people", "door-1").hex() == "11d8fe5896e1874244e42c9644718b7da20e6134e3ae1b91f9f67a9b4d0e653b"
    assert (
        KEYRING.working_key("00000001", "attendance", "door-1").hex() == "dab4e4ea3017b13db2c04971168a7035d1bc63c174a9b001e5d4ab147bf31b7d"
    )


def test_working_keys_are_what_rfc_5869_makes_of_them() -> None:
    info = b"blinkd 2\n\x00\x04acme\x00\x06people\x00\x06door-1"
    extracted = hmac.digest(bytes(32), bytes(range(32)), "sha256")
    assert KEYRING.working_key("00000001", "people", "door-1") == hmac.digest(extracted, info + b"\x01", "sha256")


def test_names_of_records_are_shortened_hmacs() -> None:
    index = bytes(range(32, 64))
    person, template = hmac.digest(index, b"person\nE-1", "sha256").hex()[:32], hmac.digest(index, b"template\nT-1", "sha256").hex()[:16]
    assert KEYRING.template_record("E-1", "T-1") == f"{person}.{template}"


def test_names_of_records() -> None:
    assert KEYRING.person_record("E-1") == "f5d682ac3c09b31ab8e63e9fac720e79"
    assert KEYRING.template_record("E-1", "T-1") == "f5d682ac3c09b31ab8e63e9fac720e79.c91761ce0ee77846"


def test_associated_data() -> None:
    expected = b"blinkd aad 2\n\x02\x00\x0f00000001.door-1\x00\x04acme\x00\x06person\x00\x01r"
    assert associated_data("00000001.door-1", "acme", "person", "r") == expected


@pytest.mark.parametrize(
    ("kind", "digest", "tag"),
    [
        ("person", "e3d9da203400353353866bc0ac5f1ae91ff4cbb92a073a1e10a076e2877fe955", "785975c1c630c76828e6582bc3b58147"),
        ("entry", "46e15a7c19a2db60cafa7fddef71fd6839cfab461397980837ed1b9dfd2f61d6", "a92840ba1af0bc053235174f2510f033"),
        ("template", "515f2d962efdf64faa68fa6f6dff7635c450259bd35b1e6ceed05fc2c37e909f", "61486fd76c55353ee3b3072fd69067db"),
    ],
)
@pytest.mark.usefixtures("counted")
def test_envelopes(kind: str, digest: str, tag: str) -> None:
    sealed = Sealer(KEYRING, "door-1").seal(kind, "r", b"content")
    assert (sealed.kid, sealed.iv, sealed.v) == ("00000001.door-1", bytes([1] * 12), 2)
    assert sealed.tag.hex() == tag
    assert sealed.digest().hex() == digest


@pytest.mark.usefixtures("counted", "quick")
def test_a_keyring_file() -> None:
    file = KeyringFile.create("acme", PASSWORD, DAY)
    text = canonical(file.to_json()).decode()
    assert text == KEYRING_FILE


KEYRING_FILE = (
    '{"admin":"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=","current":"02020202","epochs":[{"created":"2026-01-02"'
    ',"kid":"02020202"}],"kdf":{"iterations":1000,"name":"PBKDF2-HMAC-SHA256","salt":"BQUFBQUFBQUFBQUFBQUFBQ=="},"o'
    'rganisation":"acme","revision":1,"v":1,"wrapped":{"ciphertext":"oV1/H41iblexW2sFP8TxEAa4q15FWbVYHV/sLuk8xWURSQ'
    "xJTY+Tysg7Kzl3DilXKbFdrjLGpBOOUFV5Cc3Dzde+GJkh+nYMdc7ZGKnXEms0acPxCJ1I8mK8/DZSIoCJBKJUyBpO4aIbjnHIV82qgnKh91o6"
    'tRYMb/D8WQEL2Jwydij/qKfHCEwO4szlbavAoTalspZijxbya0JI/30U/UPB6jPIvQ6AX6o4dsgWJrpCfpk=","iv":"BgYGBgYGBgYGBgYG",'
    '"tag":"nHCK30sqAyERH1VS/bJrtA=="}}'
)


@pytest.mark.usefixtures("quick")
def test_the_keyring_file_opens() -> None:
    file = KeyringFile.parse(KEYRING_FILE)
    with file.opened(PASSWORD) as opened:
        ours = unlock(file, opened)
    assert ours.roots == {"02020202": bytearray([3] * 32)}
    assert ours.index == bytearray([4] * 32)


GRANT = (
    '{"kid":"00000001","terminal":"door-1","created":"2026-01-02","grant":{"ephemeral":"5pYkoK8F3DlSIBbu0mZVzl9MnZ6'
    'ZDYfIbNdYwtVcr3k=","iv":"XQIi3r91HXuugJMX","sealed":"8uZ9/sdgcSdQQPfFQULsPVn6vggbwzMe+i5GWVB60nm+Twzq92QvnbvUa'
    'Fy1oHAz"}}'
)


def test_a_grant_opens() -> None:
    assert open_grant(json.loads(GRANT), Box(bytes([1] * 32)), "acme", "door-1") == ("00000001", bytes(range(32)))
