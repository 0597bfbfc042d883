import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.measure.intervals import Share, clopper_pearson, incomplete_beta, upper_bound


def at_most(count: int, n: int, share: float) -> float:
    """P(X <= count), X binomial, by adding up."""
    return sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(count + 1))


@pytest.mark.parametrize(
    ("count", "n", "lower", "upper"),  # the textbook's closed forms at the ends, and a tabled value
    [
        (0, 10, 0.0, 1 - 0.025 ** (1 / 10)),
        (10, 10, 0.025 ** (1 / 10), 1.0),
        (0, 3688, 0.0, 1 - 0.025 ** (1 / 3688)),
        (5, 10, 0.1871, 0.8129),
    ],
)
def test_known_intervals(count: int, n: int, lower: float, upper: float) -> None:
    assert clopper_pearson(count, n) == pytest.approx((lower, upper), abs=1e-4)


@given(st.integers(1, 120).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_each_bound_leaves_exactly_its_tail(given: tuple[int, int]) -> None:
    count, n = given
    lower, upper = clopper_pearson(count, n)
    assert lower <= count / n <= upper
    if count:
        assert 1 - at_most(count - 1, n, lower) == pytest.approx(0.025, abs=1e-6)
    if count < n:
        assert at_most(count, n, upper) == pytest.approx(0.025, abs=1e-6)


def test_rare_events_among_millions_are_bounded_precisely() -> None:
    lower, upper = clopper_pearson(4, 4_700_000)
    # Poisson limits of 4 events: 1.0899 and 10.2416
    assert lower * 4_700_000 == pytest.approx(1.0899, rel=1e-3)
    assert upper * 4_700_000 == pytest.approx(10.2416, rel=1e-3)


def test_without_trials_nothing_is_known() -> None:
    share = Share.of(0, 0)
    assert (share.value, share.lower, share.upper) == (None, 0.0, 1.0)


@pytest.mark.parametrize(("count", "n"), [(-1, 5), (6, 5)])
def test_more_events_than_trials_are_refused(count: int, n: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        clopper_pearson(count, n)


@pytest.mark.parametrize("n", [1, 10, 59, 1000])
def test_the_one_sided_bound_of_none_is_the_closed_form(n: int) -> None:
    assert upper_bound(0, n) == pytest.approx(1 - 0.05 ** (1 / n), abs=1e-9)
    assert upper_bound(n, n) == 1.0
    assert upper_bound(0, 0) == 1.0


@given(st.floats(0.5, 300), st.floats(0.5, 300), st.floats(0, 1))
def test_the_incomplete_beta_function_mirrors(a: float, b: float, x: float) -> None:
    assert incomplete_beta(a, b, x) + incomplete_beta(b, a, 1 - x) == pytest.approx(1, abs=1e-9)
