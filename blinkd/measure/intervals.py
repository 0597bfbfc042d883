"""Exact intervals for rates that were counted (Clopper and Pearson, 1934)."""

import math
from collections.abc import Callable

STEPS = 60  # of the bisection: far below the last digit that is printed
CONFIDENCE = 0.95


def upper_bound(hits: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """One-sided upper bound of a rate after `hits` in `trials`; 1 when nothing was tried. With no hits: 1 - (1 - confidence)^(1/n)."""
    if trials == 0 or hits == trials:
        return 1.0
    # the largest rate at which so few hits are still as likely as 1 - confidence
    return _solve(lambda rate: _at_most(hits, trials, rate) > 1 - confidence)


def lower_bound(hits: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """One-sided lower bound, the mirror image of the upper one."""
    return 1 - upper_bound(trials - hits, trials, confidence) if trials else 0.0


def interval(hits: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval: half of what the confidence leaves lies on each side."""
    side = (1 + confidence) / 2
    return lower_bound(hits, trials, side), upper_bound(hits, trials, side)


def _at_most(hits: int, trials: int, rate: float) -> float:
    """Probability of at most so many hits, each with that rate (0 < rate < 1)."""
    ways = math.lgamma(trials + 1)
    terms = (
        ways - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * math.log(rate) + (trials - k) * math.log1p(-rate)
        for k in range(hits + 1)
    )
    return math.fsum(math.exp(term) for term in terms)


def _solve(below: Callable[[float], bool]) -> float:
    """The rate at which a falling condition turns false."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return high
