"""From keys to what somebody wants: number, Enter, PIN, Enter; or a code that a reader types, and Enter."""

from dataclasses import dataclass, field
from typing import Literal

from blinkd.crypto.pins import BADGE_PREFIX, LONGEST_CODE, SHORTEST_CODE
from blinkd.entry.keys import Key

FAST_S = 0.04  # mean time between two keys below which it was no hand: readers type with 1 to 20 ms, quick hands with 100


@dataclass(frozen=True, slots=True)
class PinTyped:
    """A number and a PIN, neither of which shows where this is printed."""

    number: str = field(repr=False)
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeRead:
    """A badge's code, or a card's number."""

    code: str = field(repr=False)


Wanted = PinTyped | CodeRead


class Typing:
    """What has been typed so far; times are monotonic seconds, but for those of keys."""

    def __init__(self, timeout_s: float) -> None:
        """timeout_s: without a key for so long, all is forgotten."""
        self._timeout_s = timeout_s
        self._touched = 0.0
        self._number: str | None = None
        self._text: list[Key] = []
        self._spoilt = False  # keys are missing: nothing counts until the next Enter

    @property
    def asks_for(self) -> Literal["nothing", "number", "pin"]:
        """What the person before the keypad is at, for a display."""
        return "pin" if self._number is not None else "number" if self._text else "nothing"

    def forget_old(self, now: float) -> None:
        """Whoever began has gone."""
        if now - self._touched > self._timeout_s:
            self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._number, self._spoilt = None, False
        self._text.clear()

    def take(self, key: Key, now: float) -> Wanted | None:
        """One key; returns what was meant, once it is complete."""
        self.forget_old(now)
        self._touched = now
        if key.name == "clear":
            self.clear()
        elif key.name == "lost":
            self.clear()
            self._spoilt = True
        elif key.name == "back":
            del self._text[-1:]
        elif key.name == "enter":
            return self._enter()
        elif len(self._text) < LONGEST_CODE:
            self._text.append(key)
        else:
            self._spoilt = True
        return None

    def _enter(self) -> Wanted | None:
        text, quick = "".join(key.name for key in self._text), self._quick()
        spoilt, number = self._spoilt, self._number
        self.clear()
        if spoilt or not text:
            return None
        if quick or text.startswith(BADGE_PREFIX):
            return CodeRead(text)
        if number is None:
            self._number = text
            return None
        return PinTyped(number, text)

    def _quick(self) -> bool:
        """Whether a reader has typed it."""
        if len(self._text) < SHORTEST_CODE:
            return False
        return 0 <= self._text[-1].t - self._text[0].t < FAST_S * (len(self._text) - 1)
