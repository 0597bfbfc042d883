from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.attendance.punch import Direction, Punctuality
from blinkd.attendance.punctuality import judge, next_direction

MADRID = ZoneInfo("Europe/Madrid")
NINE = time(9, 0)
ON_TIME, LATE = Punctuality.ON_TIME, Punctuality.LATE
IN, OUT = Direction.CHECK_IN, Direction.CHECK_OUT


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
    assert (judged.punctuality, judged.minutes_late) == (punctuality, minutes)


def test_without_grace_a_second_is_late() -> None:
    assert judge(madrid("2026-03-02T09:00:00"), IN, MADRID, NINE, 0).punctuality is ON_TIME
    judged = judge(madrid("2026-03-02T09:00:01"), IN, MADRID, NINE, 0)
    assert (judged.punctuality, judged.minutes_late) == (LATE, 0)


def test_a_check_out_is_never_late() -> None:
    assert judge(madrid("2026-03-02T23:00:00"), OUT, MADRID, NINE, 0).punctuality is ON_TIME


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
    assert (judged.punctuality, judged.minutes_late) == (LATE, minutes)
    # the same moment given in local time is judged the same
    assert judge(datetime.fromisoformat(utc).astimezone(MADRID), IN, MADRID, start, 10) == judged


@given(st.integers(0, 730 * 86_400_000), st.times(), st.integers(0, 720))
def test_late_is_more_than_the_grace_after_the_start(milliseconds: int, start: time, grace: int) -> None:
    utc = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    judged = judge(utc, IN, MADRID, start, grace)
    began = datetime.combine(utc.astimezone(MADRID).date(), start, tzinfo=MADRID).astimezone(UTC)
    assert (judged.punctuality is LATE) == (utc - began > timedelta(minutes=grace))
    if judged.punctuality is LATE:
        assert timedelta(0) <= utc - began - timedelta(minutes=judged.minutes_late) < timedelta(minutes=1)
    else:
        assert judged.minutes_late == 0


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
    assert next_direction(before, madrid(now), MADRID) is direction
