"""Random ordered steps that only somebody who stands there can follow: a recording was made before they were drawn."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from blinkd.liveness.cue import Cue
from blinkd.vision.face import Face

Step = Literal["blink_twice", "turn_left", "turn_right", "come_closer"]
STEPS: tuple[Step, ...] = ("blink_twice", "turn_left", "turn_right", "come_closer")
TURNS: frozenset[Step] = frozenset({"turn_left", "turn_right"})
State = Literal["asked", "passed", "failed"]

CLOSER_RATIO = 1.25  # the face must grow by so much; leaning forward from 60 to 48 cm does it
BLINKS = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """One step: number counts from 1 of `of`; deadline in seconds on the source's time line."""

    step: Step
    number: int
    of: int
    deadline: float


class Challenge:
    """The steps of one visit. Left and right are the person's own, as a voice would say them.

    mirrored: whether the camera's picture is mirrored, which swaps the sides that the turn detector sees.
    """

    def __init__(self, steps: Sequence[Step], step_s: float, *, mirrored: bool) -> None:
        self._steps = tuple(steps)
        self._step_s = step_s
        self._mirrored = mirrored
        self._number = 0
        self._deadline = 0.0
        self._blinks = 0
        self._size: float | None = None
        self.state: State = "asked"
        self.failure = ""

    def ask(self, t: float) -> Asked:
        """Begin the next step at time t, seconds."""
        self._deadline = t + self._step_s
        self._blinks, self._size = 0, None
        self._number += 1
        return Asked(self._steps[self._number - 1], self._number, len(self._steps), self._deadline)

    def observe(self, t: float, face: Face, cues: list[Cue]) -> Asked | None:
        """Take one frame with the cues that were completed in it and vouched for; returns the next step when one was just fulfilled."""
        if self.state != "asked":
            return None
        step = self._steps[self._number - 1]
        if t > self._deadline:
            self._fail(f"{step}: not done in {self._step_s:g} s")
            return None
        if not self._fulfilled(step, face, cues):
            return None
        if self._number == len(self._steps):
            self.state = "passed"
            return None
        return self.ask(t)

    def _fulfilled(self, step: Step, face: Face, cues: list[Cue]) -> bool:
        turns = [str(cue.detail["direction"]) for cue in cues if cue.kind == "head_turn"]
        if step == "blink_twice":
            self._blinks += sum(cue.kind == "blink" for cue in cues)
            return self._blinks >= BLINKS
        if step == "come_closer":
            self._size = face.size if self._size is None else self._size
            return face.size >= CLOSER_RATIO * self._size
        wanted = "right" if (step == "turn_left") != self._mirrored else "left"
        if any(turn != wanted for turn in turns):
            self._fail(f"{step}: turned the other way")
            return False
        return bool(turns)

    def _fail(self, why: str) -> None:
        self.state, self.failure = "failed", why


def draw(steps: int, chance: random.Random) -> list[Step]:
    """So many steps in random order, one of them a head turn at least, which no flat thing can do.

    No step follows itself, so that one long recorded movement answers no two.
    """
    while True:
        drawn: list[Step] = []
        while len(drawn) < steps:
            drawn.append(chance.choice([step for step in STEPS if not drawn or step != drawn[-1]]))
        if TURNS & set(drawn):
            return drawn
