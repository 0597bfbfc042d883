"""Exact confidence intervals of shares that were counted."""

import math
from dataclasses import dataclass

CONFIDENCE = 0.95  # of every interval that is printed
TERMS = 10_000  # of the continued fraction; it needs about the square root of the number of trials
SMALLEST = 1e-300  # keeps the fraction's terms from being 0


@dataclass(frozen=True, slots=True)
class Share:
    """count out of n, with the bounds of its exact 95 % interval; without trials (n = 0) the interval is everything, 0 to 1."""

    count: int
    n: int
    lower: float
    upper: float

    @property
    def value(self) -> float | None:
        """The share, count / n, or None where there is nothing to divide by."""
        return self.count / self.n if self.n else None

    @staticmethod
    def of(count: int, n: int) -> "Share":
        """Count so many out of n. Raises ValueError unless 0 <= count <= n."""
        lower, upper = clopper_pearson(count, n)
        return Share(count, n, lower, upper)


def clopper_pearson(count: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact two-sided interval of a binomial share (Clopper and Pearson, Biometrika 26, 1934).

    Its bounds are quantiles of beta distributions: of Beta(count, n - count + 1) below and of Beta(count + 1, n - count) above. They hold
    for independent trials. Raises ValueError unless 0 <= count <= n.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} out of {n} is no share")
    if n == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    lower = 0.0 if count == 0 else _beta_quantile(tail, count, n - count + 1)
    upper = 1.0 if count == n else _beta_quantile(1 - tail, count + 1, n - count)
    return lower, upper


def upper_bound(count: int, n: int) -> float:
    """The exact one-sided 95 % upper bound of a share; 1 without trials, 1 - 0.05^(1/n) for none of n."""
    return clopper_pearson(count, n, 2 * CONFIDENCE - 1)[1]


def _beta_quantile(probability: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        if incomplete_beta(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), the regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) and Lentz's method; a, b > 0."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast below that point only; DLMF 8.17.4 mirrors it
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    value, c, d = 1.0, 1.0, 0.0
    for step in range(TERMS):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _away_from_zero(1 + term * d)
        c = _away_from_zero(1 + term / c)
        value *= c * d
        if abs(1 - c * d) < 1e-14:
            break
    return front * (value - 1)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > SMALLEST else SMALLEST
