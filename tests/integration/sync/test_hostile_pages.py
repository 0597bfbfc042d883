"""Pages that no honest relay sends: refused or set aside with their reason, and the honest ones come all the same."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import blinkd.store.intake
from blinkd.errors import MessageRejected
from blinkd.sync.messages import Page, Pull
from tests.integration.sync.hostile import GREATEST, asked, authored, erase, hear, page, pulls, reasons, settled, shown, signed, standing
from tests.unit.store.stores import MODEL, sample
from tests.unit.sync.doors import ORG, Door, Organisation


def changed(text: bytes, **members: Any) -> bytes:
    return json.dumps(json.loads(text) | members).encode()


def twice(text: bytes) -> bytes:
    said = json.loads(text)
    return json.dumps(said | {"changes": said["changes"] * 2}).encode()


def reversed_(text: bytes) -> bytes:
    said = json.loads(text)
    return json.dumps(said | {"changes": said["changes"][::-1]}).encode()


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (reversed_, "not in order"),
        (twice, "not in order"),
        (lambda text: changed(text, upto=0), "not in order"),
        (lambda text: changed(text, upto=2**63), "no whole number"),
        (lambda text: changed(text, since=-1), "no whole number"),
        (lambda text: changed(text, changes=json.loads(text)["changes"] * 251), "no list of 0 to 500"),
        (lambda text: changed(text, certificates={}), "certificate is missing"),
        (lambda text: changed(text, certificates=dict.fromkeys(json.loads(text)["certificates"], "AAAA")), "not the digest"),
        (lambda text: text[:-40], "not JSON"),
        (lambda text: text + b" " * (1 << 20), "bytes; a message has"),
    ],
)
def test_a_page_that_no_relay_writes_is_refused_whole_with_its_fault_named(
    lasting: tuple[Organisation, Door, Door], spoilt: Callable[[bytes], bytes], words: str
) -> None:
    organisation, a, b = lasting
    number = len(a.people())
    a.store.people.enrol(f"N-{number}", "Bo", [sample(2)])
    a.sync()
    pull = asked(b)
    true = organisation.core.page(ORG, pull.since, pull.limit, pull.request).to_bytes()
    with pytest.raises(MessageRejected, match=words):
        Page.parse(spoilt(true))
    b.sync()
    assert b.people() == a.people()
    assert len(b.people()) == number + 1


@pytest.mark.parametrize("since", [0, 1, GREATEST - 1])
def test_a_page_from_elsewhere_than_was_asked_for_moves_nothing(lasting: tuple[Organisation, Door, Door], since: int) -> None:
    _, a, b = lasting
    number = len(a.people())
    at = b.store.timeline.version()
    hear(b, page(asked(b), since=since, upto=max(since, 1), head=GREATEST))
    assert b.store.timeline.version() == at
    a.store.people.enrol(f"M-{number}", "Bo", [])
    settled(a, b)
    assert b.people() == a.people()
    assert len(b.people()) == number + 1


def test_a_page_that_ends_beyond_the_registry_hides_nothing_for_ever(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-2", "Bo", [])
    a.sync()
    hear(b, page(asked(b), upto=GREATEST, head=GREATEST))
    assert (b.people(), b.store.timeline.version()) == ({"E-1": "Ann"}, GREATEST)
    b.registrar.announced(organisation.core.heads()[ORG], b.now)  # by the true relay
    b._talk(lambda *_: True)
    assert b.people() == {"E-1": "Ann", "E-2": "Bo"}
    assert b.store.timeline.version() == organisation.core.heads()[ORG]


def test_a_head_that_nothing_follows_is_asked_after_once_and_not_for_ever(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    _, b = doors
    b.sync()
    b.registrar.announced(GREATEST, b.now)
    count = 0
    while b.sent and count < 10:
        suffix, payload = b.sent.popleft()
        count += 1
        b._answered(suffix, payload)
    assert count == 1
    assert b.registrar.head == b.store.timeline.version() == organisation.core.heads()[ORG]


def later(organisation: Organisation) -> int:
    """Than everything that the relay has."""
    return organisation.core.heads()[ORG] + 1


def forged_in_anothers_name(organisation: Organisation, doors: tuple[Door, Door]) -> tuple[Any, str]:
    """By a terminal that has a certificate of its own."""
    a, b = doors
    one, _ = standing(organisation, a.keyring.person_record("E-1"))
    change = signed(replace(one.change, envelope=b.sealer.seal("person", one.change.id, b"{}"), base=one.version, edit=9), "a", b.signer)
    return authored(change, a, later(organisation)), "signature"


def with_anothers_certificate(organisation: Organisation, doors: tuple[Door, Door]) -> tuple[Any, str]:
    a, b = doors
    one, _ = standing(organisation, a.keyring.person_record("E-1"))
    change = signed(replace(one.change, base=one.version, edit=9), "a", b.signer)
    paged, certificate = authored(change, b, later(organisation))
    return (replace(paged, terminal="a"), certificate), "certificate"


def deleted_by_nobody(organisation: Organisation, doors: tuple[Door, Door]) -> tuple[Any, str]:
    a, _ = doors
    taken = standing(organisation, a.keyring.person_record("E-1"))
    return shown(taken, later(organisation), envelope=None, edit=9), "signature"


def of_another_organisation(organisation: Organisation, _: tuple[Door, Door]) -> tuple[Any, str]:
    """A true envelope by a true terminal of another authority, that calls itself the same."""
    (organisation.folder / "other").mkdir()
    other = Organisation(organisation.folder / "other")
    stranger = other.door("a")
    try:
        stranger.store.people.enrol("E-1", "Mallory", [])
        stranger.sync()
        one, certificate = standing(other, stranger.keyring.person_record("E-1"))
        return shown((one, certificate), later(organisation)), "certificate"
    finally:
        stranger.store.close()
        other.connections.close()


def of_another_terminal(organisation: Organisation, doors: tuple[Door, Door]) -> tuple[Any, str]:
    """A true envelope of a's, that b signs as its own."""
    a, b = doors
    one, _ = standing(organisation, a.keyring.person_record("E-1"))
    return authored(signed(replace(one.change, base=one.version, edit=9), "b", b.signer), b, later(organisation)), "bad_content"


def of_another_record(organisation: Organisation, doors: tuple[Door, Door]) -> tuple[Any, str]:
    a, _ = doors
    one, _ = standing(organisation, a.keyring.person_record("E-1"))
    change = signed(replace(one.change, id=a.keyring.person_record("E-9"), base=0, edit=9), "a", a.signer)
    return authored(change, a, later(organisation)), "tampered"


def of_another_type(organisation: Organisation, doors: tuple[Door, Door]) -> tuple[Any, str]:
    a, _ = doors
    one, _ = standing(organisation, a.keyring.person_record("E-1"))
    change = signed(replace(one.change, id=f"{one.change.id}.{'0' * 16}", type="template", base=0, edit=9), "a", a.signer)
    return authored(change, a, later(organisation)), "tampered"


def by_another_organisations_name(organisation: Organisation, doors: tuple[Door, Door]) -> tuple[Any, str]:
    a, _ = doors
    taken = standing(organisation, a.keyring.person_record("E-1"))
    change = signed(replace(taken[0].change, base=taken[0].version, edit=9), "a", a.signer, org="other")
    return authored(change, a, later(organisation)), "signature"


@pytest.mark.parametrize(
    "forge",
    [
        *(forged_in_anothers_name, with_anothers_certificate, deleted_by_nobody, of_another_organisation),
        *(of_another_terminal, of_another_record, of_another_type, by_another_organisations_name),
    ],
)
def test_what_a_page_forges_is_set_aside_with_its_reason_and_blocks_no_honest_record(
    organisation: Organisation, doors: tuple[Door, Door], forge: Callable[[Organisation, tuple[Door, Door]], tuple[Any, str]]
) -> None:
    a, b = doors
    new = organisation.door("new")
    try:
        false, reason = forge(organisation, doors)
        for victim in (b, new):
            pull = asked(victim)
            true = organisation.core.page(ORG, pull.since, pull.limit, pull.request)
            both = [*((one, true.certificates[one.certificate]) for one in true.changes if one.change.id != false[0].change.id), false]
            hear(victim, page(pull, both))
            assert reasons(victim)[false[0].change.id] == reason
            victim.registrar.announced(organisation.core.heads()[ORG], victim.now)  # as the true relay has it
            victim._talk(lambda *_: True)
        assert (a.people(), b.people()) == ({"E-1": "Ann"}, {"E-1": "Ann"})
        a.store.people.change("E-1", name="Ann A")
        a.store.people.enrol("E-2", "Bo", [sample(2)])
        a.sync()
        for victim in (b, new):
            victim.registrar.announced(organisation.core.heads()[ORG], victim.now)
            victim._talk(lambda *_: True)
            assert victim.people() == {"E-1": "Ann A", "E-2": "Bo"}
            assert len(list(victim.store.people.templates(MODEL))) == 2
    finally:
        new.store.close()


def test_an_old_state_shown_as_a_new_one_undoes_nothing(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    record = a.keyring.person_record("E-1")
    old = standing(organisation, record)
    b.store.people.change("E-1", name="Ann B")
    settled(b, a)
    version = organisation.core.heads()[ORG]
    for door in doors:
        hear(door, page(asked(door), [shown(old, version + 1)]))
        assert reasons(door) == {record: "old"}
        door.registrar.announced(version, door.now)
        door._talk(lambda *_: True)
    settled(a, b)
    assert (a.people(), b.people()) == ({"E-1": "Ann B"}, {"E-1": "Ann B"})
    b.store.people.change("E-1", name="Ann C")
    settled(b, a)
    assert (a.people(), reasons(a)) == ({"E-1": "Ann C"}, {})


@pytest.mark.parametrize("upto", [0, GREATEST])
def test_an_old_state_shown_as_a_new_one_brings_back_nobody_who_was_deleted(
    organisation: Organisation, doors: tuple[Door, Door], upto: int
) -> None:
    """Neither here, nor, because this terminal would bring it to the relay as its own, anywhere else."""
    a, b = doors
    new = organisation.door("new")
    person = a.keyring.person_record("E-1")
    taken = [one for one in organisation.core.page(ORG, 0, 500).changes if one.change.id.startswith(person)]
    certificate = standing(organisation, person)[1]
    erase(b, "E-1")
    settled(b, a)
    try:
        new.sync()
        version = organisation.core.heads()[ORG]
        for door in (a, b, new):
            again = [shown((one, certificate), version + 1 + place) for place, one in enumerate(taken)]
            hear(door, page(asked(door), again, upto=max(upto, version + len(again)), head=GREATEST))
            assert set(reasons(door).values()) == (set() if door is a else {"old"})  # a knows its own changes, and says again what stands
            assert door.people() == {}
            door.registrar.announced(version, door.now)
            door._talk(lambda *_: True)
        settled(a, b, new)
        for door in (a, b, new):
            assert (door.people(), list(door.store.people.templates(MODEL))) == ({}, [])
        assert organisation.rows("SELECT count(*) FROM registry WHERE type IN ('person', 'template') AND NOT deleted") == [(0,)]
    finally:
        new.store.close()


def test_forged_records_without_end_fill_no_card_and_keep_no_old_keys(
    organisation: Organisation, doors: tuple[Door, Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blinkd.store.intake, "MOST_FORGED", 10)
    a, b = doors
    taken = standing(organisation, a.keyring.person_record("E-1"))
    at = b.store.timeline.version()
    pull: Pull = asked(b)
    for number in range(5):
        forged = [shown(taken, at + 1 + place, id=f"{number * 100 + place:032x}") for place in range(20)]
        hear(b, page(pull, forged, upto=at + 20, head=at + 20))
        assert len(reasons(b)) == 10
        b.store.preferences.set("registry_version", str(at))
        b.sent.clear()
        b.registrar.connected(b.now)
        pull = pulls(b)[-1]
    assert set(reasons(b).values()) == {"signature"}
    assert not b.store.registry.sealed_in("an epoch of old")
    b.sync()
    assert b.people() == {"E-1": "Ann"}
