import csv
from pathlib import Path

import pytest

from blinkd.identity.roster import read_roster, without_copies


def roster(folder: Path, *lines: tuple[str, ...]) -> Path:
    path = folder / "people.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("name", "image", "id"), *lines])
    return path


def test_rows_of_one_id_and_name_are_pictures_of_one_person(tmp_path: Path) -> None:
    (ann,) = read_roster(roster(tmp_path, ("Ann Lee", "a.jpg", "A"), ("Ann  Lee ", "b.jpg", "A"), ("Ann Lee", "c.jpg", "A")))
    assert (ann.name, ann.person_id, ann.flaw) == ("Ann Lee", "A", None)
    assert [picture.name for picture in ann.pictures] == ["a.jpg", "b.jpg", "c.jpg"]


def test_one_id_with_two_names_is_refused_with_every_line_and_the_others_stay(tmp_path: Path) -> None:
    people = read_roster(
        roster(tmp_path, ("Ann", "a.jpg", "A"), ("Bo", "b.jpg", "B"), ("Kim", "c.jpg", "A"), ("Ann", "d.jpg", "A"), ("Lee", "e.jpg", "A"))
    )
    ann, bo = people
    assert ann.pictures == ()
    assert ann.flaw is not None
    for said in ("people.csv: line 2 ('Ann')", "line 4 ('Kim')", "line 6 ('Lee')", "id A"):
        assert said in ann.flaw
    assert "line 5" not in ann.flaw
    assert (bo.flaw, len(bo.pictures)) == (None, 1)


@pytest.mark.parametrize("second", ["Zoe\u0308", " Zoë  "])
def test_the_same_name_written_in_another_form_is_no_other_name(tmp_path: Path, second: str) -> None:
    (zoe,) = read_roster(roster(tmp_path, ("Zoë", "a.jpg", "Z"), (second, "b.jpg", "Z")))
    assert (zoe.flaw, len(zoe.pictures)) == (None, 2)


def test_two_people_of_one_name_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    people = read_roster(roster(tmp_path, ("Ann", "a.jpg", "1"), ("Ann", "b.jpg", "2")))
    assert [(one.person_id, one.flaw) for one in people] == [("1", None), ("2", None)]


def test_byte_equal_pictures_are_set_apart_and_name_the_first(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg", "gone.jpg", "gone.jpg")]
    for path, content in zip(paths, (b"one", b"two", b"one"), strict=False):
        path.write_bytes(content)
    kept, copies = without_copies([*paths, paths[1]])
    assert kept == [paths[0], paths[1], paths[3], paths[3]], "what cannot be read is left for its reader to explain"
    assert copies == [(paths[2], paths[0]), (paths[1], paths[1])]


def test_files_of_one_size_that_differ_are_no_copies(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"abd")
    assert without_copies([tmp_path / "a", tmp_path / "b"]) == ([tmp_path / "a", tmp_path / "b"], [])
