"""Many people at once, the refused ones reported one by one."""

import csv
import shutil
from pathlib import Path

import pytest

from tests.integration.faces.commands import blinkd


@pytest.fixture
def tree(media: Path, tmp_path: Path) -> Path:
    """Three people who can be enrolled, one of them from three pictures of which one is bad, and four refusals."""
    root = tmp_path / "roster"
    places = {
        "Robin_Sample/1.jpg": "obama.jpg",
        "Robin_Sample/2.jpg": "obama2.jpg",
        "Kim Sample/portrait.jpg": "biden.jpg",
        "Sam_Sample.jpg": "single_face.jpg",
        "Mountain/view.jpg": "free-mountain-vector-01.jpg",
        "Somebody/again.jpg": "obama3.jpg",
    }
    for place, picture in places.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(media / picture, root / place)
    (root / "Robin_Sample" / "3.jpg").write_bytes(b"torn")
    (root / "Nobody").mkdir()
    (root / "notes.txt").write_text("no picture")
    return root


def test_a_folder_tree_enrols_who_can_be_enrolled_and_reports_the_rest(tree: Path, empty: Path) -> None:
    done = blinkd("import", tree, "--json", state=empty)
    assert done.code == 0, done.err
    report = done.json
    assert {person["name"]: person["templates"] for person in report["persons"]} == {"Kim Sample": 1, "Robin Sample": 2, "Sam Sample": 1}
    assert (report["people"], report["enrolled"]) == (6, 3)
    refusals = {(entry["name"], entry["reason"]) for entry in report["refused"]}
    assert refusals == {
        ("Robin Sample", "unreadable"),
        ("Mountain", "no_face"),
        ("Mountain", "no_usable_picture"),
        ("Somebody", "duplicate"),
        ("Nobody", "no_usable_picture"),
    }
    assert all(entry["message"] for entry in report["refused"])
    listed = blinkd("people", "list", "--json", state=empty).json
    assert [person["name"] for person in listed] == ["Kim Sample", "Robin Sample", "Sam Sample"]


def test_importing_the_same_tree_again_adds_nobody_twice(tree: Path, empty: Path) -> None:
    blinkd("import", tree, "--json", state=empty)
    again = blinkd("import", tree, "--json", state=empty)
    assert again.code == 1
    assert again.json["enrolled"] == 0
    assert len(blinkd("people", "list", "--json", state=empty).json) == 3


def test_the_text_report_names_every_refusal(tree: Path, empty: Path) -> None:
    done = blinkd("import", tree, state=empty)
    assert "3 of 6 people enrolled" in done.out
    for word in ("Mountain", "Somebody", "Nobody", "duplicate"):
        assert word in done.out


def rows(path: Path, *lines: tuple[str, ...]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("name", "image", "id"), *lines])
    return path


def test_a_csv_enrols_its_good_rows_and_reports_missing_files_and_faceless_pictures(media: Path, empty: Path, tmp_path: Path) -> None:
    shutil.copy(media / "biden.jpg", tmp_path / "beside.jpg")
    roster = rows(
        tmp_path / "people.csv",
        ("Robin Sample", str(media / "obama.jpg"), "R-1"),
        ("Robin Sample", str(media / "obama2.jpg"), "R-1"),
        ("Kim Sample", "beside.jpg", ""),
        ("Gone", "missing.jpg", "G-1"),
        ("Mountain", str(media / "free-mountain-vector-01.jpg"), "M-1"),
        ("Bad Id", str(media / "single_face.jpg"), "no/slash"),
    )
    done = blinkd("import", roster, "--json", state=empty)
    assert done.code == 0, done.err
    assert {person["name"]: person["templates"] for person in done.json["persons"]} == {"Robin Sample": 2, "Kim Sample": 1}
    refused = [(entry["name"], entry["reason"]) for entry in done.json["refused"]]
    assert ("Gone", "unreadable") in refused
    assert ("Mountain", "no_face") in refused
    assert ("Bad Id", "bad_id") in refused
    assert {person["id"] for person in blinkd("people", "list", "--json", state=empty).json} >= {"R-1"}


def test_a_csv_row_without_a_name_or_picture_is_reported_with_its_line_and_the_others_are_enrolled(
    media: Path, empty: Path, tmp_path: Path
) -> None:
    roster = rows(tmp_path / "people.csv", ("", "x.jpg", ""), ("Robin Sample", str(media / "obama.jpg"), ""), ("Kim Sample", "", "K-1"))
    done = blinkd("import", roster, "--json", state=empty)
    assert done.code == 0, done.err
    assert [person["name"] for person in done.json["persons"]] == ["Robin Sample"]
    bad = [entry for entry in done.json["refused"] if entry["reason"] == "bad_row"]
    assert len(bad) == 2
    assert "line 2" in bad[0]["message"]
    assert "line 4" in bad[1]["message"]


@pytest.mark.parametrize("content", ["", "who,picture\nA,b.jpg\n", "name,image\n"])
def test_a_csv_without_its_columns_or_rows_is_refused_whole(content: str, empty: Path, tmp_path: Path) -> None:
    roster = tmp_path / "people.csv"
    roster.write_text(content)
    done = blinkd("import", roster, "--json", state=empty)
    assert (done.code, done.out) == (1, "")
    assert str(roster) in done.err
    assert "Traceback" not in done.err


def test_a_roster_that_is_neither_folder_nor_csv_is_refused(media: Path, empty: Path, tmp_path: Path) -> None:
    for path in (media / "obama.jpg", tmp_path / "missing"):
        done = blinkd("import", path, "--json", state=empty)
        assert (done.code, done.out) == (1, "")
        assert str(path) in done.err
