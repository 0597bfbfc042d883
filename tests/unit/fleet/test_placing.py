"""All files or none, wherever it is interrupted."""

import os
from pathlib import Path
from typing import Any

import pytest

from blinkd.errors import BundleRefused, StoreError
from blinkd.fleet import placing
from blinkd.fleet.placing import FOLDER, PLAN, Place, place_all, resume


class PowerCut(BaseException):
    """Ends everything at once."""


def places(folder: Path) -> list[Place]:
    return [
        Place(folder / "state" / "a", b"A"),
        Place(folder / "etc" / "new" / "b", b"B" * 5000, 0o640),
        Place(folder / "state" / "c", b""),
    ]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "a").write_bytes(b"before")
    return tmp_path


STEPS = 7  # writes: three contents, the plan, three targets


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(STEPS))
def test_interrupted_anywhere_and_run_again_it_ends_right(folder: Path, monkeypatch: pytest.MonkeyPatch, step: int, after: bool) -> None:
    written, real = [0], placing.put

    def put(target: Path, *more: Any) -> None:
        if written[0] == step and not after:
            target.with_name(f".{target.name}.arriving").write_bytes(b"torn")
            raise PowerCut
        real(target, *more)
        written[0] += 1
        if written[0] == step + 1 and after:
            raise PowerCut

    monkeypatch.setattr(placing, "put", put)
    before = content(folder)
    with pytest.raises(PowerCut):
        place_all(folder / "state", places(folder))
    monkeypatch.undo()
    decided = (folder / "state" / FOLDER / PLAN).exists()
    assert decided == (step > 3 or (step == 3 and after))
    outside = {name: value for name, value in content(folder).items() if not name.startswith(f"state/{FOLDER}/")}
    if not decided:
        assert outside == before, "nothing has changed"
    resume(folder / "state")
    if not decided:
        assert content(folder) == before
        place_all(folder / "state", places(folder))
    assert content(folder) == {"state/a": b"A", "etc/new/b": b"B" * 5000, "state/c": b""}
    assert resume(folder / "state") == []


def test_modes_and_what_was_there_before(folder: Path) -> None:
    place_all(folder / "state", places(folder))
    assert {name: (folder / name).stat().st_mode & 0o777 for name in ("state/a", "etc/new/b")} == {"state/a": 0o600, "etc/new/b": 0o640}


def test_a_disk_that_takes_no_more_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(placing, "put", full)
    before = content(folder)
    with pytest.raises(StoreError, match=r"No space left on device; nothing was changed"):
        place_all(folder / "state", places(folder))
    assert content(folder) == before


def test_a_target_that_cannot_be_written_yet_is_written_by_the_next_attempt(folder: Path) -> None:
    (folder / "etc").write_text("in the way")
    with pytest.raises(StoreError, match="run the same command again"):
        place_all(folder / "state", places(folder))
    (folder / "etc").unlink()
    assert [path.name for path in resume(folder / "state")] == ["a", "b", "c"]


@pytest.mark.parametrize("torn", ["1", PLAN])
def test_what_the_disk_has_torn_is_named_and_not_put_in_place(folder: Path, torn: str) -> None:
    (folder / "etc").write_text("in the way")
    with pytest.raises(StoreError):
        place_all(folder / "state", places(folder))
    (folder / "etc").unlink()
    (folder / "state" / FOLDER / torn).write_bytes(b"{")
    with pytest.raises(BundleRefused, match=torn):
        resume(folder / "state")
    assert not (folder / "etc").exists()


def begun(folder: Path) -> Path:
    """An installation that stands still between its plan and its end."""
    (folder / "etc").write_text("in the way")
    with pytest.raises(StoreError):
        place_all(folder / "state", places(folder))
    (folder / "etc").unlink()
    return folder / "state" / FOLDER


def test_a_plan_that_somebody_else_has_made_is_not_carried_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = begun(folder).stat().st_uid
    before = content(folder)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(BundleRefused, match=f"user {owner} has begun"):
        resume(folder / "state")
    assert content(folder) == before


def test_a_plan_in_a_folder_that_others_may_write_is_not_carried_out(folder: Path) -> None:
    begun(folder).chmod(0o777)
    before = content(folder)
    with pytest.raises(BundleRefused, match="remove the folder"):
        resume(folder / "state")
    assert content(folder) == before


def test_a_link_in_the_place_of_the_folder_or_of_a_content_is_not_followed(folder: Path) -> None:
    arriving = begun(folder)
    elsewhere = arriving.rename(folder / "elsewhere")
    arriving.symlink_to(elsewhere)
    with pytest.raises(StoreError):
        resume(folder / "state")
    arriving.unlink()
    elsewhere.rename(arriving)
    (arriving / "0").rename(folder / "A")
    (arriving / "0").symlink_to(folder / "A")
    with pytest.raises(StoreError):
        resume(folder / "state")
    assert not (folder / "etc").exists()


def test_what_another_user_began_and_had_not_decided_is_thrown_away(folder: Path) -> None:
    arriving = folder / "state" / FOLDER
    arriving.mkdir(mode=0o777)
    (arriving / "0").write_bytes(b"?")
    assert resume(folder / "state") == []
    assert not arriving.exists()


def test_whether_a_plan_waits_can_be_seen_by_others_and_what_it_brings_cannot(folder: Path) -> None:
    arriving = begun(folder)
    assert arriving.stat().st_mode & 0o777 == 0o711
    assert {path.stat().st_mode & 0o777 for path in arriving.iterdir()} == {0o600}
