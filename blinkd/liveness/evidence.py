"""The third value of the flow: what speaks for a live person on one unbroken track."""

import math
from dataclasses import dataclass
from typing import Literal

from blinkd.liveness.blink import BlinkCounter
from blinkd.liveness.turn import TurnDetector
from blinkd.settings import LivenessSettings
from blinkd.vision.face import Face


@dataclass(frozen=True, slots=True)
class Cue:
    """One thing that happened: a blink (with its length) or a head turn (with its side), at time t in seconds."""

    kind: Literal["blink", "head_turn"]
    t: float
    detail: dict[str, float | str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Cues of one track within a span of time, and whether the policy is content with them."""

    blinks: int
    turns: int
    live: bool


class LivenessJudge:
    """Collects cues along one unbroken track; a new track needs a new judge."""

    def __init__(self, settings: LivenessSettings) -> None:
        self._require = settings.require
        self._blink = BlinkCounter(settings)
        self._turn = TurnDetector(settings)
        self._cues: list[Cue] = []

    def observe(self, t: float, face: Face) -> list[Cue]:
        """Take one frame of the track, t in seconds; return the cues that it completed."""
        cues: list[Cue] = []
        if blink := self._blink.observe(t, face):
            count = self.evidence().blinks + 1
            cues.append(Cue("blink", t, {"count": count, "closed_ms": round(blink.closed_ms), "ear": round(blink.lowest_ear, 3)}))
        if side := self._turn.observe(t, face):
            cues.append(Cue("head_turn", t, {"direction": side, "ratio": round(face.yaw_ratio, 2)}))
        self._cues += cues
        return cues

    def discard(self, cue: Cue) -> None:
        """Forget a cue that turned out to be another person's."""
        self._cues.remove(cue)

    def evidence(self, after: float = -math.inf, before: float = math.inf) -> Evidence:
        """Judge by the cues between two times in seconds (both excluded).

        The session asks for the span between the first and the last embedding, so that the face which gave the cues is
        known to be the face that was recognised, before them and after them.
        """
        kinds = [cue.kind for cue in self._cues if after < cue.t < before]
        blinks, turns = kinds.count("blink"), kinds.count("head_turn")
        live = {
            "none": True,
            "blink": blinks > 0,
            "blink_or_turn": blinks > 0 or turns > 0,
            "blink_and_turn": blinks > 0 and turns > 0,
        }[self._require]
        return Evidence(blinks, turns, live)
