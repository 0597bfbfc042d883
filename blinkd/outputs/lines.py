"""The board's lines as the outputs need them, and lines to which nothing is wired."""

from typing import Protocol


class Switch(Protocol):
    """A line that switches something. Every call raises LinesFailed where the line does not obey."""

    def set(self, on: bool) -> None:
        """On or off, at once."""

    def close(self) -> None:
        """Off, and the line is given back. May be called twice; raises nothing."""


class Sense(Protocol):
    """A line that is looked at."""

    def closed(self) -> bool:
        """Whether its contact to ground is closed. Raises LinesFailed."""

    def close(self) -> None:
        """The line is given back. May be called twice; raises nothing."""


class Lines(Protocol):
    """A board's lines, by GPIO number (BCM)."""

    def switch(self, number: int, *, active_high: bool) -> Switch:
        """Take a line; it is off from then on. Raises LinesFailed."""

    def sense(self, number: int) -> Sense:
        """Take a line, held high by the board until its contact closes. Raises LinesFailed."""

    def close(self) -> None:
        """All of them are given back. May be called twice."""


class NoSwitch:
    """Nothing is wired."""

    def set(self, on: bool) -> None:
        """Nothing happens."""

    def close(self) -> None:
        """Nothing to give back."""
