"""Who may be enrolled, from what, and under which name."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from blinkd.parts import Parts
from tests.integration.faces.commands import Answer, blinkd
from tests.integration.faces.conftest import MAN, OBAMA
from tests.integration.faces.scenes import head, portrait, room, side_by_side


def people(state: Path) -> dict[str, dict[str, object]]:
    return {person["id"]: person for person in blinkd("people", "list", "--json", state=state).json}


def refused(answer: Answer, reason: str) -> str:
    assert answer.code == 1, answer.out
    assert "Traceback" not in answer.err
    assert (answer.json["success"], answer.json["reason"]) == (False, reason)
    return str(answer.json["message"])


def save(image: np.ndarray, path: Path) -> Path:
    cv2.imwrite(str(path), image)
    return path


def test_a_picture_without_a_face_is_refused(media: Path, empty: Path) -> None:
    message = refused(blinkd("enroll", "--name", "Sam", "--image", media / "free-mountain-vector-01.jpg", "--json", state=empty), "no_face")
    assert "free-mountain-vector-01.jpg" in message
    assert people(empty) == {}


@pytest.mark.parametrize("second", ["obama.jpg", "biden.jpg"])
def test_two_faces_of_one_size_are_refused_even_if_they_are_one_persons(
    second: str, media: Path, networks: Parts, empty: Path, tmp_path: Path
) -> None:
    both = save(side_by_side(head(media / "obama.jpg", networks, 200), head(media / second, networks, 200)), tmp_path / "both.png")
    refused(blinkd("enroll", "--name", "Robin", "--image", both, "--json", state=empty), "several_faces")
    assert len(blinkd("identify", both, "--json", state=empty).json["faces"]) == 2


def test_a_small_face_in_the_background_does_not_prevent_enrolment(media: Path, networks: Parts, empty: Path, tmp_path: Path) -> None:
    both = save(side_by_side(head(media / "obama.jpg", networks, 300), head(media / "biden.jpg", networks, 110)), tmp_path / "both.png")
    assert len(blinkd("identify", both, "--json", state=empty).json["faces"]) == 2
    assert blinkd("enroll", "--name", "Robin", "--id", OBAMA, "--image", both, "--json", state=empty).code == 0
    (face,) = blinkd("identify", media / "obama2.jpg", "--json", state=empty).json["faces"]
    assert face["match"]["person_id"] == OBAMA


def test_a_face_of_twenty_pixels_is_refused_as_too_small(media: Path, networks: Parts, empty: Path, tmp_path: Path) -> None:
    picture = room()[:240, :320].copy()
    face = head(media / "obama.jpg", networks, 24)
    picture[100 : 100 + face.shape[0], 150 : 150 + face.shape[1]] = face
    path = save(picture, tmp_path / "far.png")
    assert "closer" in refused(blinkd("enroll", "--name", "Robin", "--image", path, "--json", state=empty), "too_small")
    (found,) = blinkd("identify", path, "--json", state=empty).json["faces"]
    assert found["quality"] == 0


def test_a_blurred_or_dark_picture_is_refused_with_what_to_do(media: Path, empty: Path, tmp_path: Path) -> None:
    sharp = portrait(media / "single_face.jpg", 560)
    blurred = save(cv2.GaussianBlur(sharp, (0, 0), 7), tmp_path / "blurred.png")
    assert "sharper" in refused(blinkd("enroll", "--name", "Sam", "--image", blurred, "--json", state=empty), "blurred")
    dark = save((sharp * 0.08).astype(np.uint8), tmp_path / "dark.png")
    assert "light" in refused(blinkd("enroll", "--name", "Sam", "--image", dark, "--json", state=empty), "bad_light")


def test_pictures_of_two_people_are_not_enrolled_as_one(media: Path, empty: Path) -> None:
    message = refused(
        blinkd(
            "enroll",
            "--name",
            "Robin",
            "--image",
            media / "obama.jpg",
            "--image",
            media / "obama2.jpg",
            "--image",
            media / "biden.jpg",
            "--json",
            state=empty,
        ),
        "several_people",
    )
    assert "biden.jpg" in message
    assert people(empty) == {}


def test_several_pictures_of_one_person_give_as_many_templates(media: Path, empty: Path) -> None:
    done = blinkd("enroll", "--name", "Robin", "--id", OBAMA, "--image", media / "obama.jpg", media / "obama2.jpg", "--json", state=empty)
    assert done.code == 0
    assert len(done.json["templates"]) == 2
    assert people(empty)[OBAMA]["templates"] == 2


NAMES = [
    ("Zoë 🙂 O'Brien", "Zoë 🙂 O'Brien"),
    ('Rob"); DROP TABLE people;--', 'Rob"); DROP TABLE people;--'),
    ("two\nlines\t and  blanks", "two lines and blanks"),
    ("[red]marked[/red]", "[red]marked[/red]"),
    ("李小龍", "李小龍"),
]


@pytest.mark.parametrize(("given", "kept"), NAMES)
def test_every_name_is_kept_as_it_is_on_one_line(given: str, kept: str, media: Path, empty: Path) -> None:
    done = blinkd("enroll", "--name", given, "--id", "x", "--image", media / "obama.jpg", state=empty)
    assert done.code == 0, done.err
    assert kept in done.out
    assert [person["name"] for person in people(empty).values()] == [kept]
    assert kept in blinkd("identify", media / "obama2.jpg", state=empty).out
    assert kept in blinkd("people", "list", state=empty, COLUMNS="200").out


@pytest.mark.parametrize("name", ["   ", ""])
def test_no_name_is_wrong_usage(name: str, media: Path, empty: Path) -> None:
    done = blinkd("enroll", "--name", name, "--image", media / "obama.jpg", "--json", state=empty)
    assert done.code == 2
    assert "name" in done.err


@pytest.mark.parametrize("name", ["x" * 201, "evil\u202ename", "bell\x07"])
def test_overlong_and_invisible_names_are_refused(name: str, media: Path, empty: Path) -> None:
    refused(blinkd("enroll", "--name", name, "--image", media / "obama.jpg", "--json", state=empty), "bad_name")


def test_an_id_that_is_taken_is_refused_and_names_its_owner(media: Path, state: Path) -> None:
    message = refused(
        blinkd("enroll", "--name", "Lee", "--id", MAN, "--image", media / "45-m7-di-ph.jpg", "--json", state=state), "id_exists"
    )
    assert "Sam Sample" in message
    assert people(state)[MAN]["templates"] == 1


def test_the_same_person_twice_is_refused_naming_the_first(media: Path, state: Path) -> None:
    message = refused(
        blinkd("enroll", "--name", "Double", "--id", "D", "--image", media / "obama2.jpg", "--json", state=state), "duplicate"
    )
    assert "Robin Sample" in message
    assert OBAMA in message
    assert "D" not in people(state)


def test_a_duplicate_can_be_allowed_and_more_templates_can_be_added(media: Path, state: Path) -> None:
    added = blinkd("enroll", "--id", OBAMA, "--add", "--image", media / "obama2.jpg", "--json", state=state)
    assert added.code == 0, added.out
    assert (added.json["person_id"], added.json["name"]) == (OBAMA, "Robin Sample")
    assert people(state)[OBAMA]["templates"] == 2
    assert (
        blinkd("enroll", "--name", "Twin", "--id", "T", "--image", media / "obama3.jpg", "--allow-duplicate", "--json", state=state).code
        == 0
    )
    assert set(people(state)) >= {OBAMA, "T"}


def test_templates_of_somebody_else_are_not_added(media: Path, state: Path) -> None:
    message = refused(blinkd("enroll", "--id", OBAMA, "--add", "--image", media / "biden.jpg", "--json", state=state), "duplicate")
    assert "Kim Sample" in message
    assert people(state)[OBAMA]["templates"] == 1


def test_a_strangers_picture_is_not_added_to_a_person(media: Path, empty: Path) -> None:
    assert blinkd("enroll", "--name", "Robin", "--id", OBAMA, "--image", media / "obama.jpg", state=empty).code == 0
    done = blinkd("enroll", "--id", OBAMA, "--add", "--image", media / "biden.jpg", "--json", state=empty)
    assert done.code == 1, "nobody else looks like this face, and yet it is not this person's"
    assert done.json["reason"] == "several_people"
    assert people(empty)[OBAMA]["templates"] == 1


def test_adding_to_nobody_is_an_error(media: Path, empty: Path) -> None:
    done = blinkd("enroll", "--id", "nobody", "--add", "--image", media / "obama.jpg", "--json", state=empty)
    assert done.code == 1
    assert "nobody" in done.err + done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--name", "Sam"),
        ("--name", "Sam", "--image", "a.jpg", "--video", "b.mp4"),
        ("--add", "--image", "a.jpg"),
        ("--name", "Sam", "--unknown"),
    ],
)
def test_wrong_usage_ends_with_code_two(arguments: tuple[str, ...], empty: Path) -> None:
    done = blinkd("enroll", *arguments, state=empty)
    assert done.code == 2
    assert done.out == ""
    assert not empty.exists()


def test_who_is_deleted_is_forgotten(media: Path, state: Path) -> None:
    assert blinkd("people", "delete", OBAMA, "--json", state=state).json["templates_erased"] == 1
    (face,) = blinkd("identify", media / "obama.jpg", "--json", state=state).json["faces"]
    assert face["match"]["verdict"] == "unknown"
    assert OBAMA not in people(state)
    assert blinkd("people", "show", OBAMA, state=state).code == 1
