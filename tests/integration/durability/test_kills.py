import collections
from pathlib import Path

import pytest

from tests.integration.durability.processes import run_all

KILLS = 1520  # in each of two processes
HIT_AT_LEAST = {
    "in open": 300,
    "in punches": 300,
    "in checkpoint": 100,
    "in close": 100,
    "migrating": 40,
    "holding the write lock": 300,
    "holding the checkpoint lock": 100,
    "holding the recover lock": 20,
    "at write of log": 200,
    "at sync of log": 50,
    "at write of database": 50,
    "at sync of database": 20,
    "torn writes": 100,
}


@pytest.mark.slow
def test_thousands_of_kills_lose_and_double_nothing_that_was_announced(tmp_path: Path) -> None:
    seeds = (1, 2)
    results = run_all("kills", [[str(tmp_path / str(seed)), str(seed), str(KILLS)] for seed in seeds])
    assert [result["violation"] for result in results] == ["", ""]
    hit: collections.Counter[str] = collections.Counter()
    for result in results:
        hit.update(result["hit"])
    assert hit["kills"] >= 3000
    assert hit["announced"] > hit["kills"]
    assert {place: hit[place] for place, least in HIT_AT_LEAST.items() if hit[place] < least} == {}, hit


@pytest.mark.parametrize(
    ("fault", "seen"), [("announces_early", "announced punches are lost"), ("writes_apart", "punches and scan log differ")]
)
def test_the_same_kills_find_a_terminal_that_is_broken_on_purpose(tmp_path: Path, fault: str, seen: str) -> None:
    [result] = run_all("kills", [[str(tmp_path), "1", "500", fault]])
    assert seen in result["violation"]
