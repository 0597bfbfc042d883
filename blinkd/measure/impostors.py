"""The impostor score distribution of a model: how often two different people look alike to it, and how sure that is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BIN = 1e-4  # cosine; thresholds are found to within one bin, rounded up
BINS = int(2 / BIN) + 1
BLOCK = 1024  # pictures on each side of a block of scores: 4 MB at a time, however many pictures there are
RATES = tuple(mantissa * 10.0**-decade for decade in range(1, 7) for mantissa in (1.0, 0.5, 0.2))[:-2]  # 1e-1 … 1e-6
FEWEST = 4  # false matches that must be expected at a rate, or the data cannot show it
RESAMPLES = 500
SEED = 42
METHOD = (
    "95 % percentile interval of a bootstrap over people: each resample weights a pair by the product of how often its two people were "
    "drawn (the pigeonhole bootstrap: A. B. Owen, Annals of Applied Statistics 1(2), 2007), for cross pairs that share a person are not "
    "independent"
)

Vectors = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Progress = Callable[[range], Iterator[int]]


@dataclass(frozen=True, slots=True)
class ImpostorFigures:
    """What a manifest's impostor table holds: the rates that the data can show, falling, with threshold and bounds of each."""

    people: int
    pictures: int
    pairs: int
    fmr: tuple[float, ...]
    threshold: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """Scores of some pictures with some later ones; `cross` marks those of two different people, each pair once."""

    scores: npt.NDArray[np.float32]
    cross: npt.NDArray[np.bool_]
    rows: Labels
    columns: Labels


def impostor_figures(vectors: Vectors, people: Labels, progress: Progress = iter) -> ImpostorFigures:
    """Score every pair of pictures of two different people.

    vectors: float32 (N, D), unit length; people: int (N,), who each picture shows; progress: wraps the range of steps.
    Memory beside the vectors is bounded: one block of scores, and RESAMPLES weights a person. Raises ValueError when the pairs are too few
    to show two of RATES.
    """
    _, people = np.unique(people, return_inverse=True)
    starts = range(0, len(vectors), BLOCK)
    steps = progress(range(2 * len(starts)))
    counts = np.zeros(BINS, np.int64)
    for begin in starts:
        next(steps)
        for block in _blocks(vectors, people, begin):
            found = block.scores[block.cross].astype(np.float64)
            bins = np.clip(np.floor((found + 1) / BIN), 0, BINS - 1).astype(np.int64)
            counts += np.bincount(bins, minlength=BINS)
    pairs = int(counts.sum())
    fmr, threshold = _points(counts, pairs)
    weights = _weights(int(people.max()) + 1)
    hits = np.zeros((len(fmr), RESAMPLES))
    for begin in starts:
        next(steps)
        for block in _blocks(vectors, people, begin):
            hits += _weighted_hits(block, weights, threshold)
    sizes = np.bincount(people)
    drawn, own = weights @ sizes, (weights**2) @ (sizes.astype(np.float64) ** 2)
    rates = hits / ((drawn.astype(np.float64) ** 2 - own) / 2)
    lower, upper = np.percentile(rates, [2.5, 97.5], axis=1)
    for _ in steps:  # none is left; the bar is told so
        pass
    return ImpostorFigures(
        people=len(sizes),
        pictures=len(vectors),
        pairs=pairs,
        fmr=tuple(fmr),
        threshold=tuple(threshold),
        lower=tuple(float(value) for value in lower),
        upper=tuple(float(value) for value in upper),
    )


def _blocks(vectors: Vectors, people: Labels, begin: int) -> Iterator[_Block]:
    rows = slice(begin, begin + BLOCK)
    for other in range(begin, len(vectors), BLOCK):
        columns = slice(other, other + BLOCK)
        cross = people[rows, None] != people[None, columns]
        if other == begin:
            cross = np.triu(cross)
        yield _Block(vectors[rows] @ vectors[columns].T, cross, people[rows], people[columns])


def _points(counts: npt.NDArray[np.int64], pairs: int) -> tuple[list[float], list[float]]:
    """For each rate the lowest bin edge at or above which no larger share of the scores lies."""
    at_or_above = np.cumsum(counts[::-1])[::-1]
    fmr: list[float] = []
    threshold: list[float] = []
    for rate in RATES:
        edge = round(int(np.argmax(at_or_above <= rate * pairs)) * BIN - 1, 4)
        if rate * pairs >= FEWEST and (not threshold or edge > threshold[-1]):
            fmr.append(float(f"{rate:.1e}"))
            threshold.append(edge)
    if len(fmr) < 2:
        raise ValueError(f"{pairs} pairs of different people are too few; {round(FEWEST / RATES[1])} are needed at least")
    return fmr, threshold


def _weights(people: int) -> npt.NDArray[np.float32]:
    """How often each person is drawn in each resample: float32 (RESAMPLES, people)."""
    chance = np.random.default_rng(SEED)
    drawn = np.empty((RESAMPLES, people), np.float32)
    for row in drawn:
        row[:] = np.bincount(chance.integers(0, people, people), minlength=people)
    return drawn


def _weighted_hits(block: _Block, weights: npt.NDArray[np.float32], threshold: list[float]) -> npt.NDArray[np.float64]:
    """Weighted number of false matches in a block: float64 (thresholds, resamples)."""
    left, right = weights[:, block.rows], weights[:, block.columns]
    found = np.zeros((len(threshold), RESAMPLES))
    for number, limit in enumerate(threshold):
        hits = block.cross & (block.scores >= limit)
        if not hits.any():
            break  # thresholds rise
        found[number] = np.sum((left @ hits.astype(np.float32)) * right, axis=1, dtype=np.float64)
    return found
