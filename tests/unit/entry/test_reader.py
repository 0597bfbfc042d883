"""The device is read by a thread of its own, and opened again when it was unplugged. A named pipe stands in its place."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.entry.keys import Key
from blinkd.entry.reader import KeyDevice, KeyReader
from blinkd.errors import ReaderLost
from tests.unit.entry.devices import typed

WAIT_S = 20.0


class Plug:
    """A keypad that can be pulled out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDWR)

    def type(self, data: bytes) -> None:
        os.write(self._end, data)

    def pull(self) -> None:
        self.path.unlink()
        os.close(self._end)


@pytest.fixture
def plug(tmp_path: Path) -> Plug:
    return Plug(tmp_path / "event7")


@pytest.fixture
def reader(plug: Plug) -> Iterator[KeyReader]:
    reader = KeyReader(plug.path)
    yield reader
    reader.close()


def keys(reader: KeyReader, count: int) -> list[Key]:
    found: list[Key] = []
    while len(found) < count:
        reader.wait(WAIT_S)
        taken = reader.typed()
        assert taken or not reader.failure, reader.failure
        found += [key for _, key in taken]
    return found


def until(reader: KeyReader, *, works: bool) -> None:
    for _ in range(100):
        if (reader.failure == "") is works:
            return
        reader.wait(0.2)
    raise AssertionError(reader.failure)


def test_what_is_typed_comes_out_in_order(plug: Plug, reader: KeyReader) -> None:
    plug.type(typed("1066"))
    assert [key.name for key in keys(reader, 5)] == [*"1066", "enter"]
    assert reader.failure == ""
    assert reader.typed() == []


def test_a_keypad_that_was_unplugged_is_said_to_be_gone_and_works_again_when_it_is_back(plug: Plug, reader: KeyReader) -> None:
    until(reader, works=True)
    plug.pull()
    until(reader, works=False)
    assert str(plug.path) in reader.failure
    assert "plug it in" in reader.failure or "ls /dev/input" in reader.failure
    again = Plug(plug.path)
    until(reader, works=True)
    again.type(typed("7"))
    assert [key.name for key in keys(reader, 2)] == ["7", "enter"]


def test_closing_does_not_wait_for_somebody_to_type(plug: Plug) -> None:
    reader = KeyReader(plug.path)
    until(reader, works=True)
    reader.close()
    reader.close()
    assert not any(thread.name == "blinkd-entry" and thread.is_alive() for thread in __import__("threading").enumerate())


def test_a_device_that_is_not_there_or_may_not_be_read_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ReaderLost, match="ls /dev/input/by-id"):
        KeyDevice(tmp_path / "missing")
