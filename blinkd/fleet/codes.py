"""Codes that people read from one screen and type into another: base 32 by Crockford's alphabet, and a check against slips.

The letters I, L, O and U do not occur; who types the first three is understood all the same.
"""

import hashlib

from blinkd.errors import BundleRefused

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOKALIKES = str.maketrans("OIL", "011")
GROUP = 4  # characters between two hyphens
BYTES_AT_ONCE, CHARACTERS_AT_ONCE = 5, 8  # 40 bits
CHECK = 4  # characters: of a million slips one passes
CONTEXT = b"blinkd code 1\n"


def code_of(value: bytes) -> str:
    """The code of so many bytes, a multiple of five: groups of four characters, the last of which is the check."""
    if len(value) % BYTES_AT_ONCE:
        raise ValueError(f"{len(value)} bytes; a code is made of a multiple of {BYTES_AT_ONCE}")
    text = _letters(value) + _check(value)
    return "-".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))


def value_of(code: str, length: int) -> bytes:
    """The bytes of a code, however it was typed. Raises BundleRefused when it is not a code of so many bytes, or a character is wrong."""
    typed = "".join(letter for letter in code.rpartition(":")[2].upper() if not letter.isspace() and letter not in "-_.").translate(
        LOOKALIKES
    )
    wanted = length // BYTES_AT_ONCE * CHARACTERS_AT_ONCE + CHECK
    if len(typed) != wanted:
        raise BundleRefused(f"the code has {len(typed)} characters instead of {wanted}; read it again, groups of {GROUP} and all of them")
    if strange := sorted(set(typed) - set(ALPHABET)):
        raise BundleRefused(f"the code holds {' '.join(strange)}, which no code does; read it again")
    number = 0
    for letter in typed[:-CHECK]:
        number = number << 5 | ALPHABET.index(letter)
    value = number.to_bytes(length, "big")
    if _check(value) != typed[-CHECK:]:
        raise BundleRefused("a character of the code is wrong; read it again")
    return value


def _letters(value: bytes) -> str:
    number = int.from_bytes(value, "big")
    count = len(value) // BYTES_AT_ONCE * CHARACTERS_AT_ONCE
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(count)))


def _check(value: bytes) -> str:
    return _letters(hashlib.sha256(CONTEXT + value).digest()[:BYTES_AT_ONCE])[:CHECK]
