"""A board of gpiozero's own mock pins, and what the daemon would say to outputs."""

from typing import Any, Literal

from gpiozero.pins.mock import MockFactory, MockPin

from blinkd.errors import LinesFailed
from blinkd.outputs.gpio import GpioLines
from blinkd.outputs.port import Health, PartHealth, PartState
from blinkd.session.events import Event, EventKind


class Board:
    """Mock pins: what the program drives is read, and what it looks at is driven."""

    def __init__(self) -> None:
        self.factory: Any = MockFactory()
        self.opened: list[str] = []

    def lines(self, driver: Literal["lgpio", "rpigpio"]) -> GpioLines:
        self.opened.append(driver)
        return GpioLines(self.factory)

    def pin(self, number: int) -> MockPin:
        return self.factory.pin(number)

    def high(self, number: int) -> bool:
        return bool(self.pin(number).state)

    def driven(self, number: int) -> bool:
        return bool(self.pin(number).function == "output")

    def contact(self, number: int, *, closed: bool) -> None:
        """A contact to ground, in a line that the board pulls up."""
        (self.pin(number).drive_low if closed else self.pin(number).drive_high)()


class Time:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.t = 1000.0

    def __call__(self) -> float:
        return self.t


class BrokenSwitch:
    """A relay whose line is gone."""

    def __init__(self) -> None:
        self.broken = True
        self.on = True
        self.asked: list[bool] = []

    def set(self, on: bool) -> None:
        self.asked.append(on)
        if self.broken:
            raise LinesFailed("GPIO 17: the line is gone; look at the wires")
        self.on = on

    def close(self) -> None:
        pass


def health(**states: PartState) -> Health:
    """Everything that a door needs is well but for what is said."""
    parts = {"camera": "ok", "vision": "ok", "store": "ok"} | states
    return Health(tuple(PartHealth(name, state) for name, state in parts.items()), 15.0, 1, 1, 0, 0, None)


def event(kind: EventKind, t: float, **details: Any) -> Event:
    return Event(t, 1, kind, details)


def punch(t: float, **details: Any) -> Event:
    return event("punch", t, **({"person_id": "E-1", "status": "CHECK_IN"} | details))
