"""A relay whose database was put back from a back-up: the doors notice, wherever they were meanwhile, and nothing newer is lost."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blinkd.crypto.envelope import Envelope
from blinkd.sync.messages import Changes, Pull, Receipt, Settled
from blinkd.sync.records import unpack_person
from blinkd.sync.topics import PEOPLE, PULL
from tests.unit.store.stores import MODEL, sample
from tests.unit.sync.doors import Door, Organisation
from tests.unit.sync.test_doors import erase, settled

TABLES = ("registry", "registry_marks", "history", "organisations")


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    organisation = Organisation(tmp_path)
    yield organisation
    organisation.connections.close()


@pytest.fixture
def doors(organisation: Organisation) -> Iterator[tuple[Door, Door]]:
    a, b = organisation.door("a"), organisation.door("b")
    for number in (1, 2, 3):
        a.store.people.enrol(f"E-{number}", f"Name {number}", [sample(number)])
    settled(a, b)
    yield a, b
    a.store.close()
    b.store.close()


def backed_up(organisation: Organisation) -> Callable[[], None]:
    """Puts the registry back as it is now."""
    held: dict[str, list[tuple[Any, ...]]] = {table: organisation.rows(f"SELECT * FROM {table}") for table in TABLES}

    def put_back() -> None:
        organisation.connections.era = f"{len(organisation.rows('SELECT * FROM history')):x}"
        with organisation.connections.transaction() as cursor:
            for table, rows in held.items():
                cursor.execute(f"DELETE FROM {table}")
                cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    return put_back


def test_it_gets_the_newest_state_again(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    a.store.people.change("E-1", name="Ann A")
    b.store.people.enrol("E-4", "Di", [sample(4)])
    erase(b, "E-3")
    settled(a, b)
    put_back()
    settled(a, b)
    a.store.people.change("E-2", name="Bo A")
    settled(a, b)
    new = organisation.door("new")
    try:
        new.sync()
        names = {"E-1": "Ann A", "E-2": "Bo A", "E-4": "Di"}
        assert (a.people(), b.people(), new.people()) == (names, names, names)
        assert len(list(new.store.people.templates(MODEL))) == 3
        assert [door.store.registry.conflicts() for door in doors] == [[], []]
    finally:
        new.store.close()


def test_a_door_that_comes_back_when_the_relay_has_long_gone_on_misses_nothing(
    organisation: Organisation, doors: tuple[Door, Door]
) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    a.store.people.change("E-1", name="Ann A")
    settled(a, b, a)
    a.store.people.change("E-1", name="Ann AA")
    a.sync()  # which b does not hear of
    put_back()
    for number in range(10, 30):  # the same versions once more, and more of them
        b.store.people.enrol(f"E-{number}", f"Name {number}", [])
        b.sync()
    settled(a, b)
    assert a.people() == b.people()
    assert (len(a.people()), a.people()["E-1"]) == (23, "Ann AA")


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_doors_that_bring_it_back_the_one_that_knows_more_is_heeded(
    organisation: Organisation, doors: tuple[Door, Door], first: int
) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    a.store.people.change("E-1", name="Ann A")
    settled(a, b)
    b.store.people.change("E-1", name="Ann B")
    b.sync()  # which a does not hear of
    put_back()
    doors[first].sync()
    settled(b, a)
    assert a.people() == b.people()
    assert a.people()["E-1"] == "Ann B"


def test_a_deletion_that_knew_nothing_of_what_was_lost_stands(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    a.store.people.change("E-1", name="Ann A")
    a.sync()  # which b does not hear of
    put_back()
    erase(b, "E-1")
    b.sync()
    settled(a, b)
    assert a.people() == b.people() == {"E-2": "Name 2", "E-3": "Name 3"}
    assert len(list(a.store.people.templates(MODEL))) == 2


def test_a_door_that_stops_between_two_pages_goes_on_where_it_was(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    a.store.people.change("E-1", name="Ann A")
    settled(a, b)
    put_back()
    erase(b, "E-1")
    b.sync()
    a.store.timeline.rewind(*a.store.timeline.known(1))
    assert a.store.timeline.rewound()
    a.sync(lambda suffix, _: suffix != "pull")
    assert a.store.registry.counts()["PENDING"] > 0  # not a word before all is known that the relay has
    settled(a, b)
    assert not a.store.timeline.rewound()
    assert a.people() == b.people() == {"E-2": "Name 2", "E-3": "Name 3"}


def test_a_receipt_that_is_repeated_settles_nothing_that_it_was_not_for(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.change("E-1", name="Ann A")
    answers: list[Settled] = []
    take = organisation.core.people

    def heard(changes: Any) -> Receipt:
        answers.extend((receipt := take(changes)).people)
        return receipt

    organisation.core.people = heard  # type: ignore[method-assign]
    put_back = backed_up(organisation)
    a.sync()
    put_back()
    a.store.people.change("E-1", name="Ann AA")
    a.store.registry.note_changes(a.registrar._record_of, 10)
    a.registrar.settled(tuple(answers), a.now)
    assert a.store.registry.counts()["PENDING"] == 1
    settled(a, b)
    assert b.people()["E-1"] == "Ann AA"


def test_what_a_false_receipt_said_was_stored_is_sent_again_when_no_page_tells_of_it(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.change("E-1", name="Ann A")
    a.store.registry.note_changes(a.registrar._record_of, 10)
    (waiting,) = a.store.registry.waiting(10)
    a.store.registry.settle(waiting.record, waiting.edit, a.store.timeline.version() + 1)
    b.store.people.change("E-2", name="Bo B")
    settled(b, a)
    settled(b, a)
    assert b.people()["E-1"] == "Ann A"


def test_marks_are_kept_of_long_ago_too(doors: tuple[Door, Door]) -> None:
    a, _ = doors
    timeline = a.store.timeline
    began = timeline.version()
    for version in range(began + 1, began + 1000):
        timeline.advance(version, f"{version:x}", last=True)
    points = [timeline.known(back) for back in range(100)]
    assert points[0] == (began + 999, f"{began + 999:x}")
    versions = [version for version, _ in points]
    assert versions[:30] == list(range(began + 999, began + 969, -1))
    assert 0 < min(version for version in versions if version) < began + 500
    assert points[-1] == (0, None)


@pytest.mark.parametrize("heard", [True, False])
def test_what_changed_meanwhile_stands_against_what_is_only_brought_again(
    organisation: Organisation, doors: tuple[Door, Door], heard: bool
) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    a.store.people.change("E-1", name="Ann A")
    settled(a, b, a)
    put_back()
    a.store.people.change("E-1", name="Ann AA")
    b.sync()  # which brings "Ann A" again
    if heard:
        a.sync()
    else:
        a.sync(lambda suffix, _: suffix != "pull")
    settled(a, b)
    assert a.people() == b.people()
    assert a.people()["E-1"] == "Ann AA"
    assert [door.store.registry.conflicts() for door in doors] == [[], []]


def test_somebody_who_is_being_enrolled_again_stays_though_another_door_brings_the_deletion_again(
    organisation: Organisation, doors: tuple[Door, Door]
) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    erase(a, "E-1")
    settled(a, b, a)
    put_back()
    a.store.people.enrol("E-1", "Ann again", [])
    settled(b, a)
    settled(b, a)
    assert a.people() == b.people()
    assert a.people()["E-1"] == "Ann again"


@pytest.mark.parametrize("later", [False, True])
def test_an_earlier_change_that_is_repeated_to_the_relay_undoes_no_later_one(
    organisation: Organisation, doors: tuple[Door, Door], later: bool
) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    said: list[bytes] = []

    def heard(suffix: str, payload: bytes) -> bool:
        said.extend([payload] if suffix == PEOPLE else [])
        return True

    a.store.people.enrol("E-4", "Di", [sample(4)])
    a.sync(heard)
    settled(a, b)
    erase(a, "E-4")
    settled(a, b)
    put_back()
    if later:
        settled(a, b)
    for payload in said:
        organisation.core.people(Changes.parse(payload))
    settled(a, b)
    assert a.people() == b.people() == {f"E-{number}": f"Name {number}" for number in (1, 2, 3)}
    assert {len(list(door.store.people.templates(MODEL))) for door in doors} == {3}
    assert organisation.rows("SELECT count(*) FROM registry WHERE record LIKE '%.%' AND NOT deleted") == [(3,)]


@pytest.mark.parametrize("forgets", [False, True])
def test_who_changes_what_others_only_brought_again_is_heeded_though_the_relay_was_put_back_twice(
    organisation: Organisation, doors: tuple[Door, Door], forgets: bool
) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    a.store.people.enrol("E-4", "Di", [sample(4)])
    settled(a, b)
    put_back()
    b.sync()  # which brings "Di" again
    put_back()
    a.store.people.change("E-4", name="Diana")

    def put_back_between(suffix: str, payload: bytes) -> bool:
        """What the relay says to the first question, it has forgotten at the second."""
        if forgets and suffix == PULL and Pull.parse(payload).since < version:
            put_back()
        return True

    version = a.store.timeline.version()
    a.sync(put_back_between)
    settled(b, a)
    assert a.people() == b.people()
    assert a.people()["E-4"] == "Diana"
    assert [door.store.registry.conflicts() for door in doors] == [[], []]


def test_a_change_that_a_lost_one_stands_against_is_kept_as_a_conflict(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    put_back = backed_up(organisation)
    b.store.people.change("E-1", name="Ann B")
    b.sync()  # which a does not hear of
    put_back()
    a.store.people.change("E-1", name="Ann A")
    a.sync()
    settled(b, a)
    assert a.people() == b.people()
    assert a.people()["E-1"] == "Ann B"
    (conflict,) = b.store.registry.conflicts()
    assert (conflict.local_id, conflict.winner) == ("E-1", "b")
    lost = a.sealer.open(Envelope.of(json.loads(conflict.lost or "")), "person", conflict.record)
    assert unpack_person(lost).name == "Ann A"
    put_back()
    settled(b, a, b)
    assert len(b.store.registry.conflicts()) == 1
