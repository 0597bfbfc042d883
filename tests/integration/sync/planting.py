"""Secrets that are planted on purpose, each kind in each wrapping, to prove that the search finds them there."""

import base64
import gzip
import urllib.parse
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from tests.integration.sync.search import Secrets
from tests.unit.store.stores import vector

ZONE_S = 20_700
TIMES = 20


def _in_base64(before: int, alphabet: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """In the middle of something longer, so that it begins at any of the three alignments."""
    return lambda content: alphabet(b"\xff" * before + content + b"\xee" * 7).rstrip(b"=")


WRAPPINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    **{f"base64 + {before}": _in_base64(before, base64.b64encode) for before in range(3)},
    **{f"base64url + {before}": _in_base64(before, base64.urlsafe_b64encode) for before in range(3)},
    "hex": lambda content: content.hex().encode(),
    "HEX": lambda content: content.hex().upper().encode(),
    "URL": lambda content: urllib.parse.quote_from_bytes(content).encode(),
    "URL, every byte": lambda content: b"".join(b"%%%02x" % byte for byte in content),
    "JSON": lambda content: "".join(f"\\u{ord(letter):04x}" for letter in content.decode("latin-1")).encode(),
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zlib in base64": lambda content: base64.b64encode(zlib.compress(content, 9)),
    "base64 in hex": lambda content: base64.b64encode(content).hex().encode(),
}
BINARY = {"plain", "gzip", "zlib"}  # wrappings that are no text
AS_BYTES = {"URL, every byte", *WRAPPINGS} - {"JSON"}  # wrappings from which bytes come back, and not letters


@dataclass(frozen=True)
class Planted:
    """secrets: all of them, named WRAPPING: KIND; pieces: how each is planted, by the same name."""

    secrets: Secrets
    pieces: Mapping[str, bytes]

    def texts(self) -> Mapping[str, str]:
        """Those that are texts and so can be where only texts are; binary ones in base64, which is one wrapping more."""
        return {
            name: (base64.b64encode(piece) if name.split(":")[0] in BINARY else piece).decode("ascii")
            for name, piece in self.pieces.items()
        }


def planted(seed: int) -> Planted:
    """Every kind of secret in every wrapping, none of them twice."""
    random = np.random.default_rng(seed)
    texts, vectors, keys, times = dict[str, str](), dict[str, np.ndarray](), dict[str, bytes](), dict[str, list[datetime]]()
    pieces = dict[str, bytes]()
    day = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
    for place, (wrapping, wrap) in enumerate(WRAPPINGS.items()):

        def put(kind: str, content: bytes, wrapping: str = wrapping, wrap: Callable[[bytes], bytes] = wrap) -> str:
            pieces[f"{wrapping}: {kind}"] = wrap(content)
            return f"{wrapping}: {kind}"

        names = ["".join(chr(97 + int(letter)) for letter in random.integers(26, size=14)) for _ in range(4)]
        texts[put("name", names[0].encode())] = names[0]
        texts[put("name in capitals", names[1].upper().encode())] = names[1]
        if wrapping in AS_BYTES:
            texts[put("name in UTF-16", names[2].encode("utf-16-le"))] = names[2]
            accented = f"Ø{names[3]}Ž"
            texts[put("name with accents", accented.upper().encode())] = accented
        found = [vector(seed * 1000 + place * 10 + number) for number in range(4)]
        key = bytes(random.integers(256, size=32, dtype=np.uint8))
        moments = [
            [day + timedelta(days=place * 100 + kind, seconds=int(second)) for second in random.integers(3600, size=TIMES)]
            for kind in range(7)
        ]
        if wrapping in AS_BYTES:
            vectors[put("16 bytes of an embedding", found[0].astype("<f4").tobytes()[37:53])] = found[0]
            vectors[put("16 bytes of a short embedding", found[1].astype("<f2").tobytes()[129:145])] = found[1]
            vectors[put("the beginning of an embedding", found[2].astype("<f4").tobytes()[:96])] = found[2]
            keys[put("half a key", key[5:21])] = key
            micros = [int(time.timestamp()) * 10**6 for time in moments[0]]
            times[put("microseconds in 8 bytes", micros[3].to_bytes(8, "big"))] = moments[0]
            times[put("seconds in 8 bytes", np.array(moments[1][4].timestamp(), "<f8").tobytes())] = moments[1]
            times[put("seconds in 4 bytes", b"".join(int(one.timestamp()).to_bytes(4, "little") for one in moments[2]))] = moments[2]
        vectors[put("numbers of an embedding", repr([float(number) for number in found[3][:3]]).encode())] = found[3]
        times[put("ISO time", moments[3][0].isoformat().encode())] = moments[3]
        local = moments[4][0] + timedelta(seconds=ZONE_S)
        times[put("local time", f"at {local:%H:%M:%S} o'clock".encode())] = moments[4]
        times[put("milliseconds as text", str(int(moments[5][0].timestamp()) * 1000 + 123).encode())] = moments[5]
        times[put("nanoseconds as text", str(int(moments[6][0].timestamp()) * 10**9 + 123).encode())] = moments[6]
    return Planted(Secrets(texts, vectors, keys, times, ZONE_S), pieces)
