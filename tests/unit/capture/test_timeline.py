import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.capture.timeline import Timeline

anything = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-10, 10), st.just(0.0))


@given(st.lists(anything, max_size=60), st.floats(0.5, 120))
def test_times_always_rise_whatever_the_container_says(stamps: list[float], fps: float) -> None:
    timeline = Timeline(fps)
    times = [timeline.place(stamp) for stamp in stamps]
    assert all(math.isfinite(t) and t >= 0 for t in times)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=40))
def test_stamps_in_order_are_handed_on_as_they_are(steps: list[float]) -> None:
    timeline, stamp = Timeline(25), 0.0
    for step in steps:
        stamp += step
        assert timeline.place(stamp) == pytest.approx(stamp, abs=2e-3)


def test_missing_stamps_follow_the_rate() -> None:
    timeline = Timeline(20)
    assert [timeline.place(math.nan) for _ in range(4)] == pytest.approx([0, 0.05, 0.10, 0.15])


def test_one_repeated_stamp_does_not_shift_what_follows() -> None:
    timeline = Timeline(20)
    times = [timeline.place(stamp) for stamp in (0.0, 0.05, 0.05, 0.15, 0.20)]
    assert times == pytest.approx([0, 0.05, 0.10, 0.15, 0.20], abs=2e-3)


def test_a_jump_back_starts_a_new_line_with_the_container_s_own_intervals() -> None:
    timeline = Timeline(10)
    times = [timeline.place(stamp) for stamp in (100.0, 100.5, 0.0, 0.4, 0.9)]
    assert times == pytest.approx([100.0, 100.5, 100.6, 101.0, 101.5])


def test_a_leap_by_years_is_a_damaged_stamp() -> None:
    timeline = Timeline(10)
    times = [timeline.place(stamp) for stamp in (0.0, 0.1, 1e9, 1e9 + 0.1)]
    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3])
