"""What lights and buzzer show: each meaning has a rhythm of its own, so that neither colour nor sound is needed to tell them apart."""

from dataclasses import dataclass
from typing import Literal

Meaning = Literal["dark", "look", "move", "granted", "refused", "trouble"]


@dataclass(frozen=True, slots=True)
class Beat:
    """For so many seconds, these are on."""

    seconds: float
    green: bool = False
    red: bool = False
    buzzer: bool = False


@dataclass(frozen=True, slots=True)
class Rhythm:
    """beats: in turn; again: from the beginning when they are over, else what was shown before comes back."""

    beats: tuple[Beat, ...]
    again: bool = False


RHYTHMS: dict[Meaning, Rhythm] = {
    "dark": Rhythm((Beat(1.0),), again=True),
    # slow and even: somebody is being looked at
    "look": Rhythm((Beat(0.5, green=True), Beat(0.5)), again=True),
    # two short tones, then quicker: the display asks for something
    "move": Rhythm((Beat(0.1, green=True, buzzer=True), Beat(0.1), Beat(0.1, green=True, buzzer=True), Beat(0.7))),
    # one long tone and a steady light
    "granted": Rhythm((Beat(0.4, green=True, buzzer=True), Beat(2.0, green=True))),
    # three short tones and three short lights
    "refused": Rhythm((Beat(0.15, red=True, buzzer=True), Beat(0.15)) * 3 + (Beat(1.0, red=True),)),
    # a flash now and then, without sound: nobody wants to hear it all night
    "trouble": Rhythm((Beat(0.1, red=True), Beat(0.2), Beat(0.1, red=True), Beat(2.6)), again=True),
}


class Player:
    """Where in which rhythm it is; times are monotonic seconds."""

    def __init__(self) -> None:
        """Dark."""
        self._meaning: Meaning = "dark"  # what lasts
        self._once: Meaning | None = None  # what is shown once, before that
        self._began = 0.0

    def last(self, meaning: Meaning, now: float) -> None:
        """Show it from now on, after what is being shown once."""
        if meaning != self._meaning:
            self._meaning = meaning
            if self._once is None:
                self._began = now

    def once(self, meaning: Meaning, now: float) -> None:
        """Show it now, once."""
        self._once, self._began = meaning, now

    def beat(self, now: float) -> tuple[Beat, float]:
        """What is on now, and for how many seconds still."""
        if self._once is not None:
            rhythm = RHYTHMS[self._once]
            if now - self._began < _length(rhythm):
                return _at(rhythm, now - self._began)
            self._once, self._began = None, now
        rhythm = RHYTHMS[self._meaning]
        return _at(rhythm, (now - self._began) % _length(rhythm))


def _length(rhythm: Rhythm) -> float:
    return sum(beat.seconds for beat in rhythm.beats)


def _at(rhythm: Rhythm, elapsed: float) -> tuple[Beat, float]:
    for beat in rhythm.beats:
        if elapsed < beat.seconds:
            return beat, beat.seconds - elapsed
        elapsed -= beat.seconds
    return rhythm.beats[-1], 0.01  # by rounding alone
