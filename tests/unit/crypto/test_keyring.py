import json
from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blinkd.crypto import keyring as module
from blinkd.crypto.chain import canonical
from blinkd.crypto.keyring import Keyring, KeyringFile, Secrets
from blinkd.crypto.unlocked import load_file, unlock
from blinkd.errors import KeyMissing, KeyringRefused, PasswordRefused, WrongPassword

PASSWORD, DAY = "correct horse battery staple", date(2026, 1, 2)

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def file(quick: None) -> KeyringFile:  # noqa: ARG001  with few rounds
    return KeyringFile.create("acme", PASSWORD, DAY)


def unlocked(file: KeyringFile, password: str = PASSWORD) -> Keyring:
    with file.opened(password) as opened:
        return unlock(file, opened)


def copied(opened: Secrets) -> tuple[dict[str, bytes], bytes, bytes]:
    return {kid: bytes(root) for kid, root in opened.roots.items()}, bytes(opened.index), bytes(opened.admin)


def test_a_keyring_takes_as_many_rounds_as_a_guesser_should_pay_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    made = KeyringFile.create("acme", PASSWORD, DAY)
    assert made.to_json()["kdf"] == {"name": "PBKDF2-HMAC-SHA256", "iterations": 600_000, "salt": made.to_json()["kdf"]["salt"]}
    assert len(made.salt) == 16
    unlocked(made)
    weak = made.to_json()
    weak["kdf"]["iterations"] = 599_999
    with pytest.raises(KeyringRefused, match="600000"):
        KeyringFile.of(weak)


def test_what_is_written_reads_as_it_was_and_opens_by_the_password(file: KeyringFile) -> None:
    again = KeyringFile.parse(json.dumps(file.to_json(), indent=2))
    assert again == file
    ours = unlocked(file)
    assert (ours.organisation, ours.current) == ("acme", file.current)
    assert ours == unlocked(again)


def test_nothing_in_the_file_is_the_same_in_two_organisations(file: KeyringFile) -> None:
    other = KeyringFile.create("acme", PASSWORD, DAY)
    for name in ("salt", "iv", "sealed", "admin", "current"):
        assert getattr(file, name) != getattr(other, name)


def test_the_secrets_are_nowhere_in_the_file(file: KeyringFile) -> None:
    text = canonical(file.to_json())
    with file.opened(PASSWORD) as opened:
        roots, index, admin = copied(opened)
        for secret in (*roots.values(), index, admin):
            assert module.b64(secret).encode() not in text


@pytest.mark.parametrize("password", ["", "Correct horse battery staple", PASSWORD + " ", "x" * 1000])
def test_a_wrong_password_is_said_in_one_sentence(file: KeyringFile, password: str) -> None:
    with pytest.raises(WrongPassword) as error, file.opened(password):
        raise AssertionError
    assert str(error.value) == "the organisation password is not the right one, or the keyring file was changed"


def test_the_same_letters_typed_on_another_keyboard_are_the_same_password() -> None:
    file = KeyringFile.create("acme", "caf\u00e9 \ufb01ve gr\u00fcn lamp", DAY)  # one character each; a ligature
    assert unlocked(file, "cafe\u0301 five gru\u0308n lamp") == unlocked(file, "caf\u00e9 \ufb01ve gr\u00fcn lamp")


def test_a_password_that_is_no_text_is_refused(file: KeyringFile) -> None:
    with pytest.raises(PasswordRefused), file.opened("\udcff" * 12):
        raise AssertionError


def test_secrets_are_wiped_when_they_are_not_needed_any_more(file: KeyringFile) -> None:
    with file.opened(PASSWORD) as opened:
        kept = unlock(file, opened)
        held = [*opened.roots.values(), opened.index, opened.admin]
        assert all(any(secret) for secret in held)
    assert not any(any(secret) for secret in held)
    working = kept.working_key(file.current, "people", "door-1")
    assert len(set(working)) > 8, "what was unlocked is a copy"
    held = [*kept.roots.values(), kept.index]
    kept.wipe()
    assert not any(any(secret) for secret in held)


def test_secrets_are_wiped_after_an_error_too(file: KeyringFile) -> None:
    held: list[bytearray] = []

    def fail() -> None:
        with file.opened(PASSWORD) as opened:
            held.extend([*opened.roots.values(), opened.index, opened.admin])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert held
    assert not any(any(secret) for secret in held)


def test_secrets_are_not_printed(file: KeyringFile) -> None:
    ours = unlocked(file)
    with file.opened(PASSWORD) as opened:
        printed = f"{opened!r} {ours!r}"
        for secret in (*opened.roots.values(), opened.index, opened.admin):
            assert repr(secret)[10:-1] not in printed
            assert secret.hex() not in printed


def test_every_bit_flip_of_the_file_is_refused(file: KeyringFile) -> None:
    text = canonical(file.to_json())
    for bit in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((KeyringRefused, WrongPassword)), KeyringFile.parse(bytes(flipped)).opened(PASSWORD):
            raise AssertionError(flipped)


def test_every_cut_of_the_file_is_refused(file: KeyringFile) -> None:
    text = canonical(file.to_json())
    for length in range(len(text)):
        with pytest.raises(KeyringRefused):
            KeyringFile.parse(text[:length])


@pytest.mark.parametrize("name", ["organisation", "admin", "current", "epochs", "revision"])
def test_no_open_member_can_come_from_another_keyring(file: KeyringFile, name: str) -> None:
    other = KeyringFile.create("other", PASSWORD, date(2025, 1, 1)).rotated(PASSWORD, DAY).to_json()
    value = file.to_json() | {name: other[name]}
    with pytest.raises((KeyringRefused, WrongPassword)), KeyringFile.of(value).opened(PASSWORD):
        raise AssertionError


def changed(value: dict[str, Any], path: tuple[str | int, ...], new: object) -> dict[str, Any]:
    found: Any = (whole := deepcopy(value))
    for step in path[:-1]:
        found = found[step]
    found[path[-1]] = new
    return whole


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("v",), 2),
        (("v",), True),
        (("v",), 1.0),
        (("more",), 1),
        (("organisation",), "a/b"),
        (("organisation",), ""),
        (("organisation",), "\ud800"),
        (("organisation",), None),
        (("kdf", "name"), "scrypt"),
        (("kdf", "iterations"), 999),
        (("kdf", "iterations"), 10**9),
        (("kdf", "iterations"), 1000.0),
        (("kdf", "iterations"), True),
        (("kdf", "more"), 1),
        (("kdf",), []),
        (("wrapped", "iv"), "AAAA"),
        (("wrapped", "more"), "x"),
        (("wrapped",), None),
        (("admin",), 7),
        (("current",), "00000000"),
        (("current",), ["x"]),
        (("epochs",), []),
        (("epochs",), {}),
        (("epochs", 0), {}),
        (("epochs", 0, "kid"), 7),
        (("epochs", 0, "created"), "20260102"),
        (("epochs", 0, "created"), "yesterday"),
        (("epochs", 0, "more"), 1),
        (("revision",), 0),
        (("revision",), "1"),
        (("revision",), float("nan")),
    ],
)
def test_another_form_is_refused(file: KeyringFile, path: tuple[str | int, ...], new: object) -> None:
    with pytest.raises(KeyringRefused):
        KeyringFile.of(changed(file.to_json(), path, new))


def test_an_epoch_that_stands_twice_is_refused(file: KeyringFile) -> None:
    value = file.to_json()
    value["epochs"] *= 2
    with pytest.raises(KeyringRefused):
        KeyringFile.of(value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_whatever_json_there_is_it_is_refused(value: object) -> None:
    with pytest.raises(KeyringRefused):
        KeyringFile.parse(json.dumps(value))


@given(st.binary())
def test_whatever_bytes_there_are_they_are_refused(text: bytes) -> None:
    with pytest.raises(KeyringRefused):
        KeyringFile.parse(text)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(KeyringRefused):
        KeyringFile.parse("[" * 100_000)


def test_a_file_that_is_missing_or_endless_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyringRefused, match=r"nowhere\.json"):
        load_file(tmp_path / "nowhere.json")
    (tmp_path / "long.json").write_bytes(b" " * (module.MOST_BYTES + 1))
    with pytest.raises(KeyringRefused, match=r"long\.json: too long"):
        load_file(tmp_path / "long.json")


def test_a_rotation_makes_a_new_current_epoch_and_keeps_the_old_ones(file: KeyringFile) -> None:
    new = file.rotated(PASSWORD, date(2026, 5, 6))
    assert new.current != file.current
    assert [epoch.kid for epoch in new.epochs] == [file.current, new.current]
    assert new.epochs[1].created == date(2026, 5, 6)
    assert (new.revision, new.admin) == (2, file.admin)
    before, after = unlocked(file), unlocked(new)
    assert after.roots[file.current] == before.roots[file.current]
    assert after.roots[new.current] != before.roots[file.current]
    assert after.index == before.index, "names of records stay"
    with pytest.raises(WrongPassword):
        file.rotated("another password", DAY)


def test_an_old_epoch_can_be_forgotten_but_not_the_current_one(file: KeyringFile) -> None:
    new = file.rotated(PASSWORD, DAY)
    less = new.without(PASSWORD, file.current)
    assert unlocked(less).roots.keys() == {new.current}
    assert less.revision == 3
    for kid in (new.current, "00000000"):
        with pytest.raises(KeyringRefused):
            new.without(PASSWORD, kid)


def test_another_password_opens_the_same_keys_and_the_old_one_opens_nothing(file: KeyringFile) -> None:
    new = file.rewrapped(PASSWORD, "four other words entirely")
    assert new.revision == 2
    assert (new.salt, new.iv) != (file.salt, file.iv)
    assert unlocked(new, "four other words entirely") == unlocked(file)
    with pytest.raises(WrongPassword):
        unlocked(new)


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", "$SYS", "é", "-a", "x" * 64])
def test_an_organisation_cannot_be_called_what_a_topic_cannot_hold(name: str) -> None:
    with pytest.raises(KeyringRefused, match="name"):
        KeyringFile.create(name, PASSWORD, DAY)


def test_working_keys_differ_by_epoch_purpose_terminal_and_organisation(file: KeyringFile) -> None:
    new = file.rotated(PASSWORD, DAY)
    ours = unlocked(new)
    other = replace(ours, organisation="acme2")
    keys = [
        keyring.working_key(epoch, purpose, terminal)
        for keyring in (ours, other)
        for epoch in (file.current, new.current)
        for purpose in ("people", "attendance")
        for terminal in ("a", "b", "ab")
    ]
    assert len(set(keys)) == len(keys) == 24
    assert {len(key) for key in keys} == {32}
    with pytest.raises(KeyMissing, match="keys join"):
        ours.working_key("00000000", "people", "a")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=2, max_size=2, unique=True))
def test_records_of_different_things_have_different_names(file: KeyringFile, pair: list[tuple[str, str]]) -> None:
    ours = Keyring("acme", file.current, {}, bytearray(32), file.admin)
    (person, template), (person2, template2) = pair
    assert ours.template_record(person, template) != ours.template_record(person2, template2)
    assert ours.template_record(person, template).partition(".")[0] == ours.person_record(person)
    assert (ours.person_record(person) == ours.person_record(person2)) is (person == person2)


def test_names_of_records_tell_nothing_to_who_has_not_the_index(file: KeyringFile) -> None:
    ours = unlocked(file)
    other = replace(ours, index=bytearray(32))
    assert ours.person_record("E-1") != other.person_record("E-1")
    assert len(ours.person_record("E-1")) == 32


def test_a_granted_epoch_is_one_more_and_an_old_one_can_be_given_up(file: KeyringFile) -> None:
    ours = unlocked(file)
    new = file.rotated(PASSWORD, DAY)
    root = bytes(unlocked(new).roots[new.current])
    assert ours.take(new.current, root)
    assert not ours.take(new.current, root)
    assert ours.current == file.current, "which one is current is the keyring file's word"
    ours.current = new.current
    assert ours == unlocked(new)
    old = ours.roots[file.current]
    ours.forget(file.current)
    assert ours.roots.keys() == {new.current}
    assert not any(old)
    with pytest.raises(KeyringRefused):
        ours.forget(new.current)


@pytest.mark.parametrize(("epoch", "root"), [("00000000", bytes(31)), ("x", bytes(32)), ("", bytes(32)), ("0000000G", bytes(32))])
def test_what_is_no_root_is_not_taken(file: KeyringFile, epoch: str, root: bytes) -> None:
    ours = unlocked(file)
    with pytest.raises(KeyringRefused):
        ours.take(epoch, root)
    assert ours.roots.keys() == {file.current}


def test_a_root_that_is_known_is_never_exchanged_for_another(file: KeyringFile) -> None:
    ours = unlocked(file)
    before = bytes(ours.roots[file.current])
    assert not ours.take(file.current, before)
    with pytest.raises(KeyringRefused):
        ours.take(file.current, bytes(32))
    assert ours.roots[file.current] == before


def test_a_file_whose_roots_are_not_those_of_its_epochs_is_refused(file: KeyringFile) -> None:
    with file.opened(PASSWORD) as opened:
        opened.roots["00000000"] = bytearray(32)
        odd = file._wrapped(opened, PASSWORD)
    with pytest.raises(KeyringRefused), odd.opened(PASSWORD):
        raise AssertionError


def test_a_file_whose_administrator_is_another_than_it_names_is_refused(file: KeyringFile) -> None:
    with file.opened(PASSWORD) as opened:
        opened.admin[:] = bytes(32)
        odd = file._wrapped(opened, PASSWORD)
    with pytest.raises(KeyringRefused, match="administrator"), odd.opened(PASSWORD):
        raise AssertionError


def test_a_member_that_stands_twice_is_refused(file: KeyringFile) -> None:
    text = json.dumps(file.to_json())
    with pytest.raises(KeyringRefused):
        KeyringFile.parse(text[:-1] + ', "revision": 1}')


def test_a_new_epoch_never_takes_the_name_of_an_old_one(file: KeyringFile, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter([file.current, file.current, "0123abcd"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(names))
    assert file.rotated(PASSWORD, DAY).current == "0123abcd"


def test_the_administrators_key_signs_what_the_public_one_in_the_file_confirms(file: KeyringFile) -> None:
    with file.opened(PASSWORD) as opened:
        assert opened.administrator().public == file.admin
