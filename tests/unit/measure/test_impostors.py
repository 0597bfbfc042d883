import numpy as np
import pytest

from blinkd.measure.impostors import BIN, RATES, impostor_figures


def faces(people: int, each: int, seed: int = 1, dimension: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(people, dimension)), each, axis=0)
    vectors = (centres + 0.3 * rng.normal(size=centres.shape)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.repeat(np.arange(people) * 3, each)


def test_every_pair_of_two_people_is_counted_once_and_each_rate_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blinkd.measure.impostors.BLOCK", 64)
    vectors, owners = faces(150, 2)
    found = impostor_figures(vectors, owners)
    scores = (vectors @ vectors.T)[np.triu(owners[:, None] != owners[None, :])]
    assert (found.people, found.pictures, found.pairs) == (150, 300, len(scores))
    for rate, threshold in zip(found.fmr, found.threshold, strict=True):
        assert np.mean(scores >= threshold) <= rate
        assert np.mean(scores >= threshold - 2 * BIN) > rate * 0.9 - 1 / len(scores)
    assert list(found.fmr) == [rate for rate in np.round(RATES, 9).tolist() if rate * len(scores) >= 4]
    assert all(lower <= rate <= upper for lower, rate, upper in zip(found.lower, found.fmr, found.upper, strict=True))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, owners = faces(60, 3)
    whole = impostor_figures(vectors, owners)
    monkeypatch.setattr("blinkd.measure.impostors.BLOCK", 17)
    parts = impostor_figures(vectors, owners)
    assert (parts.fmr, parts.threshold, parts.pairs) == (whole.fmr, whole.threshold, whole.pairs)
    assert parts.lower == pytest.approx(whole.lower)
    assert parts.upper == pytest.approx(whole.upper)


def test_people_with_many_pictures_make_the_bounds_wider_than_counting_pairs_would() -> None:
    few, many = impostor_figures(*faces(40, 1)), impostor_figures(*faces(40, 8))
    assert many.pairs > 50 * few.pairs
    at = many.fmr.index(0.01)
    spread = many.upper[at] - many.lower[at]
    as_if_independent = 2 * 1.96 * np.sqrt(0.01 * 0.99 / many.pairs)
    assert spread > 3 * as_if_independent


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        impostor_figures(*faces(5, 2))
