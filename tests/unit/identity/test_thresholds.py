import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blinkd.errors import ConfigError
from blinkd.identity.thresholds import Bands, ImpostorScores, ThresholdRule, any_of, each_of
from blinkd.models.manifest import ImpostorTable, Manifest, default_models_dir
from blinkd.settings import IdentitySettings

FMR = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
SCORES = ImpostorScores(
    FMR, (0.20, 0.35, 0.45, 0.53, 0.60, 0.64), (*(rate * 0.5 for rate in FMR[:-1]), 0.0), tuple(rate * 2 for rate in FMR)
)
MODEL = Bands(0.60, 0.40)


def rule(scores: ImpostorScores | None = SCORES, **wanted: float) -> ThresholdRule:
    return ThresholdRule(MODEL, scores, IdentitySettings(**wanted))


@pytest.mark.parametrize(("fmr", "threshold"), list(zip(SCORES.fmr, SCORES.threshold, strict=True)))
def test_the_points_of_the_table_are_met_in_both_directions(fmr: float, threshold: float) -> None:
    assert SCORES.threshold_at(fmr) == pytest.approx(threshold)
    found = SCORES.fmr_at(threshold)
    assert found.value == pytest.approx(fmr)
    assert found.lower <= found.value <= found.upper
    assert not found.extrapolated


def test_between_two_points_the_logarithm_is_interpolated() -> None:
    assert SCORES.threshold_at(math.sqrt(1e-3 * 1e-4)) == pytest.approx(0.49)
    assert SCORES.fmr_at(0.49).value == pytest.approx(math.sqrt(1e-3 * 1e-4))


def test_beyond_the_table_the_mean_slope_of_the_last_two_decades_goes_on_and_says_so() -> None:
    slope = 2 / (0.64 - 0.53)
    found = SCORES.fmr_at(0.70)
    assert found.value == pytest.approx(1e-6 * 10 ** (-slope * 0.06))
    assert found.extrapolated
    assert found.lower == 0.0, "the table's end has no lower bound"
    assert found.upper > 2e-6 * 10 ** (-slope * 0.06), "the slope itself is uncertain"
    assert SCORES.threshold_at(found.value) == pytest.approx(0.70)


def test_no_threshold_is_above_the_highest_cosine() -> None:
    assert SCORES.threshold_at(1e-25) == 1.0


def test_below_the_table_hardly_anything_is_claimed() -> None:
    assert SCORES.threshold_at(0.5) == 0.20
    assert SCORES.fmr_at(0.0).upper == 1.0
    assert SCORES.fmr_at(0.0).extrapolated


@given(st.floats(1e-12, 0.5), st.floats(1e-12, 0.5))
def test_a_rarer_false_match_never_needs_a_lower_threshold(one: float, other: float) -> None:
    rarer, commoner = sorted((one, other))
    assert SCORES.threshold_at(rarer) >= SCORES.threshold_at(commoner)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_higher_threshold_never_has_a_higher_rate_nor_bounds_that_miss_it(one: float, other: float) -> None:
    low, high = SCORES.fmr_at(min(one, other)), SCORES.fmr_at(max(one, other))
    assert high.value <= low.value * (1 + 1e-9)
    for found in (low, high):
        assert found.lower <= found.value * (1 + 1e-9)
        assert found.upper >= found.value * (1 - 1e-9)


@given(st.floats(1e-9, 0.5), st.integers(1, 100_000))
def test_the_rate_for_one_comparison_gives_back_the_rate_for_all_and_lies_by_the_union_bound(rate: float, count: int) -> None:
    each = each_of(rate, count)
    assert any_of(each, count) == pytest.approx(rate)
    assert rate / count <= each * (1 + 1e-9)
    assert each <= rate / count * (1 + rate)


def test_a_small_gallery_keeps_the_models_own_band_and_a_large_one_raises_it() -> None:
    small, large = rule().at(100), rule().at(1000)
    assert (small.bands, small.origin) == (MODEL, "model")
    assert large.bands == Bands(0.64, 0.40)
    assert large.origin == "gallery"


@given(st.integers(0, 1_000_000), st.sampled_from([1e-4, 1e-3, 1e-2]))
def test_the_expected_false_identifications_never_exceed_what_was_asked(templates: int, fpir: float) -> None:
    point = rule(fpir=fpir).at(templates)
    assert point.fpir is not None
    assert point.fpir.value <= fpir * 1.001
    assert point.bands.match >= MODEL.match


def test_a_threshold_in_the_settings_wins_and_what_it_stands_for_is_told() -> None:
    chosen = rule(match_threshold=0.5)
    point = chosen.at(1000)
    assert (point.bands.match, point.origin) == (0.5, "settings")
    assert point.fpir is not None
    assert point.fpir.value > 100 * point.wanted
    assert chosen.without_override(1000) == 0.64


def test_a_model_whose_scores_were_never_measured_keeps_its_bands_and_claims_no_rate() -> None:
    point = rule(None).at(100_000)
    assert (point.bands, point.fmr, point.fpir) == (MODEL, None, None)


def test_the_uncertain_band_never_begins_above_the_match() -> None:
    assert rule(match_threshold=0.3).at(1).bands == Bands(0.3, 0.3)
    with pytest.raises(ConfigError, match="uncertain_threshold"):
        rule(uncertain_threshold=0.7)


@pytest.mark.parametrize("rows", [((1e-1,), (0.2,), (0.1,), (0.1,)), ((1e-1, 1e-2), (0.2,), (0.1, 0.1), (0.1, 0.1))])
def test_a_table_that_is_no_curve_is_refused(rows: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(ValueError, match="two points"):
        ImpostorScores(*rows)


TABLE = {"data": "d", "method": "m", "people": 9, "pictures": 9, "pairs": 36, "lower": (0, 0), "upper": (1, 1)}


@pytest.mark.parametrize(
    ("fmr", "threshold", "message"),
    [((0.1, 0.01), (0.2,), "same length"), ((0.1, 0.2), (0.2, 0.3), "must fall"), ((0.1, 0.01), (0.3, 0.3), "must fall")],
)
def test_a_table_of_the_manifest_must_be_a_curve(fmr: tuple[float, ...], threshold: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImpostorTable(**TABLE, fmr=fmr, threshold=threshold)  # type: ignore[arg-type]
    assert ImpostorTable(**TABLE, fmr=(0.1, 0.01), threshold=(0.2, 0.3)).pairs == 36  # type: ignore[arg-type]


def test_the_tables_that_come_with_the_program_agree_with_the_accuracy_measured_beside_them() -> None:
    compared = 0
    for entry in Manifest.load(default_models_dir()).models.values():
        for precision, table in entry.impostor.items():
            scores = ImpostorScores(table.fmr, table.threshold, table.lower, table.upper)
            for rate, threshold in entry.measured[precision].threshold.items():
                assert scores.threshold_at(float(rate)) == pytest.approx(threshold, abs=0.005)
                compared += 1
    assert compared >= 8
