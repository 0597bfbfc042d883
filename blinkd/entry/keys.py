"""What a keypad, card or QR reader types, from the records that Linux gives of it (linux/input.h)."""

import struct
from dataclasses import dataclass
from typing import Literal

RECORD = struct.Struct("@llHHi")  # struct input_event: seconds, microseconds, type, code, value
EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3  # the kernel's buffer was full, and keys are missing
PRESSED = 1  # 0 is let go, 2 is held down
SHIFTS = (42, 54)
NAMED: dict[int, Literal["enter", "back", "clear"]] = {28: "enter", 96: "enter", 14: "back", 1: "clear", 69: "clear"}
# codes of the rows of a US keyboard, by which readers type where they are not told otherwise, and of the block of digits
ROWS = {2: "1234567890-=", 16: "QWERTYUIOP", 30: "ASDFGHJKL", 44: "ZXCVBNM,./", 71: "789-456+1230."}
CHARACTERS = {first + place: character for first, row in ROWS.items() for place, character in enumerate(row)}
SHIFTED = {"-": "_"}  # the one that ids may have


@dataclass(frozen=True, slots=True)
class Key:
    """t: seconds, of the device's clock; name: a character, capitals for letters; enter, back, clear; or lost, where keys are missing."""

    t: float
    name: str


class KeyDecoder:
    """Bytes in, keys out; a record may come in parts."""

    def __init__(self) -> None:
        """Nothing is held down."""
        self._rest = b""
        self._shift = False

    def feed(self, data: bytes) -> list[Key]:
        """The keys that were pressed."""
        data = self._rest + data
        whole = len(data) - len(data) % RECORD.size
        self._rest = data[whole:]
        return [key for record in RECORD.iter_unpack(data[:whole]) if (key := self._key(*record)) is not None]

    def _key(self, seconds: int, micros: int, kind: int, code: int, value: int) -> Key | None:
        t = seconds + micros / 1_000_000
        if (kind, code) == (EV_SYN, SYN_DROPPED):
            return Key(t, "lost")
        if kind != EV_KEY:
            return None
        if code in SHIFTS:
            self._shift = value != 0
            return None
        name = NAMED.get(code) or CHARACTERS.get(code)
        if value != PRESSED or name is None:
            return None
        return Key(t, SHIFTED.get(name, name) if self._shift else name)
