import numpy as np
import pytest

from blinkd.identity.gallery import Gallery
from blinkd.identity.matcher import Bands, fuse, identify

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
