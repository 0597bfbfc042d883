from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.attendance.punch import Direction, Punctuality
from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.punctuality import Judgement, Mode, direction_of
from blinkd.attendance.shifts.punctuality import judge as judge_by
from blinkd.attendance.shifts.rota import Assignment, Rota
from blinkd.attendance.shifts.shift import Shift, ShiftDay, shift_day

MADRID = ZoneInfo("Europe/Madrid")
NINE = time(9, 0)
ON_TIME, LATE, EARLY, OVER = Punctuality.ON_TIME, Punctuality.LATE, Punctuality.EARLY_LEAVE, Punctuality.OVERTIME
IN, OUT = Direction.CHECK_IN, Direction.CHECK_OUT


def judge(utc: datetime, direction: Direction, zone: ZoneInfo, start: time, grace: int) -> Judgement:
    """By a shift of nearly a day on the local date of the punch."""
    end = (datetime.combine(utc.date(), start) - timedelta(minutes=1)).time()
    return judge_by(utc, direction, shift_day(Shift("s", start, end, late_grace_min=grace), utc.astimezone(zone).date(), zone))


def madrid(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=MADRID, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("local", "punctuality", "minutes"),
    [
        ("2026-03-02T00:00:00", ON_TIME, 0),
        ("2026-03-02T05:30:00", ON_TIME, 0),
        ("2026-03-02T08:59:59", ON_TIME, 0),
        ("2026-03-02T09:00:00", ON_TIME, 0),
        ("2026-03-02T09:10:00", ON_TIME, 0),  # exactly the grace
        ("2026-03-02T09:10:00.000001", LATE, 10),
        ("2026-03-02T09:10:01", LATE, 10),
        ("2026-03-02T09:10:59", LATE, 10),  # whole minutes only
        ("2026-03-02T09:11:00", LATE, 11),
        ("2026-03-02T23:59:59", LATE, 899),
        ("2026-07-02T09:10:00", ON_TIME, 0),  # in summer time
        ("2026-07-02T09:11:00", LATE, 11),
    ],
)
def test_a_check_in_is_on_time_to_the_end_of_the_grace(local: str, punctuality: Punctuality, minutes: int) -> None:
    judged = judge(madrid(local), IN, MADRID, NINE, 10)
    assert (judged.punctuality, judged.minutes) == (punctuality, minutes)


def test_without_grace_a_second_is_late() -> None:
    assert judge(madrid("2026-03-02T09:00:00"), IN, MADRID, NINE, 0).punctuality is ON_TIME
    judged = judge(madrid("2026-03-02T09:00:01"), IN, MADRID, NINE, 0)
    assert (judged.punctuality, judged.minutes) == (LATE, 0)


@pytest.mark.parametrize(
    ("local", "punctuality", "minutes"),
    [
        ("2026-03-02T08:00:00", EARLY, 540),
        ("2026-03-02T16:54:59", EARLY, 5),
        ("2026-03-02T16:55:00", ON_TIME, 0),  # exactly the grace
        ("2026-03-02T17:15:00", ON_TIME, 0),
        ("2026-03-02T17:15:01", OVER, 15),
        ("2026-03-02T19:59:59", OVER, 179),
    ],
)
def test_a_check_out_is_judged_by_the_end(local: str, punctuality: Punctuality, minutes: int) -> None:
    shift = Shift("s", NINE, time(17), early_grace_min=5, overtime_after_min=15)
    assert judge_by(madrid(local), OUT, shift_day(shift, madrid(local).date(), MADRID)) == Judgement(punctuality, minutes)


def test_without_a_shift_there_is_nothing_to_be_late_for() -> None:
    for direction in (IN, OUT):
        assert judge_by(madrid("2026-03-02T12:00"), direction, None) == Judgement(ON_TIME, 0)


@pytest.mark.parametrize(
    ("start", "utc", "minutes"),
    [
        # 29 March 2026: 02:00 CET becomes 03:00 CEST at 01:00 UTC
        (time(1, 30), "2026-03-29T01:00:00+00:00", 30),  # shown as 03:00
        (time(9, 0), "2026-03-29T07:30:00+00:00", 30),
        (time(2, 30), "2026-03-29T02:00:00+00:00", 30),  # a start that the night skips: 01:30 UTC, shown as 03:30
        # 25 October 2026: 03:00 CEST becomes 02:00 CET at 01:00 UTC
        (time(1, 30), "2026-10-25T01:00:00+00:00", 90),  # shown as 02:00 for the second time
        (time(2, 30), "2026-10-25T01:30:00+00:00", 60),  # 02:30 comes twice: the first counts
        (time(9, 0), "2026-10-25T08:30:00+00:00", 30),
    ],
)
def test_lateness_is_real_time_in_the_nights_when_the_clocks_change(start: time, utc: str, minutes: int) -> None:
    judged = judge(datetime.fromisoformat(utc), IN, MADRID, start, 10)
    assert (judged.punctuality, judged.minutes) == (LATE, minutes)
    # the same moment given in local time is judged the same
    assert judge(datetime.fromisoformat(utc).astimezone(MADRID), IN, MADRID, start, 10) == judged


@given(st.integers(0, 730 * 86_400_000), st.times(), st.integers(0, 720))
def test_late_is_more_than_the_grace_after_the_start(milliseconds: int, start: time, grace: int) -> None:
    utc = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    judged = judge(utc, IN, MADRID, start, grace)
    began = datetime.combine(utc.astimezone(MADRID).date(), start, tzinfo=MADRID).astimezone(UTC)
    assert (judged.punctuality is LATE) == (utc - began > timedelta(minutes=grace))
    if judged.punctuality is LATE:
        assert timedelta(0) <= utc - began - timedelta(minutes=judged.minutes) < timedelta(minutes=1)
    else:
        assert judged.minutes == 0


@pytest.mark.parametrize(
    ("last", "now", "direction"),
    [
        (None, "2026-03-02T09:00:00", IN),
        ((IN, "2026-03-02T09:00:00"), "2026-03-02T17:00:00", OUT),
        ((OUT, "2026-03-02T13:00:00"), "2026-03-02T14:00:00", IN),
        ((IN, "2026-03-02T09:00:00"), "2026-03-03T09:00:00", IN),  # forgot to check out
        ((OUT, "2026-03-02T17:00:00"), "2026-03-03T09:00:00", IN),
        ((IN, "2026-03-02T23:59:59"), "2026-03-03T00:00:00", IN),  # midnight of the site, 23:00 UTC
        ((IN, "2026-03-02T00:30:00"), "2026-03-02T23:30:00", OUT),  # one day of the site, two of UTC
        ((IN, "2026-03-29T00:30:00"), "2026-03-29T23:30:00", OUT),  # a day of 23 hours
        ((IN, "2026-10-25T00:30:00"), "2026-10-25T23:30:00", OUT),  # a day of 25 hours
    ],
)
def test_in_and_out_alternate_within_a_day_of_the_site(last: tuple[Direction, str] | None, now: str, direction: Direction) -> None:
    before = None if last is None else (last[0], madrid(last[1]))
    assert direction_of("alternate", before, madrid(now), None, None, MADRID) is direction


DAY, NIGHT = Shift("day", NINE, time(17), check_out_after_min=240), Shift("night", time(22), time(6), check_in_until=time(23, 30))


def turn(mode: Mode, last: tuple[Direction, str] | None, now: str, *shifts: Shift) -> Direction:
    rota = Rota(
        {shift.name: shift for shift in shifts},
        None,
        [Assignment(1, shift.name, date(2020, 1, 1), None) for shift in shifts],
        Holidays({}),
        MADRID,
    )
    before = None if last is None else (last[0], madrid(last[1]))

    def placed(when: datetime) -> ShiftDay | None:
        return rota.placed(1, when)

    return direction_of(mode, before, madrid(now), placed(madrid(now)), None if before is None else placed(before[1]), MADRID)


@pytest.mark.parametrize(
    ("shifts", "last", "now", "direction"),
    [
        ((NIGHT,), (IN, "2026-03-02T21:55"), "2026-03-03T06:05", OUT),  # over midnight
        ((NIGHT,), (OUT, "2026-03-03T02:00"), "2026-03-03T02:30", IN),
        ((NIGHT,), (IN, "2026-03-02T21:55"), "2026-03-03T21:55", IN),  # forgot to check out
        ((NIGHT,), (IN, "2026-03-02T21:55"), "2026-03-03T09:30", OUT),  # stayed past the window
        ((NIGHT,), (IN, "2026-03-02T21:55"), "2026-03-03T13:30", IN),  # too long after it
        ((NIGHT,), (IN, "2026-03-28T21:55"), "2026-03-29T06:05", OUT),  # a night of seven hours
        ((NIGHT,), (IN, "2026-10-24T21:55"), "2026-10-25T06:05", OUT),  # and one of nine
        ((DAY,), (IN, "2026-03-02T07:00"), "2026-03-02T17:00", OUT),  # came before the window opened
        ((DAY,), (IN, "2026-03-02T08:30"), "2026-03-02T22:30", OUT),  # left after it had closed
        ((DAY,), (IN, "2026-03-02T09:00"), "2026-03-03T09:00", IN),
        ((DAY, NIGHT), (IN, "2026-03-02T09:00"), "2026-03-02T22:00", IN),  # the next shift's arrival
        ((DAY, NIGHT), (OUT, "2026-03-02T17:00"), "2026-03-02T21:40", IN),
    ],
)
def test_in_and_out_alternate_within_a_shift(
    shifts: tuple[Shift, ...], last: tuple[Direction, str] | None, now: str, direction: Direction
) -> None:
    assert turn("alternate", last, now, *shifts) is direction


@pytest.mark.parametrize(
    ("shift", "now", "direction"),
    [
        (DAY, "2026-03-02T12:59:59", IN),
        (DAY, "2026-03-02T13:00:00", OUT),
        (NIGHT, "2026-03-02T23:29:59", IN),
        (NIGHT, "2026-03-02T23:30:00", OUT),
        (NIGHT, "2026-03-03T03:00:00", OUT),
    ],
)
@pytest.mark.parametrize("last", [IN, OUT])
def test_by_window_the_half_of_the_shift_decides_whatever_came_before(
    shift: Shift, now: str, direction: Direction, last: Direction
) -> None:
    assert turn("window", (last, "2026-03-02T22:10"), now, shift) is direction


def test_a_door_of_one_direction_decides_alone() -> None:
    for last in (None, (IN, "2026-03-02T09:00"), (OUT, "2026-03-02T09:00")):
        assert turn("in", last, "2026-03-02T12:00", DAY) is IN
        assert turn("out", last, "2026-03-02T12:00", DAY) is OUT
