"""The display channel: what the daemon writes for the terminal's own pages, by two pipes of which it holds the writing ends only.

So nothing that happens in the pages can come back by it. `events` carries lines of JSON, each shorter than PIPE_BUF and so written whole or
not at all; `pictures` carries JPEGs, each behind a header.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from select import PIPE_BUF
from typing import Any, Final

MAGIC: Final = b"blpx"
HEAD: Final = struct.Struct("<4sII")  # magic, bytes of the JSON that follows, bytes of the JPEG behind it
MOST_INFO_BYTES: Final = 4096
MOST_PICTURE_BYTES: Final = 8 << 20  # a reader that sees more is not reading at a picture's beginning
LONGEST_TEXT: Final = 200  # characters of one text in a line: a name may have so many
SHORTER: Final = (60, 20, 8)  # where all of them together do not fit


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """What goes with a picture. t: seconds of CLOCK_MONOTONIC at which it was taken, which is the same in every process; box: x, y, width, height
    of the tracked face as shares of the picture, None where there is none; state: of the session; hint: what the person could do before a session
    begins ("closer"), else empty; mirrored: whether it is left-right already as a mirror shows it.
    """  # fmt: skip

    t: float
    width: int
    height: int
    box: tuple[float, float, float, float] | None
    state: str
    hint: str
    mirrored: bool


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture with its info; jpeg: the whole file."""

    info: PictureInfo
    jpeg: bytes


def line_of(values: Mapping[str, Any]) -> bytes:
    """One message, as a line shorter than PIPE_BUF: texts that are too long are cut, with three dots at their end."""
    for longest in (LONGEST_TEXT, *SHORTER):
        line = json.dumps(_cut(values, longest), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        if len(line) <= PIPE_BUF:
            return line
    # nothing that the daemon writes has so many members
    return json.dumps({"kind": values.get("kind"), "cut": True}).encode() + b"\n"


def head_of(info: PictureInfo, jpeg_bytes: int) -> bytes:
    """What stands before a JPEG of so many bytes."""
    text = json.dumps(asdict(info), separators=(",", ":")).encode()
    return HEAD.pack(MAGIC, len(text), jpeg_bytes) + text


def info_of(text: bytes) -> PictureInfo:
    """From the JSON of a head. Raises ValueError."""
    try:
        values = json.loads(text)
        box = values.pop("box")
        return PictureInfo(**values, box=None if box is None else (box[0], box[1], box[2], box[3]))
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"no picture's head: {error}") from None


def _cut(value: Any, longest: int) -> Any:  # noqa: ANN401  JSON
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + "…"
    if isinstance(value, Mapping):
        return {key: _cut(one, longest) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(one, longest) for one in value]
    return value
