"""What becomes of a terminal's changes when keys are rotated while it is away, when its database is put back, and when another machine takes its name."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from blinkd.attendance.punch import PersonStatus
from blinkd.clock import SystemClock
from blinkd.crypto.encoding import b64
from blinkd.crypto.unlocked import load_file
from blinkd.sync.messages import Change, Changes, Page, PagedChange, Pull, change_signed
from blinkd.sync.topics import PULL
from tests.unit.cli.passwords import with_passwords
from tests.unit.store.stores import sample
from tests.unit.sync.doors import ORG, PASSWORD, Door, Organisation


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    organisation = Organisation(tmp_path)
    yield organisation
    organisation.connections.close()


@pytest.fixture
def doors(organisation: Organisation) -> Iterator[dict[str, Door]]:
    found = {name: certified(organisation, name) for name in ("a", "b", "lost")}
    yield found
    for door in found.values():
        door.store.close()


def certified(organisation: Organisation, name: str) -> Door:
    door = organisation.door(name)
    (door.folder / "ca.pem").write_bytes(organisation.authority.ca_pem)
    door.store.registry.publish(f"terminal.{name}", "terminal", {"certificate": b64(door.certificate)})
    return door


def settled(*doors: Door) -> None:
    for _ in range(3):
        for door in doors:
            door.sync()


def rotate(door: Door, *more: str) -> list[str]:
    """Returns who was given the new key."""
    done = with_passwords("keys", "rotate", *more, "--json", state=door.folder, lines=(PASSWORD,), BLINKD_TERMINAL__ID=door.name)
    assert done.code == 0, done.err
    granted: list[str] = done.json["granted"]
    return granted


def test_who_was_enrolled_at_a_door_that_missed_the_rotation_is_known_at_the_others(doors: dict[str, Door]) -> None:
    a, b, lost = doors.values()
    settled(a, b, lost)
    rotate(a)
    settled(a)
    assert len(a.keyring.roots) == 1, "the old keys are gone"
    b.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(b, a)
    assert a.people() == {"E-1": "Ann"}


def test_what_a_door_seals_by_old_keys_before_it_hears_of_the_new_ones_is_sealed_anew(doors: dict[str, Door]) -> None:
    a, b, lost = doors.values()
    settled(a, b, lost)
    rotate(a)
    settled(a)
    b.store.people.enrol("E-1", "Ann", [sample(1)])
    b.stay(1)  # on a connection that has not heard of the rotation yet
    a.sync()
    assert [reason for _, _, reason, _ in a.store.intake.quarantined()] == ["unknown_key", "unknown_key"]
    settled(b, a)
    assert (a.people(), a.store.intake.quarantined()) == ({"E-1": "Ann"}, [])
    assert len(b.keyring.roots) == 1


def put_back(door: Door, backup: Path) -> Door:
    door.store.close()
    shutil.rmtree(door.folder)
    shutil.copytree(backup, door.folder)
    return door.organisation.door(door.name)


def test_what_is_changed_at_a_door_whose_database_was_put_back_stands_against_what_it_has_forgotten(
    doors: dict[str, Door], tmp_path: Path
) -> None:
    a, b, _ = doors.values()
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(a, b)
    a.store.close()
    shutil.copytree(a.folder, tmp_path / "backup")
    a = doors["a"] = a.organisation.door("a")
    a.store.people.change("E-1", name="Ann B")
    settled(a, b)
    a = doors["a"] = put_back(a, tmp_path / "backup")
    a.store.people.set_status("E-1", PersonStatus.DEACTIVATED)
    settled(a, b)
    assert a.store.people.get("E-1") == b.store.people.get("E-1")
    assert b.store.people.get("E-1").status == PersonStatus.DEACTIVATED


def test_who_was_deleted_at_a_door_stays_deleted_when_its_database_is_put_back(doors: dict[str, Door], tmp_path: Path) -> None:
    a, b, _ = doors.values()
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(a, b)
    a.store.close()
    shutil.copytree(a.folder, tmp_path / "backup")
    a = doors["a"] = a.organisation.door("a")
    a.store.erasure.delete("E-1", "pseudonym", "HR", "on request", SystemClock().now())
    settled(a, b)
    a = doors["a"] = put_back(a, tmp_path / "backup")
    a.store.people.change("E-1", name="Ann B")
    settled(a, b)
    assert (a.people(), b.people()) == ({}, {})
    assert len(a.store.registry.conflicts()) == 1, "what was changed meanwhile is kept aside"


def test_a_machine_that_takes_the_place_of_a_revoked_one_under_its_name_gets_the_keys_of_the_next_rotation(
    organisation: Organisation, doors: dict[str, Door]
) -> None:
    a, b, lost = doors.values()
    settled(a, b, lost)
    assert rotate(a, "--revoke", "lost") == ["a", "b"]
    settled(a, b)
    organisation.authority.revoke("lost")
    organisation.keyring = load_file(a.folder / "keyring.json")
    lost.store.close()
    shutil.rmtree(lost.folder)
    new = doors["lost"] = certified(organisation, "lost")
    new.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(new, a, b)
    assert a.people() == b.people() == {"E-1": "Ann"}
    assert rotate(a) == ["a", "b", "lost"]
    settled(a, new)
    assert new.keyring.current == a.keyring.current


def deletion(door: Door, record: str, kind: str, version: int) -> Change:
    """Of a record that is no secret, signed by a door; and by nobody who could be the administrator."""
    change = Change(record, kind, version, 99, None, None, b"", None if kind == "terminal" else bytes(64))
    return replace(change, signature=door.signer.sign(change_signed(ORG, door.name, change)))


def test_a_stolen_terminal_cannot_make_itself_unknown_and_so_is_revoked(organisation: Organisation, doors: dict[str, Door]) -> None:
    a, b, lost = doors.values()
    settled(a, b, lost)
    ((version,),) = organisation.rows("SELECT version FROM registry WHERE record = 'terminal.lost'")
    receipt = organisation.core.people(Changes(ORG, "lost", lost.certificate, (deletion(lost, "terminal.lost", "terminal", version),)))
    assert [(one.state, one.reason) for one in receipt.people] == [("rejected", "deleted")]
    settled(a, b)
    assert rotate(a, "--revoke", "lost") == ["a", "b"]


@pytest.mark.parametrize("kind", ["terminal", "revocation", "epoch", "keyring"])
def test_what_everybody_must_know_of_keys_is_not_deleted_by_a_relay_and_a_terminal_together(doors: dict[str, Door], kind: str) -> None:
    a, b, lost = doors.values()
    settled(a, b, lost)
    rotate(a, "--revoke", "lost")
    settled(a, b)
    record = sorted(b.store.registry.published(kind))[-1]
    before, version = b.store.registry.published(kind), b.store.timeline.version()
    shown = PagedChange(deletion(a, record, kind, version), "a", version + 1, hashlib.sha256(a.certificate).hexdigest())
    b.registrar.connected(b.now)
    pull = next(Pull.parse(payload) for suffix, payload in reversed(b.sent) if suffix == PULL)
    page = Page(pull.request, pull.since, version + 1, version + 1, False, {shown.certificate: a.certificate}, (shown,))
    b.registrar.page(Page.parse(page.to_bytes()), b.now)
    assert b.store.registry.published(kind) == before
    assert [one[0] for one in b.store.intake.quarantined()] == [record]


def test_what_waits_for_keys_is_looked_at_again_when_they_come_and_not_after_every_page(
    organisation: Organisation, doors: dict[str, Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, lost = doors.values()
    settled(a, b, lost)
    new = organisation.keyring.rotated(PASSWORD, date(2026, 2, 1))
    with new.opened(PASSWORD) as opened:
        a.keyring.take(new.current, bytes(opened.roots[new.current]))
    a.keyring.current = new.current
    for number in range(5):
        a.store.people.enrol(f"E-{number}", "Ann", [])
    settled(a, b)
    assert len(b.store.intake.quarantined()) == 5
    looked = []
    monkeypatch.setattr(b.store.intake, "held", lambda reasons, held=b.store.intake.held: [looked.append(reasons), held(reasons)][1])
    for number in range(3):
        lost.store.people.enrol(f"F-{number}", "Bo", [sample(number)])
        settled(lost, b)
    assert set().union(*looked) == {"no_person"}, "people have come, keys have not"
    b.keyring.take(new.current, bytes(a.keyring.roots[new.current]))
    settled(b)
    assert b.people().keys() == a.sync().people().keys()
    assert b.store.intake.quarantined() == []
