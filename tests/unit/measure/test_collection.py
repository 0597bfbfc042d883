from pathlib import Path

import pytest

from blinkd.errors import MediaError
from blinkd.measure.collection import read_collection
from tests.unit.measure.portraits import folder_of


def test_people_and_their_pictures_are_listed_and_everything_else_is_named(tmp_path: Path) -> None:
    root = folder_of(tmp_path, bob=["bob 1"], ann=["ann 1", "ann 2"], nobody=[])
    (root / "notes.txt").write_text("x")
    (root / "ann" / "Thumbs.db").write_text("x")
    (root / "ann" / "more").mkdir()
    found = read_collection(root)
    assert [(person.name, len(person.pictures)) for person in found.people] == [("ann", 2), ("bob", 1)]
    assert found.pictures == 3
    assert {entry.path.name for entry in found.refused} == {"notes.txt", "Thumbs.db", "more", "nobody"}
    assert all(str(entry.path) in entry.reason for entry in found.refused)


def test_a_copy_in_the_same_folder_counts_once_and_one_under_two_names_not_at_all(tmp_path: Path) -> None:
    root = folder_of(tmp_path, ann=["ann 1", "ann 1", "ann 2"], bob=["bob 1", "same"], cyd=["same", "cyd 1"])
    found = read_collection(root)
    assert {person.name: [path.name for path in person.pictures] for person in found.people} == {
        "ann": ["ann0.jpg", "ann2.jpg"],
        "bob": ["bob0.jpg"],
        "cyd": ["cyd1.jpg"],
    }
    assert [[path.name for path in group] for group in found.duplicates] == [["ann0.jpg", "ann1.jpg"], ["bob1.jpg", "cyd0.jpg"]]


def test_empty_files_are_not_copies_of_one_another(tmp_path: Path) -> None:
    found = read_collection(folder_of(tmp_path, ann=["", "ann 1"], bob=[""]))
    assert found.duplicates == ()
    assert found.pictures == 3, "whoever opens them says what is wrong"


def test_two_folders_may_be_said_to_show_one_person(tmp_path: Path) -> None:
    root = folder_of(tmp_path, ann=["ann 1"], anne=["ann 2"], bob=["bob 1"])
    assert [(one.name, len(one.pictures)) for one in read_collection(root, [("ann", "anne")]).people] == [("ann", 2), ("bob", 1)]
    with pytest.raises(MediaError, match="'ann' and 'amy'"):
        read_collection(root, [("ann", "amy")])


def test_what_is_no_folder_of_people_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such folder"):
        read_collection(tmp_path / "gone")
    with pytest.raises(MediaError, match="no pictures of anybody"):
        read_collection(tmp_path)
    (tmp_path / "flat.jpg").write_text("x")
    with pytest.raises(MediaError, match="no pictures of anybody"):
        read_collection(tmp_path)
    with pytest.raises(MediaError, match="is no folder"):
        read_collection(tmp_path / "flat.jpg")
