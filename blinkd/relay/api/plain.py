"""Finds embeddings in clear: the relay stores none, whoever sends it and whatever it is called."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from blinkd.errors import RequestRefused

NAMES = ("embedding", "vector", "descriptor", "template", "feature", "encoding")  # within a member's name, in any case
FEWEST_NUMBERS = 8  # a list of so many is an embedding, or a part of one; no record of the API has a list of numbers
FEWEST_FLOATS = 16  # so many plausible floats in a row are no accident: see `looks_plain`
# Sizes of the parts of embeddings, normalised or not. 40 of the 256 exponents of a float32 lie between, so 16 random floats all do so
# once in 10^13 times; of a float64's exponents far fewer.
SMALLEST, LARGEST = 1e-8, 1e4
# Pearson's statistic of the 256 byte values, against every value being equally likely. Ciphertext has 255 with a standard deviation of
# 22.6 (at most 384 in a million simulated texts of 256 to 1,280 bytes), float32 vectors of 128 numbers have at least 1,376, float16 504.
FEWEST_BYTES, MOST_UNEVEN = 256, 480.0
FEWEST_LETTERS = 64  # so many random bytes are all ASCII once in 10^19 times
FLOATS: tuple[tuple[Literal["f", "d"], int], ...] = (("f", 4), ("d", 8))  # and their bytes
DEEPEST = 64  # levels of a body; the API's own have four
REMEDY = "seal it in an envelope on the device that made it; the relay never takes a face's vector in clear"


def refuse_plain(value: object) -> None:
    """Look through a JSON value. Raises RequestRefused (422, plain_embedding) for an embedding, (422, malformed) for one nested too deep."""
    waiting = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > DEEPEST:
            raise RequestRefused(422, "malformed", f"nested deeper than {DEEPEST} levels")
        if isinstance(one, Mapping):
            for name, inner in one.items():
                if any(word in name.lower() for word in NAMES):
                    raise RequestRefused(422, "plain_embedding", f"a member named {name[:40]!a}: {REMEDY}")
                waiting.append((inner, depth + 1))
        elif isinstance(one, list):
            if sum(type(inner) in (int, float) for inner in one) >= FEWEST_NUMBERS:
                raise RequestRefused(422, "plain_embedding", f"a list of numbers: {REMEDY}")
            waiting.extend((inner, depth + 1) for inner in one)


def refuse_unsealed(ciphertext: bytes) -> None:
    """Raises RequestRefused (422, plain_embedding) for bytes that never came out of a cipher."""
    if looks_plain(ciphertext):
        raise RequestRefused(422, "plain_embedding", f"an envelope whose ciphertext is none: {REMEDY}")


def looks_plain(data: bytes) -> bool:
    """Whether bytes are text, an array of floats in either byte order, or anything else in which some byte values are far more frequent.

    A vector in few bytes of whole numbers cannot be told from ciphertext by looking at it.
    """
    if len(data) >= FEWEST_LETTERS and data.isascii():
        return True
    if len(data) >= FEWEST_BYTES and unevenness(data) > MOST_UNEVEN:
        return True
    for kind, size in FLOATS:
        if len(data) < FEWEST_FLOATS * size:
            continue
        numbers = array(kind)
        numbers.frombytes(data[: FEWEST_FLOATS * size])
        swapped = array(kind, numbers)
        swapped.byteswap()
        if _plausible(numbers) or _plausible(swapped):
            return True
    return False


def unevenness(data: bytes) -> float:
    """Pearson's chi-squared statistic of the byte values, 255 degrees of freedom."""
    expected = len(data) / 256
    counts = Counter(data).values()
    return sum((count - expected) ** 2 for count in counts) / expected + (256 - len(counts)) * expected


def _plausible(numbers: Iterable[float]) -> bool:
    return all(one == 0 or (math.isfinite(one) and SMALLEST < abs(one) < LARGEST) for one in numbers)
