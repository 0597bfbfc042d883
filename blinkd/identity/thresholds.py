"""From a model's measured impostor scores and the size of the gallery to the threshold in force, and what it stands for."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from blinkd.errors import ConfigError
from blinkd.settings import IdentitySettings

Verdict = Literal["match", "uncertain", "unknown"]
Origin = Literal["model", "gallery", "settings"]

TAIL_DECADES = 2.0  # the tail's slope is taken over the last two decades of the table: over less it would rest on a handful of pairs
THRESHOLD_STEP = 1e-4  # thresholds are rounded up to it, so that the figure that is printed is the figure in force
SMALLEST_RATE = 1e-30  # stands for 0 in logarithms
NOTHING = 1e-12  # a bound below it is printed as 0


@dataclass(frozen=True, slots=True)
class Bands:
    """Cosine similarities: at or above `match` the same person, at or above `uncertain` look again, below it unknown."""

    match: float
    uncertain: float

    def verdict(self, similarity: float) -> Verdict:
        """Judge one similarity, -1..1."""
        if similarity >= self.match:
            return "match"
        return "uncertain" if similarity >= self.uncertain else "unknown"


@dataclass(frozen=True, slots=True)
class Rate:
    """A false match rate per comparison, or a false positive identification rate per search, with its 95 % interval.

    extrapolated: true beyond what the model's impostor scores could show.
    """

    value: float
    lower: float
    upper: float
    extrapolated: bool

    def per_search(self, templates: int) -> "Rate":
        """The chance that at least one of so many comparisons is a false match."""
        return Rate(
            any_of(self.value, templates), any_of(self.lower, templates), any_of(self.upper, templates), extrapolated=self.extrapolated
        )


@dataclass(frozen=True, slots=True)
class ImpostorScores:
    """How often two different people score at or above a threshold, as measured.

    fmr: false match rates, falling; threshold: the cosine at which each is reached, rising; lower, upper: 95 % bounds of the false match
    rate at that threshold. All of one length, at least two.

    Between the points log10(FMR) is interpolated linearly. Beyond the last one, (t_e, f_e), it goes on by the tail's own slope:
    log10 FMR(t) = log10 f_e - s (t - t_e), with s the mean slope over the table's last two decades. That errs towards a higher threshold
    wherever the curve bends downwards, as that of scores with a bell-shaped tail does: the mean slope is then flatter than the one at the
    end, and that one flatter than what follows. MobileFaceNet's measured steps a decade, from 1e-3 on, are 0.079, 0.066 and 0.041; SFace's
    are 0.056, 0.048 and 0.053, where the last decade's slope alone would be no steeper. The bounds there take the flattest and the steepest
    line that the bounds of the same two points allow.
    """

    fmr: tuple[float, ...]
    threshold: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.fmr) < 2 or len({len(self.fmr), len(self.threshold), len(self.lower), len(self.upper)}) != 1:
            raise ValueError("impostor scores need at least two points, and lists of one length")

    def threshold_at(self, fmr: float) -> float:
        """The cosine threshold for a wanted false match rate per comparison, above 0; at most 1.

        A rate above the table's first gets the first threshold, which is stricter than asked.
        """
        wanted = _log(fmr)
        if wanted < _log(self.fmr[-1]):
            tail = self._tail(self.fmr, self.fmr)
            return min(1.0, self.threshold[-1] + (_log(self.fmr[-1]) - wanted) / tail)
        rising = [-_log(rate) for rate in self.fmr]
        return _interpolate(-wanted, rising, self.threshold)

    def fmr_at(self, threshold: float) -> Rate:
        """The false match rate per comparison at a cosine threshold, with its 95 % bounds; below the table's first, at least that rate."""
        if threshold <= self.threshold[-1]:
            value, lower, upper = (
                10 ** _interpolate(threshold, self.threshold, [_log(rate) for rate in rates])
                for rates in (self.fmr, self.lower, self.upper)
            )
            below = threshold < self.threshold[0]
            nothing = lower < NOTHING  # between a bound above 0 and one of 0
            return Rate(value, 0.0 if nothing else lower, 1.0 if below else upper, extrapolated=below)
        beyond = threshold - self.threshold[-1]
        value = 10 ** (_log(self.fmr[-1]) - self._tail(self.fmr, self.fmr) * beyond)
        upper = 10 ** (_log(self.upper[-1]) - max(0.0, self._tail(self.lower, self.upper)) * beyond)
        lower = 10 ** (_log(self.lower[-1]) - self._tail(self.upper, self.lower) * beyond) if self.lower[-1] > 0 else 0.0
        return Rate(value, lower, upper, extrapolated=True)

    def _tail(self, begin: Sequence[float], end: Sequence[float]) -> float:
        """Decades of false match rate that one unit of cosine takes off at the table's end."""
        first = next(row for row, rate in enumerate(self.fmr) if _log(rate) <= _log(self.fmr[-1]) + TAIL_DECADES + 1e-9)
        first = min(first, len(self.fmr) - 2)
        return (_log(begin[first]) - _log(end[-1])) / (self.threshold[-1] - self.threshold[first])


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The thresholds in force for one size of gallery.

    templates: how many; margin: cosine by which the best person must lead the next one; fmr: per comparison, and fpir: per search of the
    whole gallery, both None where the model's impostor scores are not known; wanted: the FPIR that the settings ask for;
    origin: where the match threshold comes from: the model's band, the gallery's size, or the settings.
    """

    templates: int
    bands: Bands
    margin: float
    fmr: Rate | None
    fpir: Rate | None
    wanted: float
    origin: Origin


class ThresholdRule:
    """Finds the operating point for any size of gallery.

    One false match among N comparisons is enough for a false identification. Were they independent, FPIR = 1 - (1 - FMR)^N, so the
    comparison may have FMR = 1 - (1 - FPIR)^(1/N), which is the union bound FPIR / N to within half of FPIR. N counts templates, not
    people: several templates of one person give less than that, for their scores hang together. The figures hold for one look; a visit asks
    anew as its embeddings come in, and the mean of several embeddings scores a little higher against everybody than a single one does.
    """

    def __init__(self, model: Bands, impostors: ImpostorScores | None, settings: IdentitySettings) -> None:
        self._model = model
        self._impostors = impostors
        self._settings = settings
        self._last: OperatingPoint | None = None  # a gallery seldom changes between two looks
        self.at(1)  # a contradiction in the settings is said at once

    def at(self, templates: int) -> OperatingPoint:
        """The operating point for a gallery of so many templates (none counts as one).

        Raises ConfigError when identity.uncertain_threshold is above the match threshold.
        """
        if self._last is None or self._last.templates != templates:
            self._last = self._find(templates)
        return self._last

    def without_override(self, templates: int) -> float:
        """The match threshold that would be in force if the settings named none."""
        return ThresholdRule(self._model, self._impostors, IdentitySettings(fpir=self._settings.fpir)).at(templates).bands.match

    def _find(self, templates: int) -> OperatingPoint:
        settings, count = self._settings, max(1, templates)
        match, origin = self._match(count)
        uncertain = min(self._model.uncertain, match) if settings.uncertain_threshold is None else settings.uncertain_threshold
        if uncertain > match:
            raise ConfigError(f"identity.uncertain_threshold {uncertain} is above the match threshold {match}; lower it")
        fmr = None if self._impostors is None else self._impostors.fmr_at(match)
        return OperatingPoint(
            templates=templates,
            bands=Bands(match, uncertain),
            margin=settings.margin,
            fmr=fmr,
            fpir=None if fmr is None else fmr.per_search(count),
            wanted=settings.fpir,
            origin=origin,
        )

    def _match(self, count: int) -> tuple[float, Origin]:
        if self._settings.match_threshold is not None:
            return self._settings.match_threshold, "settings"
        if self._impostors is None:
            return self._model.match, "model"
        needed = _rounded_up(self._impostors.threshold_at(each_of(self._settings.fpir, count)))
        return (self._model.match, "model") if needed <= self._model.match else (needed, "gallery")


def any_of(rate: float, count: int) -> float:
    """1 - (1 - rate)^count: the chance of at least one among so many independent events."""
    return 1.0 if rate >= 1 else -math.expm1(count * math.log1p(-rate))


def each_of(rate: float, count: int) -> float:
    """1 - (1 - rate)^(1/count): the chance that each may have so that at least one happens with `rate`."""
    return -math.expm1(math.log1p(-rate) / count)


def _rounded_up(threshold: float) -> float:
    return min(1.0, round(math.ceil(round(threshold / THRESHOLD_STEP, 6)) * THRESHOLD_STEP, 4))


def _log(rate: float) -> float:
    return math.log10(max(rate, SMALLEST_RATE))


def _interpolate(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """Linear between the points, constant outside; xs rising."""
    at = bisect.bisect_right(xs, x)
    if at == 0:
        return ys[0]
    if at == len(xs):
        return ys[-1]
    share = (x - xs[at - 1]) / (xs[at] - xs[at - 1])
    return ys[at - 1] + share * (ys[at] - ys[at - 1])
