"""Views, refreshes and decisions, from real pictures and recordings."""

import shutil
from pathlib import Path

import cv2
import pytest

from blinkd.capture.pictures import read_picture
from tests.integration.faces.commands import Answer, blinkd
from tests.integration.faces.conftest import BIDEN, MAN, OBAMA
from tests.integration.faces.test_import import rows

TURNING, STILL = "WolfgangLanger_Pexels.mp4", "single_face.mp4"


def enroll(state: Path, *arguments: str | Path, **more: str) -> Answer:
    return blinkd("enroll", *arguments, "--json", state=state, **more)


def views(done: Answer) -> list[str]:
    assert done.code == 0, done.out + done.err
    return [one["view"] for one in done.json["templates"]]


def show(state: Path, person_id: str) -> dict[str, object]:
    return dict(blinkd("people", "show", person_id, "--json", state=state).json)


def test_a_recording_of_somebody_who_looks_around_gives_all_three_views(media: Path, empty: Path) -> None:
    done = enroll(empty, "--name", "Kim", "--id", "K", "--video", media / TURNING, "--label", "no glasses")
    assert sorted(views(done)) == ["front", "front", "front", "left", "right"]
    assert done.json["missing_views"] == []
    assert {one["label"] for one in done.json["templates"]} == {"no glasses"}
    kept = show(empty, "K")
    assert (kept["templates"], kept["missing_views"]) == (5, [])


@pytest.mark.parametrize("mirror", ["false", "true"])
def test_a_camera_that_mirrors_does_not_swap_the_persons_own_sides(media: Path, empty: Path, mirror: str) -> None:
    done = enroll(empty, "--name", "Robin", "--video", media / "obama2.jpg", BLINKD_CAMERA__MIRROR=mirror)
    assert views(done) == ["right"]


def test_who_only_looks_ahead_is_enrolled_and_told_which_views_are_missing(media: Path, empty: Path) -> None:
    done = enroll(empty, "--name", "Sam", "--id", MAN, "--video", media / STILL)
    assert set(views(done)) == {"front"}
    assert [entry["view"] for entry in done.json["missing_views"]] == ["left", "right"]
    assert done.json["missing_views"][0]["advice"] == "turn the head a little to your left"
    words = blinkd("enroll", "--id", MAN, "--add", "--image", media / "single_face.jpg", state=empty).out
    assert "no left view yet: turn the head a little to your left" in words


def test_a_slightly_turned_portrait_is_taken_and_labelled_and_its_mirror_image_is_the_other_side(
    media: Path, empty: Path, tmp_path: Path
) -> None:
    assert views(enroll(empty, "--name", "Robin", "--image", media / "obama2.jpg")) == ["right"]
    cv2.imwrite(str(tmp_path / "mirrored.png"), read_picture(media / "obama2.jpg")[:, ::-1])
    assert views(enroll(empty, "--name", "Niro", "--image", tmp_path / "mirrored.png", "--allow-duplicate")) == ["left"]


def test_a_portrait_from_half_way_round_is_refused_as_turned_away(media: Path, empty: Path) -> None:
    done = enroll(empty, "--name", "Lee", "--image", media / "45-m7-di-ph.jpg")
    assert (done.code, done.json["reason"]) == (1, "turned_away")
    assert "45-m7-di-ph.jpg: the head is turned by 4" in done.json["message"]


def test_views_that_are_added_complete_those_that_were_there(media: Path, empty: Path) -> None:
    first = enroll(empty, "--name", "Robin", "--id", OBAMA, "--image", media / "obama.jpg")
    assert [entry["view"] for entry in first.json["missing_views"]] == ["left", "right"]
    added = enroll(empty, "--id", OBAMA, "--add", "--image", media / "obama2.jpg", "--label", "outdoors")
    assert [entry["view"] for entry in added.json["missing_views"]] == ["left"]
    kept = show(empty, OBAMA)
    assert [(one["view"], one["label"]) for one in kept["views"]] == [("front", ""), ("right", "outdoors")]  # type: ignore[attr-defined]
    assert kept["enrolments"][-1]["decision"] == "same_person"  # type: ignore[index]


def test_a_duplicate_is_refused_with_id_name_and_similarity_and_the_decision_is_kept(media: Path, state: Path) -> None:
    again = ("--name", "Twin", "--id", "T", "--image", media / "obama2.jpg")
    other = enroll(state, *again).json["lookalike"]
    assert (other["person_id"], other["name"]) == (OBAMA, "Robin Sample")
    assert 0.6 < other["similarity"] < 1
    assert enroll(state, *again, "--allow-duplicate", "--consent", "both were asked").code == 0
    (record,) = show(state, "T")["enrolments"]  # type: ignore[misc]
    assert (record["lookalike"], record["decision"], record["consent"]) == (other, "allowed", "both were asked")
    assert blinkd("people", "export", "T", state=state).json["enrolments"] == [record]


def test_templates_are_refreshed_by_the_same_face_with_consent(media: Path, state: Path) -> None:
    done = enroll(state, "--refresh", "--id", OBAMA, "--image", media / "obama2.jpg", media / "obama3.jpg", "--consent", "signed form 12")
    assert done.code == 0, done.out
    kept = show(state, OBAMA)
    assert (kept["templates"], kept["name"]) == (2, "Robin Sample")
    record = kept["enrolments"][-1]  # type: ignore[index]
    assert (record["kind"], record["moments"], record["replaced"], record["consent"]) == ("refreshed", 2, 1, "signed form 12")
    (face,) = blinkd("identify", media / "obama2.jpg", "--json", state=state).json["faces"]
    assert face["match"]["person_id"] == OBAMA
    assert face["match"]["similarity"] > 0.99


@pytest.mark.parametrize(("picture", "reason"), [("biden.jpg", "duplicate"), ("0-f1-su-ph.jpg", "several_people")])
def test_templates_are_not_refreshed_by_another_face(media: Path, state: Path, picture: str, reason: str) -> None:
    before = show(state, OBAMA)
    done = enroll(state, "--refresh", "--id", OBAMA, "--image", media / picture, "--consent", "signed form 12")
    assert (done.code, done.json["reason"]) == (1, reason)
    assert show(state, OBAMA) == before


def test_a_picture_given_twice_counts_once_and_that_is_said(media: Path, empty: Path, tmp_path: Path) -> None:
    shutil.copy(media / "obama.jpg", tmp_path / "copy.jpg")
    done = enroll(empty, "--name", "Robin", "--id", OBAMA, "--image", media / "obama.jpg", tmp_path / "copy.jpg")
    assert len(done.json["templates"]) == 1
    (left,) = done.json["left_out"]
    assert (left["path"], left["reason"]) == (str(tmp_path / "copy.jpg"), "repeated")
    assert str(media / "obama.jpg") in left["message"]


def test_an_import_counts_copies_once_refuses_shared_ids_and_the_same_picture_under_a_second_name(
    media: Path, empty: Path, tmp_path: Path
) -> None:
    shutil.copy(media / "obama.jpg", tmp_path / "copy.jpg")
    roster = rows(
        tmp_path / "people.csv",
        ("Robin", str(media / "obama.jpg"), OBAMA),
        ("Robin", "copy.jpg", OBAMA),
        ("Kim", str(media / "biden.jpg"), BIDEN),
        ("Lee", str(media / "single_face.jpg"), BIDEN),
        ("Other", "copy.jpg", "O"),
    )
    done = blinkd("import", roster, "--consent", "works agreement", "--json", state=empty)
    assert {person["name"]: person["templates"] for person in done.json["persons"]} == {"Robin": 1}
    refused = {entry["reason"]: entry for entry in done.json["refused"]}
    assert set(refused) == {"repeated", "bad_row", "duplicate"}
    assert refused["repeated"]["path"] == str(tmp_path / "copy.jpg")
    assert "line 4 ('Kim')" in refused["bad_row"]["message"]
    assert "line 5 ('Lee')" in refused["bad_row"]["message"]
    assert refused["duplicate"]["lookalike"] == {"person_id": OBAMA, "name": "Robin", "similarity": 1.0}
    assert show(empty, OBAMA)["enrolments"][0]["consent"] == "works agreement"  # type: ignore[index]
