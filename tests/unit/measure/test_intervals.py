import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.measure.intervals import interval, lower_bound, upper_bound


@pytest.mark.parametrize("trials", [1, 10, 59, 1000])
def test_with_no_hits_the_bound_is_the_closed_form(trials: int) -> None:
    assert upper_bound(0, trials) == pytest.approx(1 - 0.05 ** (1 / trials), abs=1e-9)


def test_known_intervals() -> None:
    # Clopper and Pearson's own method, from any table: 1 of 20 at 95 %
    assert interval(1, 20) == pytest.approx((0.001265, 0.248734), abs=1e-5)
    assert interval(50, 100) == pytest.approx((0.398321, 0.601679), abs=1e-5)


def test_nothing_tried_says_nothing() -> None:
    assert upper_bound(0, 0) == 1.0
    assert lower_bound(0, 0) == 0.0


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_bound_is_where_so_few_hits_become_unlikely(counted: tuple[int, int]) -> None:
    hits, trials = counted
    low, high = interval(hits, trials)
    assert 0 <= low <= hits / trials <= high <= 1
    if hits < trials:
        rate = upper_bound(hits, trials)
        at_most = math.fsum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(hits + 1))
        assert at_most == pytest.approx(0.05, abs=1e-6)
