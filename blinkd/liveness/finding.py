"""What one passive cue says about a track so far."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["clear", "open", "unsure", "doubt", "deny"]


@dataclass(frozen=True, slots=True)
class Finding:
    """cue: which one; value: the number behind the verdict, or None where there is none yet.

    clear: speaks for a live person; open: says nothing; unsure: needs more time; doubt: a challenge should decide; deny: no live person,
    whatever else was seen.
    """

    cue: str
    verdict: Verdict
    value: float | None
