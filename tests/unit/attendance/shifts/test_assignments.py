"""Who works what: assignments in the book, the rota that follows from them, and the clerk who goes by it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.attendance.punch import Direction, Punch, Punctuality
from blinkd.attendance.shifts.assignments import Planner
from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.rota import Assignment, Rota, check_assignment
from blinkd.attendance.shifts.shift import Shift
from blinkd.errors import ConfigError, ImportRefused, NotAllowed, UnknownPerson
from blinkd.parts import Parts
from blinkd.settings import AttendanceSettings, Settings, TerminalSettings
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import open_store

MADRID = ZoneInfo("Europe/Madrid")
MONDAY = date(2026, 3, 2)
DAY = Shift("day", time(9), time(17), weekdays=frozenset(range(5)))
NIGHT = Shift("night", time(22), time(6))
EVENING = Shift("evening", time(17), time(23))
SHIFTS = {shift.name: shift for shift in (DAY, NIGHT, EVENING)}
FILE = """[day]
start = 09:00:00
end = 17:00:00
weekdays = ["mon", "tue", "wed", "thu", "fri"]
late_grace_min = 5
[night]
start = 22:00:00
end = 06:00:00
[evening]
start = 17:00:00
end = 23:00:00
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "state") as store:
        store.people.enrol("A", "Ann", [])
        store.people.enrol("B", "Bo", [])
        yield store


def planner(store: Store, by: str = "S-7") -> Planner:
    return Planner(store.book, SHIFTS, SetClock(), by)


def standing(store: Store, person_id: str = "A") -> list[tuple[str, date, date | None]]:
    found = store.book.assignments(store.people.get(person_id).subject)
    return [(one.assignment.shift, one.assignment.first, one.assignment.last) for one in found]


def test_assignments_are_entries_that_stand_until_they_are_ended(store: Store) -> None:
    planner(store).assign("A", "day", MONDAY, None, "hired")
    planner(store).assign("B", "night", MONDAY, date(2026, 4, 1), "for March")
    assert standing(store) == [("day", MONDAY, None)]
    planner(store, "S-8").end("A", "day", date(2026, 3, 31), "moves to nights")
    planner(store).assign("A", "night", date(2026, 4, 1), None, "nights")
    assert standing(store) == [("day", MONDAY, date(2026, 3, 31)), ("night", date(2026, 4, 1), None)]
    planner(store).end("A", "night", date(2026, 3, 31), "was a mistake")  # before it began: taken back
    assert standing(store) == [("day", MONDAY, date(2026, 3, 31))]
    assert len(store.book.assignments()) == 2
    assert [content["by"] for _, content, _ in store.book.entries("assignment")] == ["S-7", "S-7", "S-8", "S-7", "S-7"]


def test_what_cannot_be_assigned_is_refused_and_nothing_is_written(store: Store) -> None:
    planner(store).assign("A", "day", MONDAY, None, "hired")
    before = store.book.head()
    with pytest.raises(NotAllowed, match="no shift is called 'dya'; there are: day, evening, night"):
        planner(store).assign("A", "dya", MONDAY, None, "x")
    with pytest.raises(UnknownPerson, match="'Z'"):
        planner(store).assign("Z", "day", MONDAY, None, "x")
    with pytest.raises(
        NotAllowed, match=r"shift 'day' \(09:00 to 17:00\) overlaps shift 'day' .* from 2026-03-02 to further notice, on Monday"
    ):
        planner(store).assign("A", "day", date(2026, 5, 1), None, "x")
    with pytest.raises(NotAllowed, match="the end lies before the start"):
        planner(store).assign("B", "day", MONDAY, MONDAY - timedelta(days=1), "x")
    for day in (date(1969, 12, 31), date(2100, 1, 1)):
        with pytest.raises(NotAllowed, match="before 1970 or after 2099"):
            planner(store).assign("B", "day", day, None, "x")
    with pytest.raises(NotAllowed, match="not assigned to shift 'night'"):
        planner(store).end("A", "night", MONDAY, "x")
    with pytest.raises(NotAllowed, match="reason"):
        planner(store).assign("B", "day", MONDAY, None, "")
    assert store.book.head() == before


@given(st.integers(0, 6), st.times(), st.integers(1, 1439), st.integers(0, 6), st.times(), st.integers(1, 1439))
def test_shifts_overlap_just_when_some_minute_of_a_week_is_in_both(
    day: int, start: time, length: int, other_day: int, other_start: time, other_length: int
) -> None:
    def shift(name: str, weekday: int, begins: time, minutes: int) -> Shift:
        begins = begins.replace(second=0, microsecond=0)
        end = (datetime.combine(MONDAY, begins) + timedelta(minutes=minutes)).time()
        return Shift(name, begins, end, weekdays=frozenset({weekday}))

    def minutes(one: Shift) -> set[int]:
        first = min(one.weekdays) * 1440 + one.start.hour * 60 + one.start.minute
        last = first + ((one.end.hour * 60 + one.end.minute) - (one.start.hour * 60 + one.start.minute)) % 1440
        return {minute % (7 * 1440) for minute in range(first, last)}

    one, other = shift("one", day, start, length), shift("other", other_day, other_start, other_length)
    both = {"one": one, "other": other}
    clash = bool(minutes(one) & minutes(other))
    try:
        check_assignment(Assignment(1, "one", MONDAY, None), [Assignment(1, "other", MONDAY, None)], both)
    except NotAllowed:
        assert clash
    else:
        assert not clash


def test_shifts_that_only_touch_or_lie_on_other_dates_do_not_overlap() -> None:
    new = Assignment(1, "evening", MONDAY, None)
    check_assignment(new, [Assignment(1, "day", MONDAY, None)], SHIFTS)
    with pytest.raises(NotAllowed, match="overlaps"):
        check_assignment(new, [Assignment(1, "night", MONDAY, None)], SHIFTS)
    check_assignment(new, [Assignment(1, "night", date(2026, 1, 1), date(2026, 2, 20))], SHIFTS)


def test_where_windows_meet_the_later_shift_opens_when_the_earlier_ends() -> None:
    rota = Rota(SHIFTS, None, [Assignment(1, "day", MONDAY, None), Assignment(1, "evening", MONDAY, None)], Holidays({}), MADRID)
    day, evening = rota.expected(1, MONDAY, MONDAY)
    assert (evening.opens, day.closes, day.end) == (day.end, day.end, evening.start)
    assert rota.placed(1, day.end - timedelta(seconds=1)) == day
    assert rota.placed(1, day.end) == evening


def test_holidays_off_days_and_dates_outside_of_an_assignment_have_no_shift() -> None:
    free = Holidays({date(2026, 3, 3): "a feast"})
    rota = Rota(SHIFTS, "day", [Assignment(2, "night", MONDAY, MONDAY)], free, MADRID)
    assert [one.date.day for one in rota.expected(1, date(2026, 2, 28), date(2026, 3, 4))] == [2, 4]
    assert [one.date.day for one in rota.expected(2, date(2026, 2, 28), date(2026, 3, 4))] == [2]
    assert rota.placed(1, datetime(2026, 3, 3, 12, tzinfo=UTC)) is None
    assert rota.placed(2, datetime(2026, 3, 3, 4, tzinfo=UTC)) == rota.expected(2, MONDAY, MONDAY)[0]  # begun before the holiday


def test_a_person_without_assignment_works_the_default_or_nothing() -> None:
    assert len(Rota(SHIFTS, "day", [], Holidays({}), MADRID).expected(1, MONDAY, MONDAY)) == 1
    assert Rota(SHIFTS, None, [], Holidays({}), MADRID).expected(1, MONDAY, MONDAY) == []


def test_a_shift_that_is_gone_from_the_file_is_expected_of_nobody() -> None:
    assert Rota({}, None, [Assignment(1, "day", MONDAY, None)], Holidays({}), MADRID).expected(1, MONDAY, MONDAY) == []


def test_the_clerk_judges_by_the_persons_own_shift(store: Store, tmp_path: Path) -> None:
    (tmp_path / "shifts.toml").write_text(FILE)
    terminal, attendance = TerminalSettings(timezone="Europe/Madrid"), AttendanceSettings(shifts_file=tmp_path / "shifts.toml")
    clock = SetClock(utc=datetime(2026, 3, 2, 8, 6, tzinfo=UTC))
    clerk = Parts(Settings(attendance=attendance, terminal=terminal)).clerk(store, store, clock)
    planner(store).assign("A", "day", MONDAY, None, "hired")
    planner(store).assign("B", "night", MONDAY, None, "hired")

    def punched(person_id: str) -> tuple[Direction, Punctuality, int, str | None]:
        punch = clerk.attend(person_id, 0.7, {})
        assert isinstance(punch, Punch)
        return punch.status, punch.punctuality, punch.minutes, punch.shift

    assert punched("A") == (Direction.CHECK_IN, Punctuality.LATE, 6, "day")
    assert punched("B") == (Direction.CHECK_IN, Punctuality.ON_TIME, 0, None)  # long before the night
    clock.wait(hours=7)
    assert punched("A") == (Direction.CHECK_OUT, Punctuality.EARLY_LEAVE, 54, "day")
    clock.wait(hours=5, minutes=30)
    assert punched("B") == (Direction.CHECK_IN, Punctuality.ON_TIME, 0, "night")
    clock.wait(hours=9)
    assert punched("B") == (Direction.CHECK_OUT, Punctuality.OVERTIME, 36, "night")  # on the next morning


def test_many_are_assigned_by_a_file_all_or_none(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rota.csv"
    path.write_text("person_id,shift,from,to\nA,day,2026-03-02,\nB,night,2026-03-02,2026-04-01\n")
    assert planner(store).take_in(path, "new rota") == 2
    assert standing(store, "B") == [("night", MONDAY, date(2026, 4, 1))]
    path.write_text(
        "person_id,shift,from,to\nA,evening,2026-03-02,\nB,dya,2026-13-01,\nZ,day,2026-03-02,\nA,night,soon,\nA,evening,2026-06-01,\n"
    )
    before = store.book.head()
    with pytest.raises(ImportRefused) as caught:
        planner(store).take_in(path, "new rota")
    for said in ("row 3, columns from and to: ", "row 4, column person_id: ", "row 5, columns from and to: ", "row 6, column shift: "):
        assert said in str(caught.value)
    assert store.book.head() == before
    path.write_bytes(b"person_id,shift,from\n\xff,day,2026-03-02\n")
    with pytest.raises(ImportRefused, match="not UTF-8"):
        planner(store).take_in(path, "new rota")


def test_shifts_that_cannot_be_read_stop_the_start_and_not_the_first_punch(store: Store, tmp_path: Path) -> None:
    parts = Parts(Settings(attendance=AttendanceSettings(shifts_file=tmp_path / "none.toml")))
    with pytest.raises(ConfigError, match=r"none\.toml"):
        parts.rules(store)
    (tmp_path / "shifts.toml").write_text(FILE)
    wrong = AttendanceSettings(shifts_file=tmp_path / "shifts.toml", default_shift="noon")
    with pytest.raises(ConfigError, match=r"default_shift is 'noon'; .* has day, evening, night"):
        Parts(Settings(attendance=wrong)).rules(store)
