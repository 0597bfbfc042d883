import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.measure.intervals import clopper_pearson
from blinkd.measure.verification import threshold_at, verification


def test_separable_scores_give_perfect_figures() -> None:
    scores = np.concatenate([np.linspace(0.6, 0.9, 2000), np.linspace(-0.2, 0.4, 2000)])
    same = np.arange(4000) < 2000
    figures = verification(scores, same)
    assert figures.accuracy == 1.0
    assert figures.auc == 1.0
    assert figures.tar == {"1e-2": 1.0, "1e-3": 1.0}


def test_coin_flips_give_half() -> None:
    rng = np.random.default_rng(0)
    figures = verification(rng.uniform(size=4000), np.arange(4000) % 2 == 0)
    assert figures.auc == pytest.approx(0.5, abs=0.03)
    assert figures.accuracy == pytest.approx(0.5, abs=0.03)


def test_a_rate_that_the_data_cannot_show_is_left_out() -> None:
    figures = verification(np.array([0.9, 0.8, 0.1, 0.2]), np.array([True, True, False, False]))
    assert figures.tar == {}


def test_one_kind_of_pair_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="genuine and impostor"):
        verification(np.array([0.1, 0.2]), np.array([True, True]))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=300), st.sampled_from([0.0, 1e-3, 1e-2, 0.1, 0.5]))
def test_the_false_match_rate_at_the_threshold_never_exceeds_what_was_asked(values: list[float], rate: float) -> None:
    impostor = np.sort(np.array(values))
    assert np.mean(impostor >= threshold_at(impostor, rate)) <= rate


@given(st.integers(0, 2**32 - 1))
def test_auc_equals_counting_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, 40).astype(float)
    same = np.arange(40) % 2 == 0
    wanted = np.mean([(g > i) + 0.5 * (g == i) for g in scores[same] for i in scores[~same]])
    assert verification(scores, same).auc == pytest.approx(wanted)


def test_true_accept_rates_come_with_the_exact_interval_of_the_genuine_pairs() -> None:
    genuine, impostor = np.linspace(0.5, 1.0, 200), np.linspace(-0.2, 0.52, 1000)
    figures = verification(np.concatenate([genuine, impostor]), np.arange(1200) < 200)
    assert set(figures.tar_interval) == set(figures.tar) == {"1e-2", "1e-3"}
    for rate, (lower, upper) in figures.tar_interval.items():
        accepted = round(figures.tar[rate] * 200)
        assert (lower, upper) == clopper_pearson(accepted, 200)
        assert lower < figures.tar[rate] < upper


def test_ten_thousand_impostors_show_a_rate_of_one_in_ten_thousand() -> None:
    figures = verification(np.concatenate([np.full(50, 0.9), np.linspace(-0.2, 0.5, 10_000)]), np.arange(10_050) < 50)
    assert figures.tar["1e-4"] == 1.0
    assert figures.tar_interval["1e-4"] == pytest.approx((0.025 ** (1 / 50), 1.0))
