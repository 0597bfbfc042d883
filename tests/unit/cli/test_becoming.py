import os
import subprocess
from pathlib import Path

import pytest

from blinkd import __version__
from blinkd.cli.becoming import VERBS as OWN
from blinkd.cli.becoming import owner_of, relay_folder
from blinkd.cli.verbs import VERBS
from blinkd.ourselves import COMMAND

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


def test_root_works_on_the_installed_relays_database_and_not_on_one_that_it_would_make_where_it_stands(
    tmp_path: Path, owner: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert owner
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert relay_folder(["relay", "token", "add"], ROOT, {}, tmp_path) == tmp_path
    assert relay_folder(["relay", "check"], owner, {}, tmp_path) is None
    assert relay_folder(["doctor"], ROOT, {}, tmp_path) is None
    assert relay_folder(["relay", "check"], ROOT, {}, tmp_path / "none") is None
    assert relay_folder(["relay", "check"], ROOT, {"DATABASE_URL": "postgresql:///"}, tmp_path) is None
    (tmp_path / "elsewhere" / "cloud_blink.db").touch()
    assert relay_folder(["relay", "check"], ROOT, {}, tmp_path) is None, "this one is meant"


def test_every_verb_named_is_one() -> None:
    assert set(OWN) <= set(VERBS)


def test_a_program_of_the_same_name_in_the_working_directory_is_not_run(tmp_path: Path) -> None:
    for name in ("blinkd", "typer"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')\n")
    done = subprocess.run([*COMMAND, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert __version__ in done.stdout


def test_nothing_begins_ourselves_in_another_way() -> None:
    """But for measurements, which nobody runs as root."""
    root = Path(__file__).parents[3] / "blinkd"
    found = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if '"-m", "blinkd"' in path.read_text(encoding="utf-8")}
    assert {name for name in found if not name.startswith("measure/")} == {"ourselves.py"}
