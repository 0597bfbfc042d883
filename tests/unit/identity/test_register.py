"""What is compared before templates are taken in, and what is kept of the decision; people and gallery are real, faces are vectors."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from blinkd.errors import EnrolmentRefused, UnknownPerson
from blinkd.identity.enrolment import NewTemplate
from blinkd.identity.gallery import Gallery
from blinkd.identity.matcher import Bands
from blinkd.identity.register import Register
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.database import Store
from tests.unit.store.stores import open_store

MODEL, OTHER = "in-force", "spare"
BANDS = Bands(match=0.6, uncertain=0.4)


def near(number: int, similarity: float = 1.0, source: str = "a.jpg") -> NewTemplate:
    """A face of the person on that axis: with templates made by similarity 1 it has this cosine."""
    vector = np.zeros(16, np.float32)
    vector[number], vector[number + 8] = similarity, np.sqrt(1 - similarity**2)
    return NewTemplate({MODEL: vector, OTHER: np.eye(3, dtype=np.float32)[0]}, 0.8, source, "front")


@dataclass
class Office:
    """Where people are enrolled."""

    store: Store
    gallery: Gallery
    book: Register

    def records(self, person_id: str) -> list[dict[str, object]]:
        return self.store.people.enrolments(person_id)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with open_store(tmp_path) as store:
        gallery = Gallery(16)
        book = Register(store.people, gallery, BANDS, MODEL)
        book.enrol("Ann", "A", [near(0)])
        yield Office(store, gallery, book)


def test_a_lookalike_is_refused_with_who_it_is_and_how_alike(office: Office) -> None:
    with pytest.raises(EnrolmentRefused, match=r"looks like 'Ann' \(id A\), similarity 0.70") as refused:
        office.book.enrol("Bo", "B", [near(0, 0.7)])
    assert refused.value.reason == "duplicate"
    assert refused.value.details == {"lookalike": {"person_id": "A", "name": "Ann", "similarity": 0.7}}
    assert office.store.people.find("B") is None
    assert len(office.gallery) == 1


def test_a_lookalike_that_is_allowed_is_kept_with_the_person(office: Office) -> None:
    office.book.enrol("Bo", "B", [near(0, 0.7)], allow_duplicate=True)
    (record,) = office.records("B")
    assert (record["kind"], record["decision"]) == ("new", "allowed")
    assert record["lookalike"] == {"person_id": "A", "name": "Ann", "similarity": 0.7}
    office.store.people.erase("A", keep_id=True)
    assert office.records("B")[0]["lookalike"] == {"person_id": None, "name": None, "similarity": 0.7}, (
        "the person is erased, the decision stays"
    )


def test_nothing_to_decide_is_recorded_as_such(office: Office) -> None:
    (record,) = office.records("A")
    assert (record["decision"], record["lookalike"], record["own_similarity"], record["consent"]) == ("none_needed", None, None, None)
    assert (record["moments"], record["replaced"]) == (1, 0)


def test_more_templates_of_the_same_person_are_recorded_with_their_similarity(office: Office) -> None:
    office.book.add("A", [near(0, 0.9), near(0, 0.5)], consent="by word")
    record = office.records("A")[-1]
    assert (record["kind"], record["decision"], record["own_similarity"], record["consent"]) == ("added", "same_person", 0.5, "by word")
    assert len(office.gallery) == 3


def test_a_strange_face_is_added_only_by_decision_which_is_kept(office: Office) -> None:
    with pytest.raises(EnrolmentRefused) as refused:
        office.book.add("A", [near(1)])
    assert refused.value.reason == "several_people"
    office.book.add("A", [near(1)], allow_duplicate=True)
    assert office.records("A")[-1]["decision"] == "allowed"
    assert office.records("A")[-1]["own_similarity"] == 0


def test_templates_are_refreshed_with_consent_in_store_and_gallery(office: Office) -> None:
    before = list(office.store.people.templates(OTHER))
    office.book.refresh("A", [near(0, 0.8), near(0, 0.7)], consent="  signed\nform 12 ")
    record = office.records("A")[-1]
    assert (record["kind"], record["moments"], record["replaced"], record["consent"]) == ("refreshed", 2, 1, "signed form 12")
    assert (record["decision"], record["own_similarity"]) == ("same_person", 0.7)
    assert office.store.people.get("A").templates == 2
    assert len(office.gallery) == 2
    assert office.gallery.similarity("A", near(0).vectors[MODEL]) == pytest.approx(0.8)
    assert (len(before), len(list(office.store.people.templates(OTHER)))) == (1, 2), "of every model"


@pytest.mark.parametrize("consent", [None, "", " \n"])
def test_nothing_is_refreshed_without_consent(office: Office, consent: str | None) -> None:
    with pytest.raises(EnrolmentRefused, match=r"'Ann'.*--consent") as refused:
        office.book.refresh("A", [near(0)], consent=consent)
    assert refused.value.reason == "no_consent"
    assert len(office.records("A")) == 1


@pytest.mark.parametrize(("similarity", "said"), [(0.39, "does not look like"), (0.45, "not surely the person")])
def test_a_refresh_must_match_the_person_not_only_be_close(office: Office, similarity: float, said: str) -> None:
    with pytest.raises(EnrolmentRefused, match=said) as refused:
        office.book.refresh("A", [near(0, similarity)], consent="form 12")
    assert refused.value.reason == "several_people"
    assert office.gallery.similarity("A", near(0).vectors[MODEL]) == pytest.approx(1), "what was there stays"
    office.book.refresh("A", [near(0, similarity)], consent="form 12", allow_duplicate=True)
    assert office.records("A")[-1]["decision"] == "allowed"


def test_a_refresh_with_somebody_elses_face_is_refused_naming_them(office: Office) -> None:
    office.book.enrol("Bo", "B", [near(1)])
    with pytest.raises(EnrolmentRefused, match="'Bo'") as refused:
        office.book.refresh("A", [near(1)], consent="form 12")
    assert refused.value.details["lookalike"] == {"person_id": "B", "name": "Bo", "similarity": 1.0}


def test_nobody_can_be_added_to_or_refreshed(office: Office) -> None:
    for attempt in (lambda: office.book.add("Z", [near(2)]), lambda: office.book.refresh("Z", [near(2)], consent="form")):
        with pytest.raises(UnknownPerson, match="'Z'"):
            attempt()


def test_people_without_a_template_of_the_model_in_force_may_be_refreshed(office: Office) -> None:
    office.store.people.enrol("C", "Kim", [])
    office.book.refresh("C", [near(3)], consent="form 3")
    record = office.records("C")[-1]
    assert (record["own_similarity"], record["decision"], record["replaced"]) == (None, "none_needed", 0)
    with pytest.raises(EnrolmentRefused, match="'Kim'"):
        office.book.enrol("Lee", "L", [near(3)])


def test_a_face_that_another_process_has_just_enrolled_is_found(tmp_path: Path) -> None:
    parts = Parts(Settings(state_dir=tmp_path))
    vectors = {parts.model_id: np.eye(parts.embedder.dimension, dtype=np.float32)[0]}
    face = NewTemplate(vectors, 0.8, "a.jpg", "front")
    with parts.open_store() as mine, parts.open_store() as theirs:
        here, there = parts.register(mine), parts.register(theirs)
        there.enrol("Ann", "A", [face])
        with pytest.raises(EnrolmentRefused, match="'Ann'"):
            here.enrol("Bo", "B", [face])
        theirs.people.erase("A", keep_id=True)
        assert here.enrol("Bo", "B", [face]).id == "B"
        with pytest.raises(EnrolmentRefused, match="'Bo'"):
            there.enrol("Kim", "K", [face])
