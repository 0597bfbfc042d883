"""People, punches and scan attempts page by page: what a screen shows is what the commands list."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.punch import Direction, PersonStatus, Punch, SyncState
from blinkd.attendance.supervisor import Supervisor
from blinkd.clock import Instant
from blinkd.store.database import Store
from blinkd.store.directory import folded
from blinkd.store.punch_pages import WantedPunches
from blinkd.store.scans import WantedScans
from blinkd.store.transcript import transcript
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import START, open_store, punch


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "state") as opened:
        yield opened


def recorded(store: Store, person_id: str, seq: int, **changes: Any) -> Punch:
    subject = store.people.get(person_id).subject
    one = replace(punch(seq), subject=subject, person_id=person_id, **changes)
    store.book.append_punch(one)
    return one


def numbers(store: Store, wanted: WantedPunches, most: int = 50) -> list[int]:
    return [line["seq"] for line in store.punch_pages.page(wanted, "t-1", most).lines]


@pytest.fixture
def week(store: Store) -> Store:
    """Two people, five punches on two days, a correction of each kind."""
    for person_id, name in (("E-1", "Zoë O'Neill"), ("E-2", "Bo Sample")):
        store.people.enrol(person_id, name, [])
    store.book.begin()
    recorded(store, "E-1", 1)
    recorded(store, "E-2", 2)
    recorded(store, "E-1", 3, utc=START + timedelta(hours=8), status=Direction.CHECK_OUT)
    recorded(store, "E-1", 4, utc=START + timedelta(days=1))
    recorded(store, "E-2", 5, utc=START + timedelta(days=1, hours=8))
    boss = Supervisor(store.book, SetClock(START + timedelta(days=2)), "Chief")
    boss.void(2, "was not there")  # entry 6
    boss.amend(5, "had gone", None, Direction.CHECK_OUT)  # entry 7
    boss.add("E-2", START + timedelta(days=1), Direction.CHECK_IN, "the camera was covered")  # entry 8
    return store


def test_a_page_holds_what_the_log_lists_newest_first(week: Store) -> None:
    names = {person.subject: person.name for person in week.people.all()}
    whole = list(transcript(week.book, "t-1", names=names))
    assert week.punch_pages.page(WantedPunches(), "t-1").lines == whole[::-1]
    assert week.punch_pages.page(WantedPunches(), "t-1").older is None


def test_pages_follow_each_other_without_gap_or_repetition(week: Store) -> None:
    seen, before = [], None
    for _ in range(10):
        page = week.punch_pages.page(WantedPunches(before=before), "t-1", most=2)
        seen += [line["seq"] for line in page.lines]
        before = page.older
        if before is None:
            break
    assert seen == [8, 5, 4, 3, 2, 1]


def test_a_punch_is_found_by_how_it_stands_now(week: Store) -> None:
    assert numbers(week, WantedPunches(status=Direction.CHECK_OUT)) == [5, 3]
    assert numbers(week, WantedPunches(state="voided")) == [2]
    assert numbers(week, WantedPunches(state="amended")) == [5]
    assert numbers(week, WantedPunches(state="added")) == [8]
    assert numbers(week, WantedPunches(state="valid")) == [4, 3, 1]


def test_a_day_holds_its_punches_and_those_that_were_moved_into_it(week: Store) -> None:
    second = WantedPunches(since=START + timedelta(days=1), until=START + timedelta(days=2))
    assert numbers(week, second) == [8, 5, 4]
    Supervisor(week.book, SetClock(START + timedelta(days=2)), "Chief").amend(4, "the day before", START + timedelta(hours=9), None)
    assert numbers(week, second) == [8, 5]
    assert numbers(week, WantedPunches(since=START, until=START + timedelta(days=1))) == [4, 3, 2, 1]


def test_a_punch_of_a_clock_in_the_past_may_be_of_any_day(week: Store) -> None:
    recorded(week, "E-1", 9, utc=START.replace(year=1970), clock="unsynced", boot_id="boot-9")
    assert numbers(week, WantedPunches(since=START + timedelta(days=1), until=START + timedelta(days=2))) == [9, 8, 5, 4]


def test_punches_are_found_by_person_and_by_whether_the_relay_has_them(week: Store) -> None:
    zoe = tuple(week.directory.subjects("zoe", 10))
    assert numbers(week, WantedPunches(subjects=zoe)) == [4, 3, 1]
    assert numbers(week, WantedPunches(subjects=())) == []
    assert numbers(week, WantedPunches(sync=SyncState.SYNCED)) == []
    with week.transaction():
        week.connection().execute("UPDATE chain SET sync = 'SYNCED' WHERE seq IN (1, 3)")
        week.connection().execute("UPDATE chain SET sync = 'FAILED' WHERE seq = 4")
    assert numbers(week, WantedPunches(sync=SyncState.SYNCED)) == [3, 1]
    assert numbers(week, WantedPunches(sync=SyncState.FAILED)) == [4]
    assert numbers(week, WantedPunches(sync=SyncState.PENDING, subjects=zoe)) == []


def test_what_was_recorded_and_why_it_was_corrected_stand_beside_how_it_stands(week: Store) -> None:
    line = next(line for line in week.punch_pages.page(WantedPunches(), "t-1").lines if line["seq"] == 5)
    assert (line["status"], line["recorded"]["status"]) == ("CHECK_OUT", "CHECK_IN")
    assert [(one["what"], one["by"], one["why"]) for one in line["corrections"]] == [("amend", "Chief", "had gone")]


def test_many_corrections_beside_few_punches_do_not_push_each_other_off_the_page(store: Store) -> None:
    store.people.enrol("E-1", "Zoë", [])
    store.book.begin()
    boss = Supervisor(store.book, SetClock(START + timedelta(days=9)), "Chief")
    with store.transaction():
        for number in range(30):
            recorded(store, "E-1", store.book.next_seq())
            boss.add("E-1", START + timedelta(minutes=number), Direction.CHECK_IN, "forgotten")
    assert numbers(store, WantedPunches(), most=60) == list(range(60, 0, -1))


def test_scan_attempts_are_found_by_person_time_outcome_and_reason(week: Store) -> None:
    zoe = week.people.get("E-1").subject
    for number, (outcome, reason, who) in enumerate(
        [("accepted", None, zoe), ("refused", "not_live", zoe), ("refused", "unknown_face", None), ("refused", "not_live", None)]
    ):
        at = Instant(START + timedelta(hours=number), 100.0 + number, "boot-1", "synced")
        week.scans.append(at, outcome, reason, who, 0.5, {"frames": number})

    def found(**changes: Any) -> list[int]:
        return [line["seq"] for line in week.scans.page(WantedScans(**changes))[0]]

    assert found() == [4, 3, 2, 1]
    assert found(reason="not_live") == [4, 2]
    assert found(outcome="accepted") == [1]
    assert found(subjects=(zoe,)) == [2, 1]
    assert found(since=START + timedelta(hours=1), until=START + timedelta(hours=3)) == [3, 2]
    lines, older = week.scans.page(WantedScans(), most=3)
    assert ([line["seq"] for line in lines], older) == ([4, 3, 2], 2)
    assert week.scans.page(WantedScans(before=older), most=3)[1] is None
    assert [(line["name"], line["person_id"]) for line in lines] == [(None, None), (None, None), ("Zoë O'Neill", "E-1")]


def test_people_are_found_by_parts_of_the_name_without_accents_and_by_the_beginning_of_the_id(store: Store) -> None:
    for person_id, name in (("E-1", "Zoë O'Neill"), ("E-2", "Bo Sample"), ("X-9", "ΣΊΣΥΦΟΣ"), ("E-10", "100% \\_<b>")):
        store.people.enrol(person_id, name, [])

    def found(text: str) -> list[str]:
        return [person.id for person in store.directory.page(text).people]

    assert found("zoe") == ["E-1"]
    assert found("NEILL zo") == ["E-1"]
    assert found("σίσυφος") == ["X-9"]
    assert found("e-1") == ["E-10", "E-1"]
    assert found("%") == ["E-10"]
    assert found("_") == ["E-10"]
    assert found("nobody") == []


def test_a_page_of_people_says_how_many_there_are_and_keeps_to_status_and_group(store: Store) -> None:
    for number in range(25):
        store.people.enrol(f"E-{number}", f"Person {number:02}", [])
    store.people.change("E-3", join=["night"])
    store.people.set_status("E-4", PersonStatus.DEACTIVATED)
    page = store.directory.page(first=20, most=10)
    assert ([person.id for person in page.people], page.total) == ([f"E-{number}" for number in range(20, 25)], 25)
    assert [person.groups for person in store.directory.page(group="night").people] == [("night",)]
    assert store.directory.page(status=PersonStatus.ACTIVE).total == 24
    assert store.directory.page("person 04", PersonStatus.ACTIVE).total == 0
    assert store.directory.groups() == ["night"]
    assert store.directory.page(first=100).people == []


def test_folding_takes_case_and_accents_away_and_leaves_letters() -> None:
    assert [folded(text) for text in ("Zoë", "STRASSE", "Straße", "İ")] == ["zoe", "strasse", "strasse", "i"]
