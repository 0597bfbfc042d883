"""Builds what is wired to the terminal, from the settings."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from blinkd.clock import Clock, Instant
from blinkd.errors import ConfigError
from blinkd.outputs.door import Door, Wiring
from blinkd.outputs.gpio import GpioLines
from blinkd.outputs.latch import Alarm
from blinkd.outputs.lines import Lines, NoSwitch, Switch
from blinkd.outputs.port import Output
from blinkd.outputs.signals import Lamps, Signals
from blinkd.settings import Settings

DOOR = "door"  # entries of the book that say what happened to the door
LINES = ("door.lock_line", "door.contact_line", "door.exit_line", "signals.green_line", "signals.red_line", "signals.buzzer_line")


class Book(Protocol):
    """Where alarms are kept; the store behaves so."""

    def append(self, kind: str, members: Mapping[str, Any], now: Instant, note: str | None = None) -> int:
        """Add an entry. Raises StoreError."""


def open_wired(
    settings: Settings,
    book: Book,
    clock: Clock,
    lines: Callable[[Literal["lgpio", "rpigpio"]], Lines] = GpioLines.open,
) -> list[Output]:
    """Door and signals, at work and locked; none of what is not wired.

    book: written by the thread that calls `health` and `close`. Raises ConfigError for a line that is given twice, LinesFailed.
    """
    _refuse_double(settings)
    board: Lines | None = None
    found: list[Output] = []
    try:
        for driver in (settings.door.driver, settings.signals.driver):
            if driver != "none" and board is None:
                board = lines(driver)
        if board is not None and settings.door.driver != "none":
            found.append(_door(settings, board, book, clock))
        if board is not None and settings.signals.driver != "none":
            found.append(_signals(settings, board))
    except BaseException:
        for one in found:
            one.close()
        if board is not None:
            board.close()
        raise
    return found


def _door(settings: Settings, lines: Lines, book: Book, clock: Clock) -> Door:
    wanted = settings.door
    assert wanted.lock_line is not None  # the settings refuse a driver without it

    def note(alarm: Alarm) -> None:
        book.append(DOOR, {"what": alarm}, clock.now())

    wiring = Wiring(
        lines.switch(wanted.lock_line, active_high=wanted.active_high),
        None if wanted.contact_line is None else lines.sense(wanted.contact_line),
        None if wanted.exit_line is None else lines.sense(wanted.exit_line),
    )
    door = Door(wiring, wanted, note)
    door.start()
    return door


def _signals(settings: Settings, lines: Lines) -> Signals:
    wanted = settings.signals

    def lamp(number: int | None) -> Switch:
        return NoSwitch() if number is None else lines.switch(number, active_high=wanted.active_high)

    signals = Signals(Lamps(lamp(wanted.green_line), lamp(wanted.red_line), lamp(wanted.buzzer_line)))
    signals.start()
    return signals


def _refuse_double(settings: Settings) -> None:
    """Raise ConfigError for a line that has two meanings, and for two drivers."""
    door, signals = settings.door, settings.signals
    if "none" not in (door.driver, signals.driver) and door.driver != signals.driver:
        raise ConfigError(f"door.driver is {door.driver!r} and signals.driver {signals.driver!r}; one board has one: give both the same")
    owner: dict[int, str] = {}
    for path in LINES:
        section, _, key = path.partition(".")
        part = getattr(settings, section)
        number = getattr(part, key)
        if part.driver == "none" or number is None:
            continue
        if number in owner:
            raise ConfigError(f"{owner[number]} and {path} are both {number}; a line has one meaning: look at the wires")
        owner[number] = path
