"""The verbs keys …, from a new organisation to the loss of a terminal."""

import fcntl
import getpass
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blinkd.crypto.authority import Authority, make_request, new_tls_key
from blinkd.crypto.box import Box
from blinkd.crypto.encoding import b64
from blinkd.crypto.grants import open_grant
from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.signing import Signer, Verifier
from blinkd.crypto.unlocked import load, load_file
from blinkd.settings import StoreSettings
from blinkd.store.database import Store
from blinkd.sync.messages import Change, admin_signed
from tests.integration.faces.commands import Answer, blinkd
from tests.unit.cli.passwords import OTHER, PASSWORD, with_passwords
from tests.unit.store.stores import sample

HEAVY = ("cv2", "onnxruntime", "ai_edge_litert", "matplotlib")


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The state folder of the organisation's first terminal."""
    state = tmp_path / "first"
    assert with_passwords("keys", "init", "--organisation", "acme", state=state).code == 0
    return state


def shown(state: Path) -> Any:
    done = blinkd("keys", "show", "--json", state=state)
    assert done.code == 0, done.err
    return done.json


def file_of(state: Path) -> KeyringFile:
    return load_file(state / "keyring.json")


def refused(done: Answer, *words: str) -> None:
    assert (done.code, done.out) == (1, ""), done
    for word in words:
        assert word in done.err
    assert PASSWORD not in done.err


def files(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in state.iterdir() if path.is_file() and path.name.startswith("keyring")}


def test_a_new_organisations_keyring_is_made_and_shown_without_a_secret(first: Path) -> None:
    value = shown(first)
    assert (value["organisation"], value["revision"], value["unlocked"], value["reason"]) == ("acme", 1, True, None)
    (epoch,) = value["epochs"]
    assert epoch == {"kid": value["current"], "created": epoch["created"], "current": True, "unlocked": True}
    words = blinkd("keys", "show", state=first).out
    keyring = load(first)
    with file_of(first).opened(PASSWORD) as opened:
        for secret in (*opened.roots.values(), opened.index, opened.admin):
            for text in (bytes(secret).hex(), b64(secret)):
                assert text not in words + json.dumps(value)
    assert keyring.organisation == "acme"
    assert {stat.S_IMODE((first / name).stat().st_mode) for name in files(first)} == {0o600}


def test_a_keyring_is_never_overwritten(first: Path) -> None:
    before = files(first)
    refused(with_passwords("keys", "init", "--organisation", "other", state=first), "keyring.json", "already")
    assert files(first) == before


@pytest.mark.parametrize(
    ("password", "word"), [("short", "5 characters"), ("password1234", "guessed"), ("acme acme acme", "guessed"), ("\udcff" * 12, "")]
)
def test_a_password_that_would_be_guessed_makes_no_keyring(tmp_path: Path, password: str, word: str) -> None:
    done = with_passwords("keys", "init", "--organisation", "acme", state=tmp_path, lines=(password,))
    assert done.code in {1, 2}
    assert word in done.err
    assert files(tmp_path) == {}


@pytest.mark.parametrize("name", ["a/b", "+", "", "x" * 64])
def test_an_organisation_that_no_topic_could_name_is_refused(tmp_path: Path, name: str) -> None:
    assert with_passwords("keys", "init", "--organisation", name, state=tmp_path).code in {1, 2}
    assert files(tmp_path) == {}


def test_a_password_can_be_given_neither_as_argument_nor_as_variable(tmp_path: Path) -> None:
    assert blinkd("keys", "init", "--organisation", "acme", "--password", PASSWORD, state=tmp_path).code == 2
    for name in ("BLINKD_PASSWORD", "BLINKD_KEYS__PASSWORD"):
        assert blinkd("keys", "init", "--organisation", "acme", state=tmp_path, **{name: PASSWORD}).code != 0
    assert files(tmp_path) == {}


@pytest.mark.parametrize("descriptor", ["999", "-1", "x"])
def test_a_descriptor_that_is_none_is_wrong_usage(tmp_path: Path, descriptor: str) -> None:
    assert blinkd("keys", "init", "--organisation", "acme", "--password-fd", descriptor, state=tmp_path).code == 2


def test_a_descriptor_without_a_line_is_wrong_usage(tmp_path: Path) -> None:
    assert with_passwords("keys", "init", "--organisation", "acme", state=tmp_path, lines=()).code == 2


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def type_(*answers: str) -> list[str]:
        prompts: list[str] = []
        waiting = list(answers)

        def ask(prompt: str) -> str:
            prompts.append(prompt)
            return waiting.pop(0)

        monkeypatch.setattr(getpass, "getpass", ask)
        return prompts

    return type_


def test_a_new_password_is_typed_twice_and_must_be_the_same(tmp_path: Path, typing: Callable[..., list[str]]) -> None:
    prompts = typing(PASSWORD, OTHER)
    refused(blinkd("keys", "init", "--organisation", "acme", state=tmp_path), "differ")
    assert files(tmp_path) == {}
    assert len(prompts) == 2
    typing(PASSWORD, PASSWORD)
    assert blinkd("keys", "init", "--organisation", "acme", state=tmp_path).code == 0
    prompts = typing(PASSWORD)
    assert blinkd("keys", "rotate", state=tmp_path).code == 0
    assert len(prompts) == 1, "one that is in use is asked for once"


def test_nobody_waits_for_the_keyring_while_somebody_types_a_password(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask(prompt: str) -> str:
        folder = os.open(first, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as the sync process locks it, which takes new keys in
        finally:
            os.close(folder)
        asked.append(prompt)
        return PASSWORD

    copy = tmp_path / "keyring.json"
    assert blinkd("keys", "export", str(copy), state=first).code == 0
    monkeypatch.setattr(getpass, "getpass", ask)
    for verb in (("join", str(copy)), ("rotate",), ("password",)):
        before = len(asked)
        assert blinkd("keys", *verb, state=first).code == 0
        assert len(asked) > before


def process(code: str, state: Path) -> subprocess.CompletedProcess[str]:
    """A process that has no terminal to ask at, as in a service."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "BLINKD_STATE_DIR": str(state)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_where_nobody_can_type_unseen_the_descriptor_is_asked_for(tmp_path: Path) -> None:
    done = process(
        "import sys; from blinkd.cli.main import main; sys.argv[1:] = ['keys', 'init', '--organisation', 'acme']; main()", tmp_path
    )
    assert done.returncode == 2
    assert "--password-fd" in done.stderr
    assert files(tmp_path) == {}


def test_another_terminal_joins_by_the_exported_file_and_the_password(first: Path, tmp_path: Path) -> None:
    exported, second = tmp_path / "acme.json", tmp_path / "second"
    assert blinkd("keys", "export", exported, state=first).code == 0
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    refused(
        with_passwords("keys", "join", exported, state=second, lines=("not the password",)), "organisation password is not the right one"
    )
    assert not (second / "keyring.sealed").exists()
    assert with_passwords("keys", "join", exported, state=second).code == 0
    assert load(second) == load(first)
    assert shown(second) == shown(first)
    assert with_passwords("keys", "join", exported, state=second).code == 0, "once more mends what is torn"


def test_export_writes_to_standard_output_too(first: Path) -> None:
    done = blinkd("keys", "export", "-", state=first)
    assert KeyringFile.parse(done.out) == file_of(first)


def test_joining_mends_a_torn_keyring_and_a_lost_key(first: Path, tmp_path: Path) -> None:
    exported, before = tmp_path / "acme.json", load(first)
    blinkd("keys", "export", exported, state=first)
    (first / "keyring.sealed").write_bytes(b"{")
    value = shown(first)
    assert (value["unlocked"], "torn" in value["reason"]) == (False, True)
    assert with_passwords("keys", "join", exported, state=first).code == 0
    (first / "keyring.key").unlink()
    assert shown(first)["unlocked"] is False
    assert with_passwords("keys", "join", exported, state=first).code == 0
    assert load(first) == before


def test_an_older_file_or_another_organisations_is_refused(first: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    blinkd("keys", "export", old, state=first)
    assert with_passwords("keys", "rotate", state=first).code == 0
    before = files(first)
    refused(with_passwords("keys", "join", old, state=first), "revision 1", "2")
    other = tmp_path / "other"
    with_passwords("keys", "init", "--organisation", "acme", state=other)
    refused(with_passwords("keys", "join", other / "keyring.json", state=first), "keyring of acme")
    assert files(first) == before


def test_a_file_that_is_no_keyring_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    refused(with_passwords("keys", "join", tmp_path / "x.json", state=tmp_path / "s"), "x.json")
    refused(with_passwords("keys", "join", tmp_path / "y.json", state=tmp_path / "s"), "y.json")


@pytest.mark.parametrize("verb", ["show", "export", "password", "rotate"])
def test_without_a_keyring_the_way_to_one_is_said(tmp_path: Path, verb: str) -> None:
    arguments = ("keys", verb, "-") if verb == "export" else ("keys", verb)
    done = blinkd(*arguments, state=tmp_path) if verb in {"show", "export"} else with_passwords(*arguments, state=tmp_path)
    refused(done, "keys init", "keys join")


def test_the_password_can_be_changed_and_the_keys_stay(first: Path) -> None:
    before, keys = files(first), load(first)
    refused(with_passwords("keys", "password", state=first, lines=("not the password", OTHER)), "not the right one")
    refused(with_passwords("keys", "password", state=first, lines=(PASSWORD, "password1234")), "guessed")
    assert files(first) == before
    assert with_passwords("keys", "password", state=first, lines=(PASSWORD, OTHER)).code == 0
    assert load(first) == keys
    refused(with_passwords("keys", "rotate", state=first), "not the right one")
    assert with_passwords("keys", "rotate", state=first, lines=(OTHER,)).code == 0


class Member:
    """A terminal that the registry knows."""

    def __init__(self, authority: Authority, name: str, number: int) -> None:
        self.name, self.signer, self.box = name, Signer(bytes([number] * 32)), Box(bytes([number] * 32))
        self.certify(authority)

    def certify(self, authority: Authority) -> None:
        pem = authority.issue_terminal(make_request(self.name, "acme", new_tls_key(), self.signer.public, self.box.public))
        certificate = x509.load_pem_x509_certificate(pem)
        self.der, self.serial = certificate.public_bytes(Encoding.DER), f"{certificate.serial_number:x}"

    def publish(self, state: Path) -> None:
        with Store.open(state, StoreSettings()) as store:
            store.registry.publish(f"terminal.{self.name}", "terminal", {"certificate": b64(self.der)})


@pytest.fixture
def authority(first: Path, tmp_path: Path) -> Authority:
    made = Authority.create(tmp_path / "ca", "acme")
    (first / "ca.pem").write_bytes(made.ca_pem)
    return made


@pytest.fixture
def members(first: Path, authority: Authority) -> dict[str, Member]:
    found = {name: Member(authority, name, number) for number, name in enumerate(("door-1", "door-2", "lost"), 1)}
    for one in found.values():
        one.publish(first)
    return found


def said(state: Path) -> dict[str, tuple[Any, bytes]]:
    """Records that wait for the relay, by their names: what they say, and the administrator's signature."""
    with Store.open(state, StoreSettings()) as store:
        return {one.record: (json.loads(one.open), one.admin) for one in store.registry.waiting(100) if one.open is not None and one.admin}


def test_a_rotation_gives_every_terminal_that_stays_the_new_key(first: Path, members: dict[str, Member]) -> None:
    with Store.open(first, StoreSettings()) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
    before = file_of(first)
    done = with_passwords("keys", "rotate", "--revoke", "lost", "--json", state=first)
    assert done.code == 0, done.err
    after, keys = file_of(first), load(first)
    assert done.json == {
        "epoch": after.current,
        "revision": 2,
        "granted": ["door-1", "door-2"],
        "revoked": ["lost"],
        "refused": [],
    }
    assert keys.current == after.current != before.current
    records = said(first)
    assert records.keys() == {
        "keyring",
        f"epoch.{after.current}.door-1",
        f"epoch.{after.current}.door-2",
        f"revocation.{members['lost'].serial}",
    }
    administrator = Verifier(before.admin)
    for record, (value, signature) in records.items():
        change = Change(record, record.partition(".")[0], 7, 7, None, value, b"")
        assert administrator.holds(admin_signed("acme", change), signature)
    assert KeyringFile.of(records["keyring"][0]) == after
    for name in ("door-1", "door-2"):
        grant = records[f"epoch.{after.current}.{name}"][0]
        assert open_grant(grant, members[name].box, "acme", name) == (after.current, bytes(keys.roots[after.current]))
    assert records[f"revocation.{members['lost'].serial}"][0]["terminal"] == "lost"


def test_who_was_revoked_gets_no_later_key_either_nor_by_an_older_certificate(
    first: Path, members: dict[str, Member], authority: Authority
) -> None:
    lost = members["lost"]
    older = lost.der
    lost.certify(authority)
    lost.publish(first)
    assert with_passwords("keys", "rotate", "--revoke", "lost", state=first).code == 0
    for der in (lost.der, older):
        lost.der = der
        lost.publish(first)
        done = with_passwords("keys", "rotate", "--json", state=first)
        assert done.json["granted"] == ["door-1", "door-2"]
        assert done.json["refused"] == ["lost: its certificate was revoked"]
    authority.revoke("lost")
    Member(authority, "lost", 9).publish(first)  # another machine in its place
    assert with_passwords("keys", "rotate", "--json", state=first).json["granted"] == ["door-1", "door-2", "lost"]


def test_a_key_is_given_to_nobody_whom_the_authority_does_not_know(first: Path, members: dict[str, Member], tmp_path: Path) -> None:
    foreign = Authority.create(tmp_path / "foreign", "acme")
    Member(foreign, "mallory", 7).publish(first)
    done = with_passwords("keys", "rotate", "--json", state=first)
    assert done.json["granted"] == sorted(members)
    assert len(done.json["refused"]) == 1
    assert "mallory" in done.json["refused"][0]


def test_an_unknown_terminal_is_not_revoked_and_nothing_is_rotated(first: Path, members: dict[str, Member]) -> None:
    before = files(first)
    refused(with_passwords("keys", "rotate", "--revoke", "dor-1", state=first), "dor-1", *members)
    assert with_passwords("keys", "rotate", "--revoke", "terminal-1", state=first).code == 2, "not the one that it is run at"
    assert files(first) == before


def test_without_the_authoritys_certificate_no_key_is_given(first: Path, members: dict[str, Member]) -> None:
    (first / "ca.pem").unlink()
    before = files(first)
    refused(with_passwords("keys", "rotate", state=first), "ca.pem", "fleet install")
    assert files(first) == before
    assert members


def test_a_wrong_password_rotates_nothing(first: Path, members: dict[str, Member]) -> None:
    before, waiting = files(first), said(first)
    refused(with_passwords("keys", "rotate", "--revoke", "lost", state=first, lines=(OTHER,)), "not the right one")
    assert (files(first), said(first)) == (before, waiting)
    assert members


def test_everything_that_is_sealed_by_the_old_key_waits_to_be_sealed_anew(first: Path, members: dict[str, Member]) -> None:
    with Store.open(first, StoreSettings()) as store:
        store.people.enrol("E-1", "Ann", [])
        store.registry.note_changes(lambda *_: "r" * 32, 10)
        store.registry.settle("r" * 32, 1, 5)
        assert "r" * 32 not in {one.record for one in store.registry.waiting(100)}
    with_passwords("keys", "rotate", state=first)
    with Store.open(first, StoreSettings()) as store:
        assert "r" * 32 in {one.record for one in store.registry.waiting(100)}
    assert members


def test_the_new_keys_and_who_is_shut_out_go_before_all_that_is_sealed_anew(first: Path, members: dict[str, Member]) -> None:
    with Store.open(first, StoreSettings()) as store:
        for number in range(30):
            store.people.enrol(f"E-{number}", "Ann", [])
        keyring = load(first)
        assert store.registry.note_changes(lambda _, local_id, __: keyring.person_record(local_id), 100) == 30
    assert with_passwords("keys", "rotate", "--revoke", "lost", state=first).code == 0
    with Store.open(first, StoreSettings()) as store:
        kinds = [one.type for one in store.registry.waiting(100)]
        few = [one.record for one in store.registry.waiting(4)]
    assert [kind == "person" for kind in kinds] == sorted(kind == "person" for kind in kinds)
    assert {"keyring", "revocation", "terminal", "epoch", "person"} == set(kinds)
    assert few[0] == "keyring", "which names the administrator who has signed the others"
    assert few[1] == f"revocation.{members['lost'].serial}"


def test_showing_the_keyring_loads_nothing_that_sees(first: Path) -> None:
    code = (
        "import sys\nfrom blinkd.cli.main import main\nsys.argv = ['blinkd', 'keys', 'show', '--json']\ntry:\n    main()\nfinally:\n"
        f"    sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = process(code, first)
    assert json.loads(done.stdout)["organisation"] == "acme"
    assert done.stderr == ""
