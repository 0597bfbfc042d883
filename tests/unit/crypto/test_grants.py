import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.crypto.box import Box, seal_to
from blinkd.crypto.certificates import TerminalCertificate
from blinkd.crypto.encoding import b64, unb64
from blinkd.crypto.grants import grants_for, is_revoked, keyring_record, open_grant, revocation_of
from blinkd.crypto.keyring import KeyringFile, Secrets
from blinkd.crypto.unlocked import unlock
from blinkd.errors import CertificateRefused, EnvelopeRejected, KeyringRefused

KID, ROOT, DAY = "00000001", bytes(range(32)), date(2026, 1, 2)
ONE, TWO = Box(bytes([1] * 32)), Box(bytes([2] * 32))
SMALL = (bytes(32), bytes([1, *bytes(31)]), bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"))
PASSWORD = "correct horse battery staple"


def certificate(terminal: str, box: bytes, serial: int = 7) -> TerminalCertificate:
    return TerminalCertificate("acme", terminal, bytes(32), box, serial, datetime.now(UTC), datetime.now(UTC), b"")


def opened() -> Secrets:
    return Secrets({KID: bytearray(ROOT)}, bytearray(32), bytearray(32))


def grant(terminal: str = "door-1", box: Box = ONE) -> dict[str, Any]:
    (record,) = grants_for(opened(), KID, [certificate(terminal, box.public)], DAY)
    found: dict[str, Any] = json.loads(json.dumps(record.open))
    return found


def refused(value: object, box: Box = ONE, organisation: str = "acme", terminal: str = "door-1") -> str:
    with pytest.raises(EnvelopeRejected) as error:
        open_grant(value, box, organisation, terminal)
    return error.value.reason


def test_each_terminal_opens_its_own_grant_and_no_other() -> None:
    boxes = {"door-1": ONE, "door-2": TWO}
    records = grants_for(opened(), KID, [certificate(name, box.public) for name, box in boxes.items()], DAY)
    assert [(one.id, one.type) for one in records] == [("epoch.00000001.door-1", "epoch"), ("epoch.00000001.door-2", "epoch")]
    for record, (name, box) in zip(records, boxes.items(), strict=True):
        assert open_grant(record.open, box, "acme", name) == (KID, ROOT)
        assert record.open["created"] == "2026-01-02"
        for other, key in boxes.items():
            if other != name:
                assert refused(record.open, key, terminal=other) == "other_terminal"
                assert refused(record.open, key, terminal=name) == "tampered"


def test_a_grant_moved_to_another_terminal_organisation_or_epoch_is_refused() -> None:
    value = grant()
    assert open_grant(value, ONE, "acme", "door-1") == (KID, ROOT)
    assert refused(value, organisation="acme2") == "tampered"
    assert refused(value | {"terminal": "door-2"}, terminal="door-2") == "tampered"
    assert refused(value | {"kid": "00000002"}) == "tampered"


def test_every_bit_flip_is_refused() -> None:
    value = grant()
    for name, text in value["grant"].items():
        part = unb64(text)
        for bit in range(len(part) * 8):
            flipped = bytearray(part)
            flipped[bit // 8] ^= 1 << bit % 8
            assert refused(value | {"grant": value["grant"] | {name: b64(flipped)}}) == "tampered"


@pytest.mark.parametrize(
    "change",
    [{"kid": 7}, {"kid": "x"}, {"kid": None}, {"more": 1}, {"terminal": 7}, {"grant": None}, {"grant": []}, {"grant": {}}, {"grant": "x"}],
)
def test_another_form_is_refused(change: dict[str, object]) -> None:
    assert refused(grant() | change) in {"malformed", "other_terminal", "tampered"}
    value = deepcopy(grant())
    value["grant"]["more"] = "x"
    assert refused(value) == "tampered"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_whatever_json_there_is_it_is_refused(value: object) -> None:
    assert refused(value) == "malformed"
    assert refused(grant() | {"grant": value}) == "tampered"


def test_what_is_no_root_is_not_taken_for_one() -> None:
    value = grant() | {"grant": seal_to(ONE.public, "acme", KID, "door-1", bytes(31))}
    assert refused(value) == "tampered"


def test_the_root_and_its_length_are_all_that_two_grants_share() -> None:
    one, two = grant()["grant"], grant()["grant"]
    assert all(one[name] != two[name] for name in one)
    assert b64(ROOT)[:20] not in json.dumps(one)


@pytest.mark.parametrize("public", SMALL)
def test_nothing_is_sealed_to_a_key_that_hides_nothing(public: bytes) -> None:
    with pytest.raises(CertificateRefused, match="door-1"):
        grants_for(opened(), KID, [certificate("door-1", public)], DAY)


@pytest.mark.parametrize("public", SMALL)
def test_a_grant_by_a_key_that_hides_nothing_is_refused(public: bytes) -> None:
    value = grant()
    assert refused(value | {"grant": value["grant"] | {"ephemeral": b64(public)}}) == "tampered"


def test_an_unknown_epoch_is_not_granted() -> None:
    with pytest.raises(KeyringRefused, match="00000009"):
        grants_for(opened(), "00000009", [], DAY)


def test_a_revocation_shuts_out_the_certificate_and_every_other_of_that_terminals_key() -> None:
    lost = certificate("door-1", bytes(32), serial=0xABC)
    record = revocation_of(lost)
    assert (record.id, record.type) == ("revocation.abc", "revocation")
    assert record.open == {"serial": "abc", "terminal": "door-1", "signing": "00" * 32}
    assert is_revoked(lost, [record.open])
    assert is_revoked(replace(lost, serial=1), [record.open]), "an older certificate of the same terminal"
    assert is_revoked(replace(lost, signing=bytes([1] * 32)), [{"serial": "abc", "terminal": "door-1"}])
    assert not is_revoked(replace(lost, serial=1, signing=bytes([1] * 32)), [record.open]), "what takes its place under the same name"
    assert not is_revoked(lost, [])


@pytest.mark.usefixtures("quick")
def test_a_terminal_that_stays_follows_a_rotation_by_grant_and_keyring_alone() -> None:
    file = KeyringFile.create("acme", PASSWORD, DAY)
    with file.opened(PASSWORD) as secret:
        ours = unlock(file, secret)
    new = file.rotated(PASSWORD, DAY)
    with new.opened(PASSWORD) as secret:
        (record,) = grants_for(secret, new.current, [certificate("door-1", ONE.public)], DAY)
    arrived = KeyringFile.of(json.loads(json.dumps(keyring_record(new).open)))
    assert ours.take(*open_grant(json.loads(json.dumps(record.open)), ONE, "acme", "door-1"))
    ours.current = arrived.current
    with new.opened(PASSWORD) as secret:
        assert ours == unlock(new, secret)


def test_the_box_key_stays_the_same(tmp_path: Any) -> None:
    made = Box.load(tmp_path, create=True)
    assert Box.load(tmp_path, create=False).public == made.public
