import numpy as np
import pytest

from blinkd.identity.gallery import Gallery
from blinkd.identity.matcher import Bands, Matcher, fuse, identify
from blinkd.identity.thresholds import ImpostorScores, ThresholdRule
from blinkd.settings import IdentitySettings

BANDS = Bands(match=0.6, uncertain=0.4)
E0, E1 = np.eye(4, dtype=np.float32)[:2]


def at(similarity: float) -> np.ndarray:
    return (similarity * E0 + np.sqrt(1 - similarity**2) * E1).astype(np.float32)


@pytest.mark.parametrize(
    ("similarity", "verdict", "person"),
    [(0.61, "match", "ana"), (0.59, "uncertain", "ana"), (0.41, "uncertain", "ana"), (0.39, "unknown", None), (-0.5, "unknown", None)],
)
def test_the_bands_decide_and_an_unknown_face_gets_no_name(similarity: float, verdict: str, person: str | None) -> None:
    found = identify(at(similarity), Gallery(4, [("ana", E0)]), BANDS)
    assert (found.verdict, found.person_id) == (verdict, person)
    assert found.threshold == 0.6


def test_the_thresholds_themselves_belong_to_the_upper_band() -> None:
    assert BANDS.verdict(0.6) == "match"
    assert BANDS.verdict(0.4) == "uncertain"


def test_an_empty_gallery_gives_unknown() -> None:
    assert identify(E0, Gallery(4), BANDS).verdict == "unknown"


def test_fusing_gives_the_unit_vector_between() -> None:
    assert np.linalg.norm(fuse([E0, E1])) == pytest.approx(1, abs=1e-6)
    assert float(fuse([E0, E1]) @ E0) == pytest.approx(float(fuse([E0, E1]) @ E1))


def test_a_match_that_hardly_leads_the_next_person_is_uncertain_and_still_names_the_nearer_one() -> None:
    gallery = Gallery(4, [("ana", E0), ("bea", at(0.97))])
    assert identify(E0, gallery, BANDS, margin=0.05).verdict == "uncertain"
    assert identify(E0, gallery, BANDS, margin=0.05).person_id == "ana"
    assert identify(E0, gallery, BANDS, margin=0.02).verdict == "match"


def test_several_templates_of_one_person_do_not_stand_in_each_others_way() -> None:
    assert identify(E0, Gallery(4, [("ana", E0), ("ana", at(0.99))]), BANDS, margin=0.05).verdict == "match"


def test_the_bands_of_a_matcher_follow_the_gallery_as_it_grows_and_shrinks() -> None:
    scores = ImpostorScores((1e-2, 1e-4), (0.3, 0.5), (1e-2, 1e-4), (1e-2, 1e-4))
    gallery = Gallery(4)
    matcher = Matcher(gallery, ThresholdRule(Bands(0.45, 0.4), scores, IdentitySettings(fpir=0.001)))
    assert matcher.bands.match == 0.45
    for _ in range(10):
        gallery.add("ana", E1)
    assert matcher.bands.match == pytest.approx(0.5, abs=0.001)
    assert matcher.identify(at(0.1)).threshold == matcher.bands.match
    gallery.remove("ana")
    assert matcher.bands.match == 0.45
