"""A terminal that was away for a week has no more in memory for it than one that was away for an hour."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.clock import SystemClock
from tests.unit.sync.doors import Door, Organisation

WINDOW = 3 * 10 * 2_000  # bytes: three messages of ten entries
ROOM = 10  # times the window: each message exists as values, as JSON and as bytes, at the terminal and at the relay


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    organisation = Organisation(tmp_path)
    yield organisation
    organisation.connections.close()


def drained(door: Door, entries: int) -> int:
    """Bytes that were in use at once while so many entries were brought away."""
    with door.store.transaction():
        for number in range(entries):
            door.store.book.append("note", {"number": number}, SystemClock().now())
    tracemalloc.start()
    try:
        door.sync()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert door.store.outbox.counts()["PENDING"] == 0
    return peak


def test_how_much_waits_takes_no_memory(organisation: Organisation) -> None:
    door = organisation.door("door")
    try:
        drained(door, 30)  # what is built once
        few = drained(door, 60)
        many = drained(door, 3_000)
    finally:
        door.store.close()
    assert many < few + ROOM * WINDOW
