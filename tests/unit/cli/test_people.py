"""The verbs people …: what they tell of templates, enrolments, and of a change of model. Templates are made of numbers."""

from pathlib import Path

import pytest

from blinkd.identity.grounds import Grounds
from blinkd.settings import StoreSettings
from blinkd.store.database import Store
from tests.integration.faces.commands import Answer, blinkd
from tests.unit.store.stores import Sample, vector

FAST, ACCURATE = "mobilefacenet", "sface"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Ann, known to both models and looking like Bo, who is known to one."""
    folder = tmp_path / "state"
    with Store.open(folder, StoreSettings()) as store:
        store.people.enrol("B", "Bo", [Sample({FAST: vector(1)}, view="left", label="glasses", source="bo.jpg")], Grounds(consent="form 7"))
        both = Sample({FAST: vector(2), ACCURATE: vector(2, 128)})
        store.people.enrol("A", "Ann", [both], Grounds(lookalike_id="B", lookalike_similarity=0.71, decision="allowed"))
    return folder


def people(*arguments: str, state: Path, model: str = FAST) -> Answer:
    done = blinkd("people", *arguments, state=state, BLINKD_VISION__EMBEDDER=model, COLUMNS="200")
    assert done.code == 0, done.err
    return done


def test_the_list_counts_moments_and_says_who_must_be_enrolled_again(state: Path) -> None:
    listed = people("list", "--json", state=state).json
    assert [(one["id"], one["templates"], one["needs_enrolment"]) for one in listed] == [("A", 1, False), ("B", 1, False)]
    assert "enrol" not in people("list", state=state).out.replace("enrolled", "")
    changed = people("list", "--json", state=state, model=ACCURATE).json
    assert [(one["id"], one["templates"], one["needs_enrolment"]) for one in changed] == [("A", 1, False), ("B", 1, True)]
    words = people("list", state=state, model=ACCURATE).out
    assert "1 (enrol again)" in words
    assert "1 must be enrolled again: no template of theirs was made by sface" in words


def test_a_simulated_embedder_knows_nobody_who_was_enrolled_for_real(state: Path) -> None:
    done = blinkd("people", "list", "--json", state=state, BLINKD_VISION__EMBEDDER=FAST, BLINKD_VISION__PRECISION="simulated")
    assert [one["needs_enrolment"] for one in done.json] == [True, True]


def test_a_model_that_does_not_exist_is_an_error_not_a_gallery_of_strangers(state: Path) -> None:
    done = blinkd("people", "list", state=state, BLINKD_VISION__EMBEDDER="nonsense")
    assert (done.code, done.out) == (1, "")
    assert "nonsense" in done.err
    assert FAST in done.err


def test_show_tells_view_label_and_models_of_each_template(state: Path) -> None:
    bo = people("show", "B", "--json", state=state).json
    (template,) = bo["views"]
    assert (template["view"], template["label"], template["source"], template["models"]) == ("left", "glasses", "bo.jpg", [FAST])
    assert bo["missing_views"] == ["front", "right"]
    words = people("show", "B", state=state, model=ACCURATE).out
    assert "template: left (glasses), quality 0.80, from bo.jpg, by mobilefacenet" in words
    assert "must be enrolled again" in words
    assert "consent: form 7" in words
    assert "missing: front, right" in words


def test_show_and_export_tell_who_the_lookalike_was_and_what_was_decided(state: Path) -> None:
    (record,) = people("show", "A", "--json", state=state).json["enrolments"]
    assert record["lookalike"] == {"person_id": "B", "name": "Bo", "similarity": 0.71}
    assert (record["decision"], record["consent"]) == ("allowed", None)
    assert people("export", "A", state=state).json["enrolments"] == [record]
    words = people("show", "A", state=state).out
    assert "looks like Bo (B), similarity 0.71, taken all the same by --allow-duplicate; consent: not recorded" in words


def test_export_tells_all_of_a_template_but_its_vector(state: Path) -> None:
    templates = people("export", "A", state=state).json["templates"]
    assert {template["model_id"] for template in templates} == {FAST, ACCURATE}
    assert len({template["moment"] for template in templates}) == 1
    assert all(set(one) == {"id", "model_id", "quality", "source", "created_at", "view", "label", "moment"} for one in templates)


def test_doctor_counts_people_who_are_strangers_to_the_model_in_force(state: Path) -> None:
    def check(model: str) -> tuple[str, str]:
        done = blinkd("doctor", "--json", state=state, BLINKD_VISION__EMBEDDER=model, BLINKD_VISION__PRECISION="auto")
        return next((one["status"], one["detail"]) for one in done.json["checks"] if one["name"] == "store")

    assert check(FAST)[0] == "ok", "templates of a further model are no fault"
    with Store.open(state, StoreSettings()) as store:
        store.people.enrol("C", "Kim", [Sample({ACCURATE: vector(3, 128)})])
    assert check(FAST) == ("warn", f"3 people, of whom 1 have no template of {FAST}, the model in force")


def test_templates_of_a_model_that_is_no_longer_there_make_nobody_known_and_break_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state", StoreSettings()) as store:
        store.people.enrol("A", "Ann", [Sample({"simulated-mobilefacenet": vector(1)})])
    done = blinkd("people", "list", "--json", state=tmp_path / "state")
    assert done.code == 0, done.err
    assert [one["needs_enrolment"] for one in done.json] == [True]
