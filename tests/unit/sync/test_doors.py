"""What two doors that did not hear of each other's changes agree on, and what is kept of the rest."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.proof import in_order, prove
from blinkd.attendance.punch import PersonStatus
from blinkd.clock import SystemClock
from blinkd.crypto.box import seal_to
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import load
from blinkd.store.replica import PersonReplica
from blinkd.sync.messages import Change, Changes, Receipt, Rejected, admin_signed
from blinkd.sync.topics import PEOPLE, PULL
from tests.unit.store.stores import MODEL, sample
from tests.unit.sync.doors import ORG, PASSWORD, Door, Organisation


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    organisation = Organisation(tmp_path)
    yield organisation
    organisation.connections.close()


@pytest.fixture
def doors(organisation: Organisation) -> Iterator[tuple[Door, Door]]:
    a, b = organisation.door("a"), organisation.door("b")
    yield a, b
    a.store.close()
    b.store.close()


def erase(door: Door, person_id: str) -> None:
    door.store.erasure.delete(person_id, "pseudonym", "HR", "on request", SystemClock().now())


def settled(*doors: Door) -> None:
    for _ in range(2):
        for door in doors:
            door.sync()


def whole(door: Door) -> bool:
    entries, strays = door.store.book.audit()
    proof = prove(in_order(entries, strays), [], door.signer.public)
    return proof.ok and door.store.vouching.unproved(door.signer.public) == {}


def test_people_templates_groups_dates_and_consent_reach_the_other_door(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [sample(1), sample(2)])
    a.store.people.change("E-1", valid=(date(2026, 1, 1), None), join=["Night"])
    a.store.people.set_status("E-1", PersonStatus.DEACTIVATED)
    settled(a, b)
    here, there = a.store.people.get("E-1"), b.store.people.get("E-1")
    assert here == there
    assert there.templates == 2
    assert b.store.people.enrolments("E-1") == a.store.people.enrolments("E-1")
    assert whole(b)
    before = b.store.outbox.end()
    settled(a, b)
    assert b.store.outbox.end() == before  # nothing is taken in twice


def test_a_deletion_reaches_the_other_door_and_the_relay_keeps_a_tombstone(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(a, b)
    erase(b, "E-1")
    settled(b, a)
    assert (a.people(), b.people()) == ({}, {})
    assert list(a.store.people.templates(MODEL)) == []
    assert organisation.rows("SELECT count(*) FROM registry WHERE type IN ('person', 'template') AND NOT deleted") == [(0,)]
    ((_, content, why),) = a.store.book.entries("deletion")
    assert (content["by"], why) == ("b", "deleted at another terminal")
    assert whole(a)


def test_of_two_changes_without_knowledge_of_each_other_the_first_stands_and_the_other_is_kept_aside(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [])
    settled(a, b)
    a.store.people.change("E-1", name="Ann A")
    b.store.people.change("E-1", name="Ann B")
    settled(a, b)
    assert (a.people(), b.people()) == ({"E-1": "Ann A"}, {"E-1": "Ann A"})
    (conflict,) = b.store.registry.conflicts()
    assert (conflict.local_id, conflict.lost is None) == ("E-1", False)
    assert a.store.registry.conflicts() == []
    assert whole(b)


def test_somebody_enrolled_at_two_doors_at_once_is_one_person_with_the_templates_of_both(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    b.store.people.enrol("E-1", "Anne", [sample(2)])
    b.clerk.attend("E-1", 0.7, {})
    settled(a, b)
    assert (a.people(), b.people()) == ({"E-1": "Ann"}, {"E-1": "Ann"})
    assert a.store.people.get("E-1").subject == b.store.people.get("E-1").subject
    assert {door.store.people.get("E-1").templates for door in doors} == {2}
    assert [punch.person_id for punch in b.store.book.punches()] == ["E-1"]  # what was punched under the other pseudonym stays theirs
    assert whole(b)


def test_a_change_that_waits_is_not_undone_by_an_earlier_one_of_this_door_whose_receipt_was_lost(
    organisation: Organisation, doors: tuple[Door, Door]
) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [])
    settled(a, b)
    a.store.people.change("E-1", name="Ann A")

    def no_answer(suffix: str, payload: bytes) -> bool:
        if suffix == PEOPLE:
            organisation.core.people(Changes.parse(payload))
        return suffix != PEOPLE

    a.sync(no_answer)
    a.store.people.change("E-1", name="Ann AA")
    settled(a, b)
    assert (a.people(), b.people()) == ({"E-1": "Ann AA"}, {"E-1": "Ann AA"})


def test_somebody_who_is_enrolled_here_just_before_they_come_from_another_door_is_taken_in(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    a.sync()

    def enrolled_meanwhile(suffix: str, _: bytes) -> bool:
        if suffix == PULL and b.store.people.find("E-1") is None:
            b.store.people.enrol("E-1", "Anne", [sample(2)])
        return True

    b.sync(enrolled_meanwhile)
    settled(a, b)
    assert b.store.intake.quarantined() == []
    assert (a.people(), b.people()) == ({"E-1": "Ann"}, {"E-1": "Ann"})
    assert {door.store.people.get("E-1").templates for door in doors} == {2}


def test_what_was_set_aside_goes_when_both_doors_have_deleted_it(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(a, b)
    database = b.store._database
    database.execute_sql(
        "INSERT INTO registry_quarantine SELECT record, version, 'bad_content', '', '{}', x'00' FROM registry WHERE type = 'template'"
    )
    for door in doors:
        erase(door, "E-1")
    a.sync()
    b.sync(lambda suffix, _: suffix != PEOPLE)
    assert b.store.intake.quarantined() == []


def test_a_deletion_stands_against_a_change_made_without_knowing_of_it(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(a, b)
    erase(a, "E-1")
    b.store.people.change("E-1", name="Ann B")
    b.store.people.add_templates("E-1", [sample(2)])
    b.sync()  # before the deletion comes
    settled(a, b)
    assert (a.people(), b.people()) == ({}, {})
    assert list(b.store.people.templates(MODEL)) == []


def test_a_week_of_punches_arrives_in_order_however_many_messages_are_lost(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, _ = doors
    a.store.people.enrol("E-1", "Ann", [])
    for _ in range(57):
        a.clerk.attend("E-1", 0.7, {})
    count = 0

    def every_third_is_lost(*_: object) -> bool:
        nonlocal count
        count += 1
        return count % 3 != 0

    for _ in range(30):
        a.now += 400
        a.sync(every_third_is_lost)
    a.sync()
    assert a.store.outbox.first() == a.store.outbox.end()
    assert organisation.rows("SELECT count(*), max(seq) FROM entries") == [(a.store.outbox.end(), a.store.outbox.end() - 1)]
    assert organisation.rows("SELECT state FROM books") == [("ok",)]


def test_a_relay_that_lost_its_newest_entries_gets_them_again(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, _ = doors
    a.store.people.enrol("E-1", "Ann", [])
    for _ in range(30):
        a.clerk.attend("E-1", 0.7, {})
    a.sync()
    with organisation.connections.transaction() as cursor:
        cursor.execute("DELETE FROM entries WHERE seq > 11")
        cursor.execute("UPDATE books SET head_seq = 11, stored_seq = 11, head_hash = (SELECT hash FROM entries WHERE seq = 11)")
    a.sync()  # the last entry is sent again, and its receipt tells of the gap
    assert a.store.outbox.first() == a.store.outbox.end()  # it may only have been overtaken
    a.stay(20)
    assert organisation.rows("SELECT count(*), max(head_seq) FROM entries, books") == [(a.store.outbox.end(), a.store.outbox.end() - 1)]


def rotated(organisation: Organisation, door: Door, lost: Door | None = None) -> None:
    """As `blinkd keys rotate` does it at a door."""
    before = organisation.keyring
    organisation.keyring = after = before.rotated(PASSWORD, date(2026, 6, 1))
    with after.opened(PASSWORD) as secrets:
        admin, root = Signer(bytes(secrets.admin)), bytes(secrets.roots[after.current])
    said = [("keyring", "keyring", after.to_json())]
    for name, der in door.store.registry.terminals():
        if lost is not None and name == lost.name:
            continue
        public = door.checker.check(der, ORG, name).box
        grant = seal_to(public, ORG, after.current, name, root)
        said.append((f"epoch.{after.current}.{name}", "epoch", {"kid": after.current, "terminal": name, "grant": grant}))
    if lost is not None:
        said.append((f"revocation.{lost.serial:x}", "revocation", {"serial": f"{lost.serial:x}", "terminal": lost.name}))
    for record, kind, value in said:
        signature = admin.sign(admin_signed(ORG, Change(record, kind, 0, 1, None, value, b"")))
        door.store.registry.publish(record, kind, value, signature)
        door.keeper.heed(Change(record, kind, 0, 1, None, value, b"", signature))
    door.store.registry.resend()


def published(*doors: Door) -> None:
    from blinkd.crypto.encoding import b64

    for door in doors:
        door.store.registry.publish(f"terminal.{door.name}", "terminal", {"certificate": b64(door.certificate)})


def test_after_a_rotation_the_registry_is_sealed_anew_and_the_old_keys_are_gone(
    organisation: Organisation, doors: tuple[Door, Door]
) -> None:
    a, b = doors
    old = organisation.keyring.current
    published(a, b)
    b.store.people.enrol("E-1", "Ann", [sample(1)])
    settled(a, b)
    rotated(organisation, a)
    settled(a, b)
    new = organisation.keyring.current
    assert (a.keyring.current, b.keyring.current) == (new, new)
    assert (set(a.keyring.roots), set(b.keyring.roots)) == ({new}, {new})
    assert set(load(b.folder).roots) == {new}
    sealed = [text for (text,) in organisation.rows("SELECT change FROM registry WHERE type IN ('person', 'template')")]
    assert len(sealed) == 2
    assert all(f'"kid":"{new}.' in text and old not in text for text in sealed)
    b.store.people.change("E-1", name="Ann B")
    settled(b, a)
    assert a.people() == {"E-1": "Ann B"}


def test_a_lost_terminal_is_shut_out_by_relay_and_doors_and_gets_no_new_keys(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    lost = organisation.door("lost")
    try:
        published(a, b, lost)
        a.store.people.enrol("E-1", "Ann", [])
        settled(a, b, lost)
        rotated(organisation, a, lost)
        settled(a, b)
        lost.store.people.change("E-1", name="Mallory")
        lost.clerk.attend("E-1", 0.9, {})
        before = organisation.rows("SELECT count(*) FROM entries")
        lost.sync()
        assert organisation.rows("SELECT count(*) FROM entries") == before
        settled(a, b)
        assert (a.people(), b.people()) == ({"E-1": "Ann"}, {"E-1": "Ann"})
        assert organisation.keyring.current not in lost.keyring.roots
    finally:
        lost.store.close()


def test_a_person_whose_id_or_name_stands_in_the_words_of_a_deletion_is_deleted_elsewhere_too(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("t", "Another Terminal", [sample(1)])
    settled(a, b)
    a.store.erasure.delete("t", "pseudonym", "HR", "will", SystemClock().now(), typed=False)
    settled(a, b)
    assert (a.people(), b.people()) == ({}, {})


def test_what_the_relay_does_not_take_whole_is_found_and_the_rest_goes_on(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    for number in range(7):
        a.store.people.enrol(f"E-{number}", "Ann", [])
    bad = a.keyring.person_record("E-4")
    original = organisation.core.people

    def picky(changes: Changes) -> Receipt:
        if any(change.id == bad for change in changes.changes):
            return Receipt(rejected=(Rejected("people", None, "too_large", "too large"),))
        return original(changes)

    organisation.core.people = picky  # type: ignore[method-assign]
    settled(a, b)
    assert sorted(b.people()) == [f"E-{number}" for number in range(7) if number != 4]
    assert a.store.registry.counts()["FAILED"] == 1


def test_an_envelope_sealed_in_another_terminals_name_is_not_taken_by_the_relay(
    organisation: Organisation, doors: tuple[Door, Door]
) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [])
    a.sealer._terminal = "b"
    settled(a, b)
    assert b.people() == {}
    assert organisation.rows("SELECT count(*) FROM registry WHERE type = 'person'") == [(0,)]
    assert a.store.registry.counts()["FAILED"] == 1
    assert {one.reason for one in a.store.outbox.aside()} == {"foreign"}


def test_a_record_that_the_database_does_not_take_is_set_aside_and_holds_up_nobody(
    doors: tuple[Door, Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = doors
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    a.store.people.enrol("E-2", "Bo", [sample(2)])
    real = a.store.registry.replica

    def odd(kind: str, local_id: str) -> Any:
        found = real(kind, local_id)
        if local_id != "E-1":
            return found
        assert isinstance(found, PersonReplica)
        return replace(found, enrolments=tuple({**one, "kind": "odd"} for one in found.enrolments))

    monkeypatch.setattr(a.store.registry, "replica", odd)
    settled(a, b)
    assert b.people() == {"E-2": "Bo"}
    reasons = {reason for _, _, reason, _ in b.store.intake.quarantined()}
    assert reasons == {"bad_content", "no_person"}  # the template waits for its person
    assert whole(b)
    assert b.store.timeline.version() == a.store.timeline.version()


def test_a_head_that_was_overtaken_on_its_way_makes_no_door_send_what_the_relay_has(
    organisation: Organisation, doors: tuple[Door, Door]
) -> None:
    """Two relays say their heads one after the other, in whichever order they come to it; the retained one may be the older."""
    a, b = doors
    for number in range(8):
        a.store.people.enrol(f"E-{number}", f"Person {number}", [])
    settled(a, b)
    ((before,),) = organisation.rows("SELECT version FROM organisations")
    for door in doors:
        for version in (before, before - 5, before):
            door.registrar.announced(version, door.now)
            door.stay(0.1)
    for door in doors:
        door.registrar.announced(before - 5, door.now)
        for _ in range(30):
            door.stay(5.0)
    settled(a, b)
    assert organisation.rows("SELECT version FROM organisations") == [(before,)]
    assert [door.store.registry.counts()["PENDING"] for door in doors] == [0, 0]
