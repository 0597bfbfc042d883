import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.errors import StoreError
from blinkd.outputs.door import Door, Wiring
from blinkd.outputs.latch import STALE_S, Alarm
from blinkd.outputs.lines import NoSwitch
from blinkd.session.events import EventKind
from blinkd.settings import DoorSettings
from tests.unit.outputs.boards import Board, BrokenSwitch, Time, event, health, punch

LOCK, CONTACT, EXIT = 17, 27, 22
SETTINGS = DoorSettings(driver="lgpio", lock_line=LOCK, contact_line=CONTACT, exit_line=EXIT, pulse_s=5.0)


class Site:
    """A door on mock pins whose thread a test does the work of."""

    def __init__(self, settings: DoorSettings = SETTINGS) -> None:
        self.board, self.time, self.told = Board(), Time(), list[Alarm]()
        self.full = False
        lines = self.board.lines("lgpio")
        wiring = Wiring(lines.switch(LOCK, active_high=settings.active_high), lines.sense(CONTACT), lines.sense(EXIT))
        self.settings = settings
        self.board.contact(CONTACT, closed=True)
        self.door = Door(wiring, settings, self.note, self.time)
        self.door.health(health())
        self.wait(0.0)

    def note(self, alarm: Alarm) -> None:
        if self.full:
            raise StoreError("the disk is full; free some space")
        self.told.append(alarm)

    def wait(self, seconds: float) -> None:
        """Time passes, and the thread looks twice, so that what it sees counts."""
        self.time.t += seconds
        self.door.look()
        self.door.look()

    @property
    def unlocked(self) -> bool:
        return self.board.high(LOCK) is self.settings.active_high


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.door.close()


@pytest.mark.parametrize("active_high", [True, False])
def test_the_line_is_at_locked_from_the_first_moment_and_a_punch_opens_for_one_pulse(active_high: bool) -> None:
    site = Site(SETTINGS.model_copy(update={"active_high": active_high}))
    assert site.board.driven(LOCK)
    assert active_high not in [state.state for state in site.board.pin(LOCK).states[1:]], "but the first, of before it was driven"
    assert not site.unlocked
    site.door.event(punch(site.time.t))
    site.wait(0.1)
    assert site.unlocked
    site.wait(4.8)
    assert site.unlocked
    site.wait(0.2)
    assert not site.unlocked
    site.door.close()


@pytest.mark.parametrize(
    "kind", ["session_started", "blink", "head_turn", "challenge", "liveness", "identified", "refused", "session_ended"]
)
def test_nothing_but_a_punch_opens(site: Site, kind: EventKind) -> None:
    site.door.event(event(kind, site.time.t, person_id="E-1", status="CHECK_IN", live=True, reason="too_soon"))
    site.wait(0.1)
    assert not site.unlocked


def test_a_check_out_opens_only_where_the_settings_say_so(site: Site) -> None:
    site.door.event(punch(site.time.t, status="CHECK_OUT"))
    site.wait(0.1)
    assert site.unlocked
    strict = Site(SETTINGS.model_copy(update={"check_out_unlocks": False}))
    strict.door.event(punch(strict.time.t, status="CHECK_OUT"))
    strict.wait(0.1)
    assert not strict.unlocked
    strict.door.event(punch(strict.time.t))
    strict.wait(0.1)
    assert strict.unlocked
    strict.door.close()


@pytest.mark.parametrize(("method", "opens"), [("face", True), ("pin", False), ("badge", False)])
def test_pin_and_badge_open_only_where_the_settings_say_so(method: str, opens: bool) -> None:
    for allowed in (True, False):
        site = Site(SETTINGS.model_copy(update={"entry_unlocks": allowed}))
        site.door.event(punch(site.time.t, method=method))
        site.wait(0.1)
        assert site.unlocked is (allowed or opens)
        site.door.close()


@pytest.mark.parametrize("part", ["vision", "camera", "store"])
def test_a_part_that_failed_keeps_it_locked_until_it_is_well_again(site: Site, part: str) -> None:
    site.door.health(health(**{part: "failed"}))
    site.door.event(punch(site.time.t))
    site.wait(0.1)
    assert not site.unlocked
    site.door.health(health(**{part: "degraded"}))
    site.wait(0.1)
    assert not site.unlocked, "what was asked for while it had failed is not done late"
    site.door.event(punch(site.time.t))
    site.wait(0.1)
    assert site.unlocked


def test_it_stays_locked_until_the_parts_have_said_that_they_work() -> None:
    board, time = Board(), Time()
    door = Door(Wiring(board.lines("lgpio").switch(LOCK, active_high=True)), SETTINGS, lambda _: None, time)
    door.event(punch(time.t))
    door.look()
    assert not board.high(LOCK)
    door.close()


@pytest.mark.parametrize("late", ["when it came", "while it waited"])
def test_an_unlock_that_is_older_than_a_moment_is_dropped(site: Site, late: str) -> None:
    decided = site.time.t - (STALE_S + 0.1 if late == "when it came" else 0.0)
    site.door.event(punch(decided))
    site.wait(0.0 if late == "when it came" else STALE_S + 0.1)
    assert not site.unlocked
    site.wait(1.0)
    assert not site.unlocked


def test_the_exit_button_opens_and_is_no_force_and_works_though_the_camera_does_not(site: Site) -> None:
    site.door.health(health(camera="failed"))
    site.board.contact(EXIT, closed=True)
    site.wait(0.1)
    assert site.unlocked
    site.board.contact(EXIT, closed=False)
    site.board.contact(CONTACT, closed=False)
    site.wait(1.0)
    site.board.contact(CONTACT, closed=True)
    site.wait(1.0)
    site.door.health(health())
    assert (site.unlocked, site.told, site.door.part().state) == (False, [], "ok")


def test_a_forced_door_is_in_the_book_and_in_the_health_until_it_is_closed(site: Site) -> None:
    site.board.contact(CONTACT, closed=False)
    site.wait(2.0)
    assert site.told == [], "only who calls health may write"
    site.door.health(health())
    assert site.told == ["forced_open"]
    assert (site.door.part().state, site.door.part().words) == ("degraded", "forced open")
    site.board.contact(CONTACT, closed=True)
    site.wait(1.0)
    site.door.health(health())
    assert (site.told, site.door.part().state) == (["forced_open", "closed"], "ok")


def test_an_alarm_that_the_store_does_not_take_is_written_when_it_has_room(site: Site) -> None:
    site.full = True
    site.board.contact(CONTACT, closed=False)
    site.wait(2.0)
    site.door.health(health())
    assert site.told == []
    site.full = False
    site.door.health(health())
    assert site.told == ["forced_open"]


def test_a_contact_that_bounces_is_not_seen(site: Site) -> None:
    for _ in range(10):
        site.board.contact(CONTACT, closed=False)
        site.door.look()
        site.board.contact(CONTACT, closed=True)
        site.door.look()
        site.time.t += 0.1
    site.door.health(health())
    assert site.told == []


def test_closing_locks_in_the_middle_of_a_pulse_and_nothing_opens_afterwards(site: Site) -> None:
    site.door.event(punch(site.time.t))
    site.wait(0.1)
    assert site.unlocked
    site.door.close()
    assert not site.board.driven(LOCK), "the line is given back"
    assert site.board.pin(LOCK).states[-1].state is False
    before = len(site.board.pin(LOCK).states)
    site.door.event(punch(site.time.t))
    site.wait(0.1)
    site.door.close()
    assert len(site.board.pin(LOCK).states) == before


def test_a_line_that_does_not_obey_is_said_asked_to_lock_and_tried_again() -> None:
    switch, time = BrokenSwitch(), Time()
    door = Door(Wiring(switch), SETTINGS, lambda _: None, time)
    door.health(health())
    door.event(punch(time.t))
    door.look()
    assert switch.asked[-1] is False
    assert (door.part().state, door.part().words) == ("failed", "GPIO 17: the line is gone; look at the wires")
    switch.broken = False
    time.t += 1.0
    door.look()
    assert (switch.on, door.part().state) == (False, "ok"), "the punch of before is not done late"


def test_a_thread_that_hangs_in_the_driver_is_noticed_and_the_lock_locked_from_outside() -> None:
    hangs, goes_on, board, time = threading.Event(), threading.Event(), Board(), Time()

    class Hanging:
        def closed(self) -> bool:
            if board.high(LOCK):
                hangs.set()
                assert goes_on.wait(30)
            return False

        def close(self) -> None:
            pass

    door = Door(Wiring(board.lines("lgpio").switch(LOCK, active_high=True), None, Hanging()), SETTINGS, lambda _: None, time)
    door.health(health())
    door.start()
    door.event(punch(time.t))
    assert hangs.wait(30), "it was unlocked, and the next look hangs"
    time.t += 4.0
    door.health(health())
    assert not board.high(LOCK)
    assert door.part().state == "failed"
    goes_on.set()
    door.close()


def test_a_driver_that_unlocks_and_never_returns_is_noticed_and_the_lock_locked_from_outside() -> None:
    hangs, goes_on, time, asked = threading.Event(), threading.Event(), Time(), list[bool]()

    class Hanging(NoSwitch):
        def set(self, on: bool) -> None:
            asked.append(on)
            if on:
                hangs.set()
                assert goes_on.wait(30)

    door = Door(Wiring(Hanging()), SETTINGS, lambda _: None, time)
    door.health(health())
    door.start()
    door.event(punch(time.t))
    assert hangs.wait(30)
    time.t += 4.0
    door.health(health())
    assert (asked[-1], door.part().state) == (False, "failed")
    goes_on.set()
    door.close()


def test_its_own_thread_opens_for_a_punch_and_closing_ends_it() -> None:
    opened = threading.Event()

    class Relay(NoSwitch):
        def set(self, on: bool) -> None:
            if on:
                opened.set()

    time = Time()
    door = Door(Wiring(Relay()), SETTINGS, lambda _: None, time)
    door.health(health())
    door.start()
    door.event(punch(time.t))
    assert opened.wait(30)
    door.close()
    assert [thread for thread in threading.enumerate() if thread.name == "blinkd-door"] == []


def test_nothing_but_the_wired_door_can_unlock() -> None:
    """Whoever adds another way in has to come past here."""
    root = Path(__file__).parents[3] / "blinkd"
    latches = {file.relative_to(root).as_posix() for file in root.rglob("*.py") if "Latch(" in file.read_text(encoding="utf-8")}
    doors = {file.relative_to(root).as_posix() for file in root.rglob("*.py") if "outputs.door import" in file.read_text(encoding="utf-8")}
    assert (latches, doors) == ({"outputs/door.py"}, {"outputs/wired.py"})
