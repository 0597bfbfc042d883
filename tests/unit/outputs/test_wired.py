import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.proof import in_order, prove
from blinkd.clock import Instant
from blinkd.errors import ConfigError, LinesFailed
from blinkd.outputs.door import Door
from blinkd.outputs.gpio import GpioLines
from blinkd.outputs.signals import Signals
from blinkd.outputs.wired import open_wired
from blinkd.settings import DoorSettings, Settings, SignalSettings
from tests.unit.attendance.clocks import SetClock
from tests.unit.outputs.boards import Board, health
from tests.unit.store.stores import open_store

DOOR = DoorSettings(driver="lgpio", lock_line=17, contact_line=27)
LAMPS = SignalSettings(driver="lgpio", green_line=23, red_line=24)


class NoBook:
    def append(self, kind: str, members: Mapping[str, Any], now: Instant, note: str | None = None) -> int:
        raise AssertionError((kind, members, now, note))


def test_nothing_is_wired_by_default_and_no_board_is_opened() -> None:
    board = Board()
    assert open_wired(Settings(), NoBook(), SetClock(), board.lines) == []
    assert board.opened == []


def test_door_and_signals_share_the_board_and_give_every_line_back() -> None:
    board = Board()
    outputs = open_wired(Settings(door=DOOR, signals=LAMPS), NoBook(), SetClock(), board.lines)
    assert [type(one) for one in outputs] == [Door, Signals]
    assert board.opened == ["lgpio"]
    assert [number for number in range(2, 28) if board.driven(number)] == [17, 23, 24]
    for one in outputs:
        one.close()
        one.close()
    assert [number for number in range(2, 28) if board.driven(number)] == []


class Watched(GpioLines):
    """Lines that tell when the door's thread has looked often enough to believe what it sees."""

    def __init__(self, board: Board) -> None:
        super().__init__(board.factory)
        self.looks, self.seen = 0, threading.Event()

    def sense(self, number: int) -> Any:
        sense = super().sense(number)
        real = sense.closed

        def closed() -> bool:
            self.looks += 1
            if self.looks > 3:  # the third look has been acted on
                self.seen.set()
            return real()

        sense.closed = closed  # type: ignore[method-assign]
        return sense


def test_a_forced_door_stands_in_the_signed_book(tmp_path: Path) -> None:
    board = Board()
    lines = Watched(board)
    with open_store(tmp_path) as store:
        (door,) = open_wired(Settings(door=DOOR), store.book, SetClock(), lambda _: lines)
        board.contact(27, closed=True)
        for closed in (True, False):
            board.contact(27, closed=closed)
            lines.looks = 0
            lines.seen.clear()
            assert lines.seen.wait(30)
        door.health(health())
        door.close()
        assert [(content["kind"], content["what"]) for _, content, _ in store.book.entries("door")] == [("door", "forced_open")]
        entries, strays = store.book.audit()
        assert prove(in_order(entries, strays), [], None).ok


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (Settings(door=DOOR.model_copy(update={"contact_line": 17})), "door.lock_line and door.contact_line are both 17"),
        (Settings(door=DOOR, signals=LAMPS.model_copy(update={"red_line": 17})), "door.lock_line and signals.red_line are both 17"),
        (Settings(door=DOOR, signals=LAMPS.model_copy(update={"driver": "rpigpio"})), "one board has one"),
    ],
)
def test_a_line_with_two_meanings_is_refused_before_anything_is_driven(settings: Settings, named: str) -> None:
    board = Board()
    with pytest.raises(ConfigError, match=named):
        open_wired(settings, NoBook(), SetClock(), board.lines)
    assert board.opened == []


def test_a_line_that_is_taken_is_named_and_those_taken_before_are_given_back() -> None:
    board = Board()
    taken = board.lines("lgpio").switch(24, active_high=True)
    with pytest.raises(LinesFailed, match=r"GPIO 24: .*check that the number is right"):
        open_wired(Settings(door=DOOR, signals=LAMPS), NoBook(), SetClock(), board.lines)
    assert [number for number in range(2, 28) if board.driven(number)] == []
    taken.close()


def test_a_missing_library_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", None)
    with pytest.raises(LinesFailed, match=r"driver 'lgpio'.*apt install python3-lgpio.*set the driver to 'none'"):
        GpioLines.open("lgpio")


def test_the_program_loads_no_gpiozero_before_a_line_is_wanted() -> None:
    code = "import sys, blinkd.outputs.wired; sys.exit('gpiozero' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_health_of_what_is_wired_is_told() -> None:
    board = Board()
    outputs = open_wired(Settings(door=DOOR, signals=LAMPS), NoBook(), SetClock(), board.lines)
    for one in outputs:
        one.health(health())
    parts = [one.part() for one in outputs]
    assert [(part.name, part.state) for part in parts if part is not None] == [("door", "ok"), ("signals", "ok")]
    for one in outputs:
        one.close()
