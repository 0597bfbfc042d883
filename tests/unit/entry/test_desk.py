"""Who is let in by PIN and badge, with a real store and book."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.punch import PersonStatus
from blinkd.crypto.pins import code_digest, hash_pin, holds, new_code
from blinkd.entry.desk import EntryDesk, Question
from blinkd.entry.limits import Limits
from blinkd.entry.typing import CodeRead, PinTyped
from blinkd.session.events import Event
from blinkd.settings import AttendanceSettings, EntrySettings, StoreSettings
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import clerk_of

PIN = "928471"
SETTINGS = EntrySettings(free_tries=3, wait_first_s=30, wait_most_s=900, terminal_free_tries=6)


@dataclass
class Entrance:
    store: Store
    clock: SetClock
    settings: EntrySettings = SETTINGS
    attendance: AttendanceSettings = field(default_factory=lambda: AttendanceSettings(min_interval_s=0))

    @property
    def desk(self) -> EntryDesk:
        store = self.store
        clerk = clerk_of(store, self.clock, self.attendance)
        return EntryDesk(store.credentials, store.tries, store.book.member, store.people.name_of, clerk, self.clock, Limits(self.settings))

    def type(self, number: str, pin: str) -> Event:
        asked = self.desk.ask(PinTyped(number, pin))
        if isinstance(asked, Question):
            asked = self.desk.answered(asked, right=holds(asked.pin, asked.hashed))
        (event,) = asked
        return event

    def show(self, code: str) -> Event:
        (event,) = self.desk.badge(CodeRead(code), "reader")
        return event


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_pin(PIN)


@pytest.fixture
def entrance(tmp_path: Path, hashed: str) -> Iterator[Entrance]:
    clock = SetClock()
    with Store.open(tmp_path, StoreSettings()) as store:
        for id_, name in (("E-1066", "Ann"), ("E-2", "Bob"), ("F-2", "Cem")):
            store.people.enrol(id_, name, [])
            store.credentials.set_pin(id_, hashed, "boss", clock.now())
        yield Entrance(store, clock)


def reason(event: Event) -> Any:
    assert event.kind == "refused"
    return event.details["reason"]


def test_the_right_pin_punches_and_says_by_what(entrance: Entrance) -> None:
    event = entrance.type("E-1066", PIN)
    assert (event.kind, event.session) == ("punch", 0)
    assert (event.details["person_id"], event.details["name"], event.details["status"], event.details["method"]) == (
        "E-1066",
        "Ann",
        "CHECK_IN",
        "pin",
    )
    (punch,) = entrance.store.book.punches()
    assert (punch.person_id, punch.method) == ("E-1066", "pin")


def test_a_keypad_without_letters_names_somebody_by_digits_where_only_one_has_them(entrance: Entrance) -> None:
    assert entrance.type("1066", PIN).details["name"] == "Ann"
    assert reason(entrance.type("2", PIN)) == "wrong_pin"  # E-2 or F-2
    assert entrance.type("e-2", PIN).details["name"] == "Bob"
    assert [punch.person_id for punch in entrance.store.book.punches()] == ["E-1066", "E-2"]


def test_an_unknown_number_sounds_like_a_wrong_pin_and_only_the_scan_log_knows(entrance: Entrance) -> None:
    wrong, unknown = entrance.type("E-1066", "111111"), entrance.type("E-9", PIN)
    assert reason(wrong) == reason(unknown) == "wrong_pin"
    assert wrong.details.keys() == unknown.details.keys()
    rows = entrance.store.connection().execute("SELECT reason FROM scan_log ORDER BY rowid").fetchall()
    assert [row[0] for row in rows] == ["wrong_pin", "unknown_number"]


def test_after_the_free_tries_nobody_gets_in_even_by_the_right_pin_until_the_wait_is_over(entrance: Entrance) -> None:
    for _ in range(3):
        assert reason(entrance.type("E-1066", "000000")) == "wrong_pin"
    assert reason(entrance.type("E-1066", PIN)) == "locked_out"
    entrance.clock.wait(seconds=29)
    assert reason(entrance.type("E-1066", PIN)) == "locked_out"
    entrance.clock.wait(seconds=2)
    assert entrance.type("E-1066", PIN).kind == "punch"
    assert reason(entrance.type("E-1066", "000000")) == "wrong_pin"  # the right one has wiped the slate


def test_others_are_not_kept_out_by_one_who_is_guessed_at(entrance: Entrance) -> None:
    for _ in range(3):
        entrance.type("E-1066", "000000")
    assert entrance.type("E-2", PIN).kind == "punch"


def test_a_restart_or_the_plug_pulled_makes_no_guess_cheaper_and_no_clock_can_be_set_past_it(entrance: Entrance) -> None:
    for _ in range(3):
        asked = entrance.desk.ask(PinTyped("E-1066", "000000"))
        assert isinstance(asked, Question)  # and then the power goes: it is never answered
    entrance.clock.reboot()
    assert reason(entrance.type("E-1066", PIN)) == "locked_out"
    entrance.clock.utc = entrance.clock.utc.replace(year=2030)
    assert reason(entrance.type("E-1066", PIN)) == "locked_out"
    entrance.clock.wait(seconds=60)
    assert entrance.type("E-1066", PIN).kind == "punch"


def test_who_tries_one_number_after_the_other_closes_the_keypad_for_a_while(entrance: Entrance) -> None:
    for number in range(6):
        assert reason(entrance.type(f"X-{number}", PIN)) == "wrong_pin"
    assert reason(entrance.type("E-2", PIN)) == "locked_out"
    assert reason(entrance.show(new_code())) == "locked_out"
    entrance.clock.wait(seconds=10)
    assert entrance.type("E-2", PIN).kind == "punch"


def test_a_badge_punches_and_after_it_was_revoked_opens_nothing(entrance: Entrance) -> None:
    code, now = new_code(), entrance.clock.now()
    entrance.store.credentials.add_badge("E-1066", code_digest(code), "boss", now, replace=True)
    event = entrance.show(code.lower())
    assert (event.kind, event.details["method"], event.details["person_id"]) == ("punch", "badge", "E-1066")
    entrance.store.credentials.take_away("E-1066", "badge", "boss", now)
    assert reason(entrance.show(code)) == "unknown_badge"
    assert reason(entrance.show("short")) == "unknown_badge"


def test_a_badge_of_two_people_is_nobodys(entrance: Entrance) -> None:
    code, now = new_code(), entrance.clock.now()
    for person in ("E-1066", "E-2"):
        entrance.store.credentials._change(person, "badge", code_digest(code), "boss", now, replace=True)
    assert reason(entrance.show(code)) == "unknown_badge"
    assert list(entrance.store.book.punches()) == []


def test_the_clerks_rules_hold_for_everybody(entrance: Entrance) -> None:
    entrance.attendance = AttendanceSettings(min_interval_s=60)
    assert entrance.type("E-1066", PIN).kind == "punch"
    assert reason(entrance.type("E-1066", PIN)) == "too_soon"
    entrance.store.people.set_status("E-2", PersonStatus.DEACTIVATED)
    assert reason(entrance.type("E-2", PIN)) == "inactive"


def test_what_is_switched_off_lets_nobody_in(entrance: Entrance) -> None:
    code = new_code()
    entrance.store.credentials.add_badge("E-1066", code_digest(code), "boss", entrance.clock.now(), replace=True)
    entrance.settings = SETTINGS.model_copy(update={"badge": False, "pin": False})
    assert reason(entrance.show(code)) == "unknown_badge"
    assert reason(entrance.type("E-1066", PIN)) == "wrong_pin"
    assert list(entrance.store.book.punches()) == []


def test_no_pin_or_number_is_in_the_scan_log(entrance: Entrance) -> None:
    entrance.type("E-1066", "070359")
    entrance.type("E-1066", PIN)
    text = str(entrance.store.connection().execute("SELECT * FROM scan_log").fetchall())
    assert "070359" not in text
    assert PIN not in text
