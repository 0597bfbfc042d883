"""The daemon's side of the display channel. Pipes are the kernel's own."""

import json
import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blinkd.clock import SystemClock
from blinkd.outputs.port import Health, PartHealth
from blinkd.outputs.screen import Screen
from blinkd.session.events import Event
from blinkd.settings import KioskSettings

HEALTH = Health((PartHealth("camera", "failed", "unplugged"),), 15.04, 3, 4, 5, 6, 41.0)


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def screen(time: Time) -> Iterator[Screen]:
    made = Screen(KioskSettings(), SystemClock(), time)
    yield made
    made.close()


def attached(screen: Screen) -> int:
    """The end at which the web process would read events."""
    with screen.channel() as (events, _):
        return os.dup(events)


def read(descriptor: int) -> list[dict[str, Any]]:
    """All that has been said so far."""
    ready, _, _ = select.select([descriptor], [], [], 0)
    return [json.loads(line) for line in os.read(descriptor, 1 << 20).splitlines()] if ready else []


def punch(name: str = "Sam Sample") -> Event:
    details = {"person_id": "E-1", "name": name, "status": "CHECK_IN", "punctuality": "LATE", "minutes": 4, "seq": 9, "similarity": 0.71}
    return Event(12.5, 3, "punch", details)


def test_a_punch_is_told_with_its_time_and_without_what_no_display_shows(screen: Screen) -> None:
    events = attached(screen)
    screen.event(punch())
    (said,) = read(events)
    shown = {"person_id": "E-1", "name": "Sam Sample", "status": "CHECK_IN", "punctuality": "LATE", "minutes": 4, "seq": 9}
    assert said.items() >= ({"kind": "event", "event": "punch", "session": 3, "n": 1, "t": 100.0} | shown).items()
    assert said["utc"].endswith("+00:00")
    assert "similarity" not in said
    os.close(events)


def test_whoever_begins_to_read_hears_at_once_how_the_terminal_is(screen: Screen) -> None:
    screen.health(HEALTH)  # said to nobody
    events = attached(screen)
    (said,) = read(events)
    assert said["parts"] == [["camera", "failed", "unplugged"]]
    assert (said["people"], said["pending"], said["failed"], said["fps"]) == (3, 5, 6, 15.0)
    os.close(events)


def test_while_nobody_reads_messages_are_dropped_and_counted_and_the_door_does_not_wait(screen: Screen, time: Time) -> None:
    events = attached(screen)
    while screen.dropped == 0:
        screen.event(punch("x" * 200))
    assert screen.full_s == 0.0
    time.now += 5
    screen.event(punch("x" * 200))
    assert (screen.dropped, screen.full_s) == (2, 5.0)
    whole = read(events)
    assert whole  # each one is whole, or json would not have read it
    screen.event(punch())
    assert (screen.dropped, screen.full_s) == (2, 0.0)
    os.close(events)


def test_a_process_that_has_ended_is_told_nothing_more_and_another_begins_anew(screen: Screen) -> None:
    os.close(attached(screen))
    screen.event(punch())
    screen.event(punch())
    assert screen.full_s == 0.0
    events = attached(screen)
    screen.event(punch("Robin Sample"))
    assert [said["name"] for said in read(events)] == ["Robin Sample"]
    os.close(events)


def test_the_end_of_the_daemon_is_the_end_of_the_pipe(screen: Screen) -> None:
    events = attached(screen)
    screen.close()
    assert os.read(events, 1) == b""
    screen.close()
    screen.event(punch())  # and nothing is raised
    os.close(events)


def test_the_daemon_keeps_no_reading_end_so_that_nothing_can_come_back(screen: Screen) -> None:
    before = set(descriptors())
    with screen.channel() as (events, pictures):
        process = [os.dup(events), os.dup(pictures)]  # what the process that is begun has
        ours = {target(events), target(pictures)}
    kept = [number for number in descriptors() if number not in {*before, *process} and target(number) in ours]
    assert len(kept) == 2
    assert all(flags(number) & os.O_ACCMODE == os.O_WRONLY for number in kept)
    for number in process:
        os.close(number)


def test_where_the_process_cannot_be_begun_nothing_is_left_open(screen: Screen) -> None:
    before = descriptors()
    with pytest.raises(OSError, match="no process"), screen.channel():
        raise OSError("no process")
    assert descriptors() == before
    screen.event(punch())


def descriptors() -> list[int]:
    """That are open in this process."""
    return [number for number in range(1024) if target(number)]


def target(number: int) -> str:
    """What is open by a number; empty where nothing is."""
    try:
        return str(Path(f"/proc/self/fd/{number}").readlink())
    except OSError:
        return ""


def flags(number: int) -> int:
    lines = Path(f"/proc/self/fdinfo/{number}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("flags")).split()[1], 8)
