import os
from pathlib import Path

import pytest

from blinkd.cli.becoming import VERBS as OWN
from blinkd.cli.becoming import owner_of
from blinkd.cli.verbs import VERBS

ROOT = 0
SOMEBODY = 1234


@pytest.fixture
def owner(tmp_path: Path) -> int:
    """Of the state folder, and not root."""
    if os.geteuid() == ROOT:
        os.chown(tmp_path, SOMEBODY, SOMEBODY)
    return tmp_path.stat().st_uid


@pytest.mark.parametrize(
    "words", [["enroll", "--name", "Sam"], ["people", "list"], ["doctor"], ["models", "bench"], ["fleet", "request"], ["web", "setup-code"]]
)
def test_root_works_on_somebodys_state_folder_as_that_user(words: list[str], tmp_path: Path, owner: int) -> None:
    assert owner_of(tmp_path, words, ROOT) == owner


@pytest.mark.parametrize(
    "words",
    [
        ["demo"],
        ["relay", "run"],
        ["models", "list"],
        ["models"],
        ["fleet", "issue", "x"],
        ["fleet", "install", "b"],
        ["fleet", "claim"],
        [],
    ],
)
def test_what_is_no_work_on_the_state_folder_stays_roots(words: list[str], tmp_path: Path, owner: int) -> None:
    assert owner
    assert owner_of(tmp_path, words, ROOT) is None


def test_others_stay_who_they_are_and_a_folder_that_is_not_there_has_no_owner(tmp_path: Path, owner: int) -> None:
    assert owner_of(tmp_path, ["doctor"], owner) is None
    assert owner_of(tmp_path / "none", ["doctor"], ROOT) is None


def test_every_verb_named_is_one() -> None:
    assert set(OWN) <= set(VERBS)
