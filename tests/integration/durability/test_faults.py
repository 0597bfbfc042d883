from pathlib import Path
from typing import Any

import pytest

from tests.integration.durability.faults import EARLY, FAULTS, OPENING, PUNCHING
from tests.integration.durability.processes import run_all

CALLS_OF_A_PUNCH = {"write": 14, "sync": 1}  # at the least: seven pages or so, each with its header, and one sync
SAYS = {
    "full": "the disk is full; nothing was recorded: free some space",
    "short write": "the disk is full; nothing was recorded: free some space",
    "write error": "check disk, mount and free space",
    "sync error": "check disk, mount and free space",
    "read error": "the disk could not read it",
    "bad sector": "copy FOLDER to a sound disk, or restore a backup",
    "read-only": "has become read-only",
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each fault; two processes share them."""
    folder, names = tmp_path_factory.mktemp("faults"), list(FAULTS)
    halves = [names[0::2], names[1::2]]
    found: dict[str, Any] = {}
    for result in run_all("faults", [[str(folder), *half] for half in halves]):
        found |= result
    return found


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_disk_loses_nothing_that_was_announced_and_announces_nothing_that_is_lost(tried: dict[str, Any], fault: str) -> None:
    assert tried[fault]["violation"] == ""


@pytest.mark.slow
@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if fault.calls[0] in CALLS_OF_A_PUNCH])
def test_every_call_of_a_punch_was_made_to_fail(tried: dict[str, Any], fault: str) -> None:
    counts, least = tried[fault]["counts"], CALLS_OF_A_PUNCH[FAULTS[fault].calls[0]]
    assert {stage: counts.get(stage, 0) for stage in PUNCHING if counts.get(stage, 0) < least} == {}
    assert {stage for stage in OPENING if not counts.get(stage)} == set()


@pytest.mark.slow
@pytest.mark.parametrize("fault", SAYS)
def test_the_error_says_what_to_do(tried: dict[str, Any], fault: str) -> None:
    words = tried[fault]["words"]
    assert any(SAYS[fault] in text for text in words), words
    assert all(text.startswith("FOLDER/blinkd.db") for text in words), words


@pytest.mark.parametrize("fault", ["full", "sync error once"])
def test_the_same_faults_find_a_terminal_that_announces_before_it_commits(tmp_path: Path, fault: str) -> None:
    name = EARLY + fault
    [result] = run_all("faults", [[str(tmp_path), name]])
    assert "announced punches are lost" in result[name]["violation"]
