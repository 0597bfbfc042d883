from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blinkd.attendance.clerk import Clerk
from blinkd.attendance.punch import Direction, PersonStatus, Punch, Punctuality, SyncState, TurnedAway
from blinkd.settings import AttendanceSettings, TerminalSettings
from blinkd.store.database import Store
from tests.unit.attendance.clocks import NINE_IN_MADRID, SetClock
from tests.unit.store.stores import clerk_of, open_store, sample, waiting


@dataclass
class Desk:
    clerk: Clerk
    clock: SetClock
    store: Store

    def attend(self, person_id: str = "E-1") -> Punch | TurnedAway:
        return self.clerk.attend(person_id, 0.71, {"frames": 4, "live": True})

    def punch(self, person_id: str = "E-1") -> Punch:
        result = self.attend(person_id)
        assert isinstance(result, Punch), result
        return result

    def scans(self) -> list[tuple[str, str | None, str | None]]:
        return [(scan["outcome"], scan["reason"], scan["person_id"]) for scan in self.store.scans.read()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock = SetClock()
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        store.people.enrol("E-2", "Bo", [])
        yield Desk(
            clerk_of(store, clock, AttendanceSettings(), TerminalSettings(id="door-1", timezone="Europe/Madrid")),
            clock,
            store,
        )


def test_a_punch_says_what_is_known_of_it_and_is_in_the_book(desk: Desk) -> None:
    desk.clock.confidence = "unsynced"
    desk.clock.wait(minutes=12, seconds=30)
    punch = desk.punch()
    assert punch == Punch(
        id=punch.id,
        seq=1,
        subject=desk.store.people.get("E-1").subject,
        person_id="E-1",
        utc=NINE_IN_MADRID + timedelta(minutes=12, seconds=30),
        boot_s=1750.0,
        boot_id="boot-1",
        clock="unsynced",
        status=Direction.CHECK_IN,
        punctuality=Punctuality.LATE,
        minutes=12,
        shift="day",
        terminal="door-1",
        similarity=0.71,
        sync=SyncState.PENDING,
    )
    assert list(desk.store.book.punches()) == [punch]
    assert waiting(desk.store) == [punch.id]
    (scan,) = desk.store.scans.read()
    assert (scan["outcome"], scan["reason"], scan["person_id"], scan["similarity"]) == ("accepted", None, "E-1", 0.71)
    assert scan["details"] == {"frames": 4, "live": True, "punch": punch.id}


def test_in_and_out_alternate_and_each_day_begins_with_in(desk: Desk) -> None:
    statuses = []
    for hours in (4, 1, 4, 15, 24, 24):  # in, out, in, out, next days
        statuses.append(desk.punch().status.value)
        desk.clock.wait(hours=hours)
    assert statuses == ["CHECK_IN", "CHECK_OUT", "CHECK_IN", "CHECK_OUT", "CHECK_IN", "CHECK_IN"]


def test_two_people_do_not_get_in_each_others_way(desk: Desk) -> None:
    assert desk.punch("E-1").status is Direction.CHECK_IN
    assert desk.punch("E-2").status is Direction.CHECK_IN
    desk.clock.wait(hours=8)
    assert [desk.punch("E-2").status, desk.punch("E-1").status] == [Direction.CHECK_OUT] * 2
    assert [row.seq for row in desk.store.book.punches()] == [1, 2, 3, 4]


def test_a_second_punch_too_soon_is_turned_away_and_logged(desk: Desk) -> None:
    desk.punch()
    desk.clock.wait(seconds=59.9)
    assert desk.attend() == TurnedAway("too_soon")
    desk.clock.wait(seconds=0.1)
    assert desk.punch().status is Direction.CHECK_OUT  # exactly the interval, and the refusal did not begin it anew
    assert desk.scans() == [("accepted", None, "E-1"), ("refused", "too_soon", "E-1"), ("accepted", None, "E-1")]
    assert len(waiting(desk.store)) == 2


@pytest.mark.parametrize("step", [timedelta(hours=-5), timedelta(hours=5), timedelta(days=-400)])
def test_within_one_boot_a_stepped_wall_clock_neither_hurries_nor_locks_out(desk: Desk, step: timedelta) -> None:
    desk.punch()
    desk.clock.utc += step
    desk.clock.wait(seconds=30)
    assert desk.attend() == TurnedAway("too_soon")
    desk.clock.wait(seconds=30)
    assert isinstance(desk.attend(), Punch)


def test_across_a_boot_the_wall_clock_tells(desk: Desk) -> None:
    desk.punch()
    desk.clock.reboot()
    desk.clock.utc += timedelta(seconds=40)
    assert desk.attend() == TurnedAway("too_soon")
    desk.clock.utc += timedelta(seconds=20)
    assert desk.punch().boot_id == "boot-2"


def test_after_a_boot_into_the_past_nobody_is_locked_out(desk: Desk) -> None:
    desk.punch()
    desk.clock.reboot()
    desk.clock.utc = datetime(1970, 1, 1, tzinfo=UTC)
    desk.clock.confidence = "unsynced"
    punch = desk.punch()
    assert (punch.seq, punch.clock) == (2, "unsynced")
    desk.clock.wait(seconds=30)
    assert desk.attend() == TurnedAway("too_soon")  # the boot clock still tells
    last = desk.store.book.last_punch(desk.store.people.get("E-1").subject)
    assert last is not None
    assert last.seq == 2


def test_somebody_switched_off_is_turned_away(desk: Desk) -> None:
    desk.store.people.set_status("E-1", PersonStatus.DEACTIVATED)
    assert desk.attend() == TurnedAway("inactive")
    assert desk.scans() == [("refused", "inactive", "E-1")]
    assert list(desk.store.book.punches()) == []
    desk.store.people.set_status("E-1", PersonStatus.ACTIVE)
    assert desk.punch().status is Direction.CHECK_IN


def test_somebody_deleted_while_the_gallery_still_knows_the_face_is_turned_away(desk: Desk) -> None:
    desk.store.people.erase("E-1", keep_id=True)
    assert desk.attend("E-1") == TurnedAway("inactive")
    assert desk.attend("nobody") == TurnedAway("inactive")
    assert list(desk.store.book.punches()) == []
    assert desk.scans() == [("refused", "inactive", None)] * 2  # nobody stands behind the id any more


def test_being_inactive_goes_before_being_too_soon(desk: Desk) -> None:
    desk.punch()
    desk.store.people.set_status("E-1", PersonStatus.DEACTIVATED)
    assert desk.attend() == TurnedAway("inactive")


@pytest.mark.parametrize("reason", ["unknown_face", "uncertain", "not_live", "swapped", "poor_quality"])
@pytest.mark.parametrize("person_id", [None, "E-1"])
def test_what_the_session_refuses_is_logged_and_books_nothing(desk: Desk, reason: str, person_id: str | None) -> None:
    desk.clerk.refuse(reason, person_id, None if person_id is None else 0.45, {"frames": 9})
    (scan,) = desk.store.scans.read()
    assert (scan["outcome"], scan["reason"], scan["person_id"], scan["details"]) == ("refused", reason, person_id, {"frames": 9})
    assert scan["utc"] == "2026-03-02T08:00:00.000000+00:00"
    assert list(desk.store.book.punches()) == []
    assert waiting(desk.store) == []
    assert isinstance(desk.attend(), Punch)  # a refusal does not make the next visit too soon


def test_an_interval_of_zero_refuses_nobody(desk: Desk) -> None:
    clerk = clerk_of(desk.store, desk.clock, AttendanceSettings(min_interval_s=0), TerminalSettings())
    for _ in range(3):
        assert isinstance(clerk.attend("E-1", 0.7, {}), Punch)
