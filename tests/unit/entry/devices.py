"""What a keypad sends, as records of the kernel."""

from blinkd.entry.keys import CHARACTERS, EV_KEY, EV_SYN, RECORD

ENTER, BACK, CLEAR, LEFT_SHIFT = 28, 14, 1, 42
CODES = {name: code for code, name in CHARACTERS.items()}
HAND_S, READER_S = 0.3, 0.005  # between two keys


def record(kind: int, code: int, value: int, t: float = 0.0) -> bytes:
    return RECORD.pack(int(t), round(t % 1 * 1e6) % 1_000_000, kind, code, value)


def pressed(code: int, t: float = 0.0) -> bytes:
    """Down and up, each with the kernel's own full stop."""
    full_stop = record(EV_SYN, 0, 0, t)
    return record(EV_KEY, code, 1, t) + full_stop + record(EV_KEY, code, 0, t) + full_stop


def typed(text: str, t: float = 0.0, every_s: float = HAND_S) -> bytes:
    """A text and Enter."""
    keys = b"".join(pressed(CODES[character], t + number * every_s) for number, character in enumerate(text))
    return keys + pressed(ENTER, t + len(text) * every_s)
