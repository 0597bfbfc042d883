"""A sign of life that the person gave."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Cue:
    """One thing that happened: a blink (with its length) or a head turn (with its side), at time t in seconds."""

    kind: Literal["blink", "head_turn"]
    t: float
    detail: dict[str, float | str]
