from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd import clock
from blinkd.clock import BOOT_ID_FILE, BUILT, ReplayClock, SystemClock


def test_the_machines_clock_tells_its_fields() -> None:
    system = SystemClock()
    first, second = system.now(), system.now()
    assert first.utc.tzinfo is UTC
    assert abs((first.utc - datetime.now(UTC)).total_seconds()) < 5
    assert 0 < first.boot_s <= second.boot_s
    assert first.boot_id == second.boot_id == BOOT_ID_FILE.read_text().strip()
    assert first.confidence in ("synced", "unsynced")
    assert system.monotonic() <= system.monotonic()


@pytest.mark.parametrize(
    ("utc", "disciplined", "confidence"),
    [
        (BUILT, True, "synced"),
        (BUILT, False, "unsynced"),
        (BUILT - timedelta(seconds=1), True, "unsynced"),  # whoever keeps this clock right is mistaken
        (datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC), True, "unsynced"),
        (datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), True, "unsynced"),
    ],
)
def test_a_clock_is_trusted_when_it_is_kept_right_and_not_before_the_program_was_made(
    utc: datetime, disciplined: bool, confidence: str
) -> None:
    now = SystemClock(wall=lambda: utc, disciplined=lambda: disciplined).now()
    assert now.confidence == confidence
    assert now.utc == utc


def test_the_mark_of_timesyncd_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "TIMESYNC_MARK", tmp_path / "synchronized")
    monkeypatch.setattr(clock, "_kernel_synchronised", lambda: False)
    system = SystemClock(wall=lambda: BUILT)
    assert system.now().confidence == "unsynced"
    (tmp_path / "synchronized").touch()
    assert system.now().confidence == "synced"


def test_without_a_boot_id_two_processes_never_share_one(tmp_path: Path) -> None:
    first, second = (SystemClock(boot_id_file=tmp_path / "none").now().boot_id for _ in range(2))
    assert first != second
    system = SystemClock(boot_id_file=tmp_path / "none")
    assert system.now().boot_id == system.now().boot_id


@given(st.lists(st.floats(-1e6, 1e6), max_size=20))
def test_a_replay_is_the_same_each_time_and_never_goes_back(steps: list[float]) -> None:
    start = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=2)))
    first, second = ReplayClock(start), ReplayClock(start)
    last = first.now()
    assert last.utc == start
    for step in steps:
        first.advance_to(step)
        second.advance_to(step)
        now = first.now()
        assert now == second.now()
        assert now.boot_s >= last.boot_s
        assert now.utc >= last.utc
        assert now.boot_s == first.monotonic() >= step
        assert (now.confidence, now.boot_id) == ("replay", last.boot_id)
        last = now


def test_replays_of_different_times_are_different_boots() -> None:
    assert ReplayClock(BUILT).now().boot_id != ReplayClock(BUILT + timedelta(hours=1)).now().boot_id
