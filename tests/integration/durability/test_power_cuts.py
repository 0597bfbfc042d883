import collections
import random
import re
from pathlib import Path

import pytest

from tests.integration.durability.disk import LOSSES, SECTOR, Disk
from tests.integration.durability.file_layer import Step
from tests.integration.durability.processes import run_all

CUTS = 2_000  # in each of two processes, at every step of what was recorded


@pytest.mark.slow
def test_a_power_cut_at_any_step_loses_and_doubles_nothing_that_was_announced(tmp_path: Path) -> None:
    seeds = (1, 2)
    results = run_all("power_cuts", [[str(tmp_path / str(seed)), str(seed), str(CUTS)] for seed in seeds])
    assert [result["violation"] for result in results] == ["", ""]
    counts: collections.Counter[str] = collections.Counter()
    for result in results:
        counts.update(result["counts"])
    assert counts["cuts"] >= 2 * CUTS
    assert counts["cuts in a recovery"] > 300
    assert all(counts[f"losing {loss}"] > 300 for loss in LOSSES), counts
    assert counts["things that could be lost"] > counts["cuts"]


@pytest.mark.slow
def test_syncs_that_fail_before_the_power_is_cut_lose_nothing_that_was_announced(tmp_path: Path) -> None:
    seeds = (1, 2)
    results = run_all("power_cuts", [[str(tmp_path / str(seed)), str(seed), "0", "failing"] for seed in seeds])
    assert [result["violation"] for result in results] == ["", ""]
    assert all(result["counts"]["failed syncs"] > 10 for result in results)


@pytest.mark.parametrize(("synchronous", "seen"), [("normal", "punches are lost"), ("off", "punches are lost|was set aside")])
def test_the_same_power_cuts_find_a_terminal_that_does_not_sync(tmp_path: Path, synchronous: str, seen: str) -> None:
    [result] = run_all("power_cuts", [[str(tmp_path), "1", str(CUTS), synchronous]])
    assert re.search(seen, result["violation"]), result


def _written(*steps: Step) -> Disk:
    disk = Disk({"a": b"x" * SECTOR})
    for step in steps:
        disk.do(step)
    return disk


def _states(disk: Disk) -> set[bytes]:
    chance = random.Random(1)
    return {disk.after_cut(loss, chance).get("a", b"no file") for loss in LOSSES for _ in range(50)}


def test_what_was_synced_is_there_after_every_cut() -> None:
    assert _states(_written(Step("write", "a", 0, b"new"), Step("sync", "a"))) == {b"new" + b"x" * (SECTOR - 3)}


def test_sectors_that_were_not_synced_are_lost_one_by_one() -> None:
    states = _states(_written(Step("write", "a", 0, b"1" * SECTOR + b"2" * SECTOR)))
    assert {b"x" * SECTOR, b"1" * SECTOR, b"1" * SECTOR + b"2" * SECTOR, b"x" * SECTOR + b"2" * SECTOR} <= states
    assert any(0 < state.count(b"1") < SECTOR for state in states)  # torn


def test_a_deleted_file_may_come_back_until_its_folder_was_synced() -> None:
    assert _states(_written(Step("delete", "a"))) == {b"x" * SECTOR, b"no file"}
    assert _states(_written(Step("delete", "a"), Step("sync_folder", "."))) == {b"no file"}


def test_a_new_file_may_be_missing_until_its_folder_was_synced() -> None:
    disk = Disk({})
    for step in (Step("create", "a"), Step("write", "a", 0, b"1"), Step("sync", "a")):
        disk.do(step)
    assert _states(disk) == {b"1", b"no file"}
    disk.do(Step("sync_folder", "."))
    assert _states(disk) == {b"1"}
