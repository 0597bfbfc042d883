from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from blinkd.identity.gallery import Gallery
from blinkd.identity.matcher import Matcher
from blinkd.identity.thresholds import Bands, ThresholdRule
from blinkd.measure.collection import Subject, read_collection
from blinkd.measure.identification import Identification, Roles, cast_roles, identification
from blinkd.measure.plot import plot_det
from blinkd.settings import IdentitySettings
from tests.unit.measure.portraits import FakePortraits, folder_of

BANDS = Bands(0.9, 0.5)


def plain(people: Iterable[Subject]) -> Iterator[Subject]:
    yield from people


def matcher_of(gallery: Gallery) -> Matcher:
    return Matcher(gallery, ThresholdRule(BANDS, None, IdentitySettings()))


def run(roles: Roles, enrol: int = 1, fused: int = 1) -> tuple[Identification, FakePortraits]:
    portraits = FakePortraits()
    return identification(roles, enrol, portraits, matcher_of, plain, fused), portraits  # type: ignore[arg-type]


def crowd(root: Path, count: int, each: int) -> Path:
    return folder_of(root, **{f"p{number:03d}": [f"p{number:03d} {which}" for which in range(each)] for number in range(count)})


def test_people_with_too_few_pictures_and_a_seeded_share_of_the_rest_are_strangers(tmp_path: Path) -> None:
    crowd(tmp_path, 20, 3)
    folder_of(tmp_path, one=["one 1"], two=["two 1", "two 2"])
    collection = read_collection(tmp_path)
    roles = cast_roles(collection, 2, 0.25, seed=7)
    assert {"one", "two"} <= {person.name for person in roles.strangers}
    assert len(roles.strangers) == 2 + 5
    assert {person.name for person in roles.enrolled} | {person.name for person in roles.strangers} == {
        one.name for one in collection.people
    }
    assert roles == cast_roles(collection, 2, 0.25, seed=7)
    assert roles != cast_roles(collection, 2, 0.25, seed=8)


def test_everybody_is_found_and_no_stranger_is_taken_for_anybody(tmp_path: Path) -> None:
    roles = cast_roles(read_collection(crowd(tmp_path, 30, 3)), 1, 0.5, seed=1)
    found, portraits = run(roles)
    assert (found.people, found.strangers, found.point.templates) == (15, 15, 15)
    assert (found.rank1.count, found.rank1.n) == (30, 30)
    assert (found.fnir.count, found.fpir.count, found.fpir.n, found.as_other) == (0, 0, 45, 0)
    assert not found.fpir_shown, "45 strangers cannot show one in a thousand"
    assert found.fpir.upper > 0.05
    assert set(found.targets) == {"1e-1"}
    assert len(portraits.opened) == len(set(portraits.opened)) == 90, "every picture is read once"


def test_refused_pictures_are_replaced_at_enrolment_and_whoever_has_too_few_left_becomes_a_stranger(tmp_path: Path) -> None:
    folder_of(tmp_path, ann=["- a", "ann 1", "ann 2", "- b"], bob=["- c", "- d"], cyd=["cyd 1", "- 2", "- 3"], dan=["dan 1", "dan 2"])
    found, portraits = run(cast_roles(read_collection(tmp_path), 1, 0.0, seed=1))
    assert (found.people, found.strangers) == (3, 1)
    assert found.rank1.n == 2
    assert (found.fpir.n, found.fpir.value, found.fpir_shown) == (0, None, False)
    assert found.det == ()
    assert len(portraits.refused) == 6

    found, _ = run(cast_roles(read_collection(tmp_path), 2, 0.0, seed=1), enrol=2)
    assert found.people == 1, "ann; of cyd one picture was left, too few for two"
    assert found.fpir.n == 1 + 2, "cyd's one and dan's two are strangers' probes"


def test_a_probe_that_is_nearer_to_somebody_else_is_missed_and_counted_as_taken_for_them(tmp_path: Path) -> None:
    folder_of(tmp_path, ann=["ann 1", "ann 2"], bob=["bob 1", "ann 7"])
    found, _ = run(cast_roles(read_collection(tmp_path), 1, 0.0, seed=1))
    assert (found.rank1.count, found.rank1.n) == (1, 2)
    assert (found.fnir.count, found.as_other) == (1, 1)


def test_the_trade_off_falls_from_end_to_end_and_no_point_claims_more_than_was_counted(tmp_path: Path) -> None:
    roles = cast_roles(read_collection(crowd(tmp_path, 40, 4)), 1, 0.5, seed=1)
    found, _ = run(roles)
    fpir, fnir = [point.fpir for point in found.det], [point.fnir for point in found.det]
    assert fpir[0] == 0.0
    assert fpir == sorted(fpir)
    assert fnir == sorted(fnir, reverse=True)
    assert all(abs(value * 80 - round(value * 80)) < 1e-9 for value in fpir)
    assert [point.threshold for point in found.det] == sorted((point.threshold for point in found.det), reverse=True)


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    roles = cast_roles(read_collection(crowd(tmp_path / "people", 12, 3)), 1, 0.5, seed=1)
    found, _ = run(roles)
    plot_det(found.det, (0.0, 0.1), "a title", tmp_path / "det.png")
    from blinkd.capture.pictures import read_picture

    assert read_picture(tmp_path / "det.png").std() > 10
    from blinkd.errors import MediaError

    with pytest.raises(MediaError, match="cannot be written"):
        plot_det(found.det, None, "a title", tmp_path / "gone" / "det.png")


def test_a_gallery_of_nobody_is_no_crash(tmp_path: Path) -> None:
    folder_of(tmp_path, ann=["- 1", "- 2"], bob=["bob 1"])
    found, _ = run(cast_roles(read_collection(tmp_path), 1, 0.0, seed=1))
    assert found.point.templates == 0
    assert found.fpir.count == 0
    assert np.isclose(found.fpir.n, 1)


def test_fused_pictures_make_one_probe_and_what_is_left_over_none(tmp_path: Path) -> None:
    roles = cast_roles(read_collection(crowd(tmp_path, 8, 6)), 1, 0.5, seed=1)
    found, _ = run(roles, fused=2)
    assert found.rank1.n == 4 * 2, "five pictures are left of each: two pairs"
    assert found.fpir.n == 4 * 3
    assert found.rank1.count == found.rank1.n
