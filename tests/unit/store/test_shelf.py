"""Templates of several models side by side, and which of them are refused."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blinkd.attendance.punch import PersonStatus
from blinkd.errors import EnrolmentRefused
from blinkd.identity.grounds import Grounds
from blinkd.store.database import Store
from blinkd.vision.face import Embedding
from tests.unit.store.stores import MODEL, QUICK, Sample, open_store, rows, sample, vector

SPARE = "sface@1"


def both(seed: int) -> Sample:
    return Sample({MODEL: vector(seed), SPARE: vector(seed, 128)})


def spoilt(index: int, value: float) -> Embedding:
    made = vector(1).copy()
    made[index] = value
    return made


BAD = {
    "a NaN": spoilt(5, math.nan),
    "infinity": spoilt(0, math.inf),
    "not of unit length": 1.01 * vector(1),
    "nothing": np.zeros(192, np.float32),
    "another dimension": vector(1, 128),
    "no numbers at all": np.zeros(0, np.float32),
    "a matrix": vector(1).reshape(1, -1),
}


@pytest.mark.parametrize("name", BAD)
def test_a_vector_that_is_no_template_is_refused_and_nothing_of_the_person_stays(tmp_path: Path, name: str) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-0", "Zoe", [sample(0)])
        bad = replace(sample(1), vectors={MODEL: BAD[name]}, source="bad.jpg")
        with pytest.raises(EnrolmentRefused, match=rf"bad\.jpg: the template by {MODEL}.*models verify") as refused:
            store.people.enrol("E-1", "Ann", [sample(2), bad])
        assert refused.value.reason == "bad_vector"
        assert store.people.find("E-1") is None
        for change in (store.people.add_templates, partial(store.people.replace_templates, grounds=Grounds())):
            with pytest.raises(EnrolmentRefused):
                change("E-0", [bad])
        assert [template.vector.tolist() for template in store.people.templates(MODEL)] == [vector(0).tolist()]
        assert len(store.people.enrolments("E-0")) == 1


def test_the_first_template_of_a_model_sets_its_dimension(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(EnrolmentRefused, match="128 numbers are wanted"):
            store.people.enrol("E-1", "Ann", [sample(1, 128), sample(2, 192)])
        store.people.enrol("E-1", "Ann", [both(1)])
        with pytest.raises(EnrolmentRefused, match="192 numbers are wanted"):
            store.people.add_templates("E-1", [sample(2, 128)])


@given(seed=st.integers(0, 10_000), scale=st.floats(0.5, 1.5))
@settings(max_examples=25)
def test_only_unit_length_passes(tmp_path_factory: pytest.TempPathFactory, seed: int, scale: float) -> None:
    with open_store(tmp_path_factory.mktemp("shelf")) as store:
        given_one = replace(sample(seed), vectors={MODEL: np.float32(scale) * vector(seed)})
        try:
            store.people.enrol("E-1", "Ann", [given_one])
        except EnrolmentRefused:
            assert abs(scale - 1) > 0.9e-3
        else:
            assert abs(scale - 1) < 1.1e-3


def test_one_row_a_model_but_one_template_a_moment(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        person = store.people.enrol("E-1", "Ann", [both(1), replace(both(2), view="left", label="glasses", quality=0.5, source="b.jpg")])
        assert person.templates == 2
        assert [one.templates for one in store.people.all()] == [2]
        assert store.people.count_templates() == 4
    assert rows(tmp_path, "SELECT count(DISTINCT moment) FROM templates") == [(2,)]
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        first, second = store.people.moments("E-1")
        assert (first.view, first.label, first.models) == ("front", "", (MODEL, SPARE))
        assert (second.view, second.label, second.quality, second.source) == ("left", "glasses", 0.5, "b.jpg")
        for model, dimension in ((MODEL, 192), (SPARE, 128)):
            for template, seed in zip(store.people.templates(model), (1, 2), strict=True):
                np.testing.assert_array_equal(template.vector, vector(seed, dimension))
    with open_store(tmp_path) as store:
        assert store.people.erase("E-1", keep_id=True).templates == 2


def test_who_must_be_enrolled_again_after_a_change_of_model(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.people.lacking(SPARE) == set()
        store.people.enrol("E-1", "Ann", [both(1)])
        store.people.enrol("E-2", "Bo", [sample(2)])
        store.people.enrol("E-3", "Kim", [])
        assert store.people.lacking(MODEL) == {"E-3"}
        assert store.people.lacking(SPARE) == {"E-2", "E-3"}
        store.people.add_templates("E-2", [both(3)])
        assert store.people.lacking(SPARE) == {"E-3"}


def test_a_model_is_complete_when_it_knows_every_active_person_whom_any_model_knows(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.people.models_complete() == set()
        store.people.enrol("E-0", "Zoe", [])
        assert store.people.models_complete() == set()
        store.people.enrol("E-1", "Ann", [both(1)])
        assert store.people.models_complete() == {MODEL, SPARE}
        store.people.enrol("E-2", "Bo", [sample(2)])
        assert store.people.models_complete() == {MODEL}
        store.people.set_status("E-2", PersonStatus.DEACTIVATED)
        assert store.people.models_complete() == {MODEL, SPARE}
        store.people.set_status("E-2", PersonStatus.ACTIVE)
        store.people.enrol("E-4", "Lee", [sample(4, 128, SPARE)])
        assert store.people.models_complete() == set()


@given(known=st.dictionaries(st.integers(0, 4), st.sets(st.sampled_from(["a", "b", "c"])), max_size=5))
@settings(max_examples=25)
def test_under_a_complete_model_nobody_with_a_template_is_lacking(
    tmp_path_factory: pytest.TempPathFactory, known: dict[int, set[str]]
) -> None:
    with open_store(tmp_path_factory.mktemp("shelf")) as store:
        for number, models in known.items():
            store.people.enrol(f"E-{number}", "Ann", [Sample({model: vector(number, 8) for model in models})] if models else [])
        has_any = {f"E-{number}" for number, models in known.items() if models}
        for model in "abc":
            assert (model in store.people.models_complete()) == (bool(has_any) and not has_any & store.people.lacking(model))
