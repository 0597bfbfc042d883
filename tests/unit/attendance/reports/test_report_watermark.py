"""A day is final when every terminal has reported past its end and nothing may still move into it; else every reason is given."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.attendance.reports.span import DaySpan
from blinkd.attendance.reports.watermark import Watch, Watermark
from blinkd.clock import Instant

MADRID = ZoneInfo("Europe/Madrid")
DAY = DaySpan(date(2026, 3, 2), datetime(2026, 3, 1, 23, tzinfo=UTC), datetime(2026, 3, 3, 6, tzinfo=UTC))
LATER = Instant(datetime(2026, 3, 4, 12, tzinfo=UTC), 1.0, "boot", "synced")


@dataclass(frozen=True)
class Doubtful:
    seq: int
    recorded: datetime
    after: datetime | None
    before: datetime | None


QUIET = Watch("door-1", ("door-2",), {"door-2": Watermark("door-2", DAY.until, 70)}, LATER, MADRID, (), ())
BOOTED = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


def why(watch: Watch) -> tuple[str, ...]:
    return watch.state(DAY).why


def test_a_day_past_which_all_have_reported_is_final() -> None:
    state = QUIET.state(DAY)
    assert (state.final, state.why, state.date) == (True, (), DAY.date)


def test_the_last_shift_window_must_be_over() -> None:
    now = replace(LATER, utc=DAY.until - timedelta(seconds=1))
    assert why(replace(QUIET, now=now)) == ("the day is not over; its last shift window ends 2026-03-03 07:00+01:00",)
    assert why(replace(QUIET, now=replace(LATER, utc=DAY.until))) == ()


def test_an_untrusted_clock_here_makes_every_day_provisional() -> None:
    (reason,) = why(replace(QUIET, now=replace(LATER, confidence="unsynced")))
    assert reason.startswith("door-1: its clock is not trusted now")


def test_each_terminal_that_has_not_reported_past_the_end_is_named_with_how_far_it_has() -> None:
    behind = Watermark("door-2", DAY.until - timedelta(microseconds=1), 69)
    found = why(replace(QUIET, others=("door-2", "door-3", "door-1"), reported={"door-2": behind}))
    assert found == ("door-2: has reported up to 2026-03-03 06:59+01:00, entry 69", "door-3: has not reported yet")


@pytest.mark.parametrize(
    ("after", "before", "may"),
    [
        (None, None, True),
        (DAY.since, DAY.until, True),
        (DAY.until, None, False),
        (None, DAY.since - timedelta(seconds=1), False),
        (DAY.until - timedelta(seconds=1), DAY.until + timedelta(days=9), True),
    ],
)
def test_an_uncertain_punch_counts_where_it_may_belong(after: datetime | None, before: datetime | None, may: bool) -> None:
    found = why(replace(QUIET, uncertain=(Doubtful(31, BOOTED, after, before),)))
    assert found == (("punches whose time is uncertain may belong to it: 31",) if may else ())


def test_an_uncertain_punch_that_was_recorded_on_the_day_may_belong_to_it() -> None:
    doubtful = Doubtful(31, DAY.since, DAY.until + timedelta(days=1), None)
    assert why(replace(QUIET, uncertain=(doubtful,)))


def test_disowned_punches_of_the_day_wait_for_a_supervisor_and_those_of_others_do_not_count() -> None:
    disowned = ((12, DAY.since), (13, DAY.until), (11, DAY.until - timedelta(seconds=1)))
    assert why(replace(QUIET, disowned=disowned)) == ("punches that were disowned wait for a supervisor: 11, 12",)


def test_of_many_punches_the_first_are_named() -> None:
    disowned = tuple((seq, DAY.since) for seq in range(1, 15))
    (reason,) = why(replace(QUIET, disowned=disowned))
    assert reason.endswith("1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more")


@given(st.integers(-100, 100), st.integers(-100, 100), st.booleans())
def test_the_reasons_are_exactly_those_that_hold(now_h: int, mark_h: int, trusted: bool) -> None:
    now = Instant(DAY.until + timedelta(hours=now_h), 1.0, "boot", "synced" if trusted else "unsynced")
    mark = Watermark("door-2", DAY.until + timedelta(hours=mark_h), 1)
    state = replace(QUIET, now=now, reported={"door-2": mark}).state(DAY)
    assert len(state.why) == (not trusted or now_h < 0) + (mark_h < 0)
