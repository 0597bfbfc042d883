"""Looks for secrets in captured bytes, whatever they are wrapped in: base64 at any alignment, hexadecimal, URL and JSON escapes, compression.

What is captured is unwrapped rather than the secrets wrapped: so a secret is found in the middle of something longer, and in one wrapping
inside another.
"""

import binascii
import bz2
import lzma
import re
import unicodedata
import urllib.parse
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from blinkd.vision.face import Embedding

DEEPEST = 3  # wrappings inside one another
BASE64_RUN, HEX_RUN = re.compile(rb"[A-Za-z0-9+/_-]{8,}"), re.compile(rb"[0-9A-Fa-f]{8,}")
LONG_HEX = 32  # characters, of which a run that is hexadecimal is no base64
ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")
URL_SAFE = bytes.maketrans(b"-_", b"+/")
JSON_ESCAPE = re.compile(rb"(?:\\{1,2}u[0-9a-fA-F]{4})+")  # with two of them where the JSON itself was escaped, as pg_dump does
FIGURES, FIGURE_LENGTHS = re.compile(rb"[0-9:T.]{8,}"), (8, 10, 13)
COMPRESSED: Mapping[bytes, Callable[[], "zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor"]] = {
    b"\x1f\x8b\x08": lambda: zlib.decompressobj(31),
    b"\x78\x01": zlib.decompressobj,
    b"\x78\x5e": zlib.decompressobj,
    b"\x78\x9c": zlib.decompressobj,
    b"\x78\xda": zlib.decompressobj,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lzma.LZMADecompressor,
}
LONGEST_STREAM = 1 << 20
SHORTEST_TEXT = 8  # characters: in 100 MB of random base64, any case, one such text stands by chance once in ten thousand times
WINDOW = 8  # bytes: any 16 bytes of an embedding or a key hold 8 of them that begin at a multiple of 8
CHANCE = 5  # of twenty punches or more whose seconds stand somewhere in 4 bytes: so many do in 10 MB of noise once in ten million times
NEXT = b"\n\x00\n"  # between pieces that do not belong together


@dataclass(frozen=True)
class Secrets:
    """What must not be known, each by what it is called. vectors: (D,) float32; times: of punches, aware; zone_s: of the terminal's zone,
    seconds east of UTC.
    """  # fmt: skip

    texts: Mapping[str, str] = field(default_factory=dict)
    vectors: Mapping[str, Embedding] = field(default_factory=dict)
    keys: Mapping[str, bytes] = field(default_factory=dict)
    times: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    zone_s: int = 0


class Haystack:
    """Captured bytes in every form that they can be unwrapped to."""

    def __init__(self, captured: bytes) -> None:
        pieces = [captured]
        known = {captured}
        level = [captured]
        for _ in range(DEEPEST):
            level = [piece for before in level for piece in unwrapped(before) if len(piece) >= WINDOW and piece not in known]
            known.update(level)
            pieces += level
        self.bytes = NEXT.join(pieces)
        self.folded = self.bytes.lower()
        # every text that may be one of `_said`, so that thousands of times need no search each
        runs = [run for run in FIGURES.findall(self.bytes) if len(run) >= min(FIGURE_LENGTHS)]
        self.figures = {run[at : at + length] for run in runs for length in FIGURE_LENGTHS for at in range(len(run) - length + 1)}

    def found(self, secrets: Secrets) -> set[str]:
        """Which of the secrets are in it."""
        hits = {kind for kind, text in secrets.texts.items() if any(form in self.folded for form in written(text))}
        windows = dict[bytes, str]()
        for kind, vector in secrets.vectors.items():
            for form in ("<f4", ">f4", "<f2", ">f2", "<f8", ">f8"):
                windows |= dict.fromkeys(_aligned(vector.astype(form).tobytes()), kind)
            numbers = [f"{float(number):.9f}"[:8].encode() for number in vector[:8]]
            if any(number in self.bytes for number in numbers if number.strip(b"-0.")):
                hits.add(kind)
        for kind, key in secrets.keys.items():
            windows |= {key[at : at + WINDOW]: kind for at in range(len(key) - WINDOW + 1)}
        for kind, times in secrets.times.items():
            windows |= dict.fromkeys((value for time in times for value in _moments(time)), kind)
            if not self.figures.isdisjoint(text for time in times for text in _said(time, secrets.zone_s)):
                hits.add(kind)
        hits |= {windows[one] for one in self._stand(list(windows), WINDOW)}
        seconds = {
            int(time.timestamp()).to_bytes(4, order): kind for kind, times in secrets.times.items() for time in times for order in ORDERS
        }
        counted = Counter(seconds[one] for one in self._stand(list(seconds), 4))
        hits |= {kind for kind, count in counted.items() if count >= CHANCE}
        return hits

    def _stand(self, needles: Sequence[bytes], width: int) -> set[bytes]:
        """Which of the needles of one width, 4 or 8 bytes, stand in it, at whatever place."""
        wanted = set(needles)
        if not wanted:
            return set()
        starts = np.zeros(1 << 16, bool)
        starts[np.array([int.from_bytes(needle[:2], "little") for needle in wanted], np.int64)] = True
        hay = np.frombuffer(self.bytes, np.uint8)
        pairs = hay[:-1].astype(np.uint16) | (hay[1:].astype(np.uint16) << 8)
        places = np.flatnonzero(starts[pairs[: max(0, hay.size - width + 1)]])
        values = np.sort(np.frombuffer(b"".join(wanted), f"V{width}").view(f"<u{width}"))
        rows = hay[places[:, None] + np.arange(width)] if places.size else np.zeros((0, width), np.uint8)
        there = np.ascontiguousarray(rows).view(f"<u{width}")[:, 0] if places.size else np.zeros(0, f"<u{width}")
        return {int(value).to_bytes(width, "little") for value in np.intersect1d(there, values)}


def written(text: str) -> list[bytes]:
    """A text as it may be written, all of it with small ASCII letters."""
    assert len(text) >= SHORTEST_TEXT, f"{text!r} is so short that it stands anywhere by chance"
    forms = {unicodedata.normalize(form, case) for case in (text, text.lower(), text.upper()) for form in ("NFC", "NFD")}
    found = {form.encode(coding).lower() for form in forms for coding in ("utf-8", "utf-16-le", "utf-16-be")}
    return sorted(found | {form.encode("latin-1").lower() for form in forms if all(ord(letter) < 256 for letter in form)})


def unwrapped(data: bytes) -> Iterator[bytes]:
    """What may be inside of it, one wrapping deep; pieces of one kind together."""
    for alignment in range(4):
        yield NEXT.join(_base64(run, alignment) for run in BASE64_RUN.findall(data) if len(run) < LONG_HEX or not HEX_RUN.fullmatch(run))
    for alignment in range(2):
        yield NEXT.join(_hexadecimal(run.group()[alignment:]) for run in HEX_RUN.finditer(data))
    if b"%" in data:
        yield urllib.parse.unquote_to_bytes(data)
    if b"\\u" in data:
        yield JSON_ESCAPE.sub(_letters, data)
    yield NEXT.join(_inflated(data))


def _base64(run: bytes, alignment: int) -> bytes:
    text = run[alignment:].translate(URL_SAFE)
    return binascii.a2b_base64(text + b"A" * (-len(text) % 4))


def _letters(escaped: re.Match[bytes]) -> bytes:
    units = escaped.group().replace(b"\\", b"").split(b"u")[1:]
    return b"".join(int(unit, 16).to_bytes(2, "big") for unit in units).decode("utf-16-be", "replace").encode()


def _hexadecimal(run: bytes) -> bytes:
    return binascii.unhexlify(run[: len(run) // 2 * 2])


def _inflated(data: bytes) -> Iterator[bytes]:
    for magic, opened in COMPRESSED.items():
        at = data.find(magic)
        while at >= 0:
            try:
                if content := opened().decompress(data[at : at + LONGEST_STREAM], LONGEST_STREAM):
                    yield content
            except (zlib.error, OSError, EOFError, lzma.LZMAError):
                pass  # it only looked like one
            at = data.find(magic, at + 1)


def _aligned(data: bytes) -> list[bytes]:
    return [data[at : at + WINDOW] for at in range(0, len(data) - WINDOW + 1, WINDOW)]


def _moments(time: datetime) -> list[bytes]:
    """8 bytes each: seconds to nanoseconds since 1970 as whole numbers, seconds as a float; either byte order."""
    since = int(time.timestamp()) * 10**6 + time.microsecond
    whole = [since // 10**6, since // 10**3, since, since * 10**3]
    return [value.to_bytes(8, order) for value in whole for order in ORDERS] + [
        np.array(time.timestamp(), form).tobytes() for form in ("<f8", ">f8")
    ]


def _said(time: datetime, zone_s: int) -> list[bytes]:
    """Times of day as texts, and seconds since 1970, by which milliseconds and all finer ones begin too."""
    here = [
        f"{one:{form}}".encode() for one in (time, time + timedelta(seconds=zone_s)) for form in ("%H:%M:%S", "%Y%m%dT%H%M", "%H%M%S.%f")
    ]  # as long as FIGURE_LENGTHS say
    return [*here, str(int(time.timestamp())).encode()]
