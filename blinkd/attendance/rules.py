"""What a punch does and how it stands to the shift, at the moment when it is made."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from blinkd.attendance.punch import Direction, Punctuality
from blinkd.attendance.shifts.punctuality import ON_TIME, Mode, direction_of, judge
from blinkd.attendance.shifts.rota import Rota
from blinkd.clock import BUILT


@dataclass(frozen=True, slots=True)
class Verdict:
    """minutes: late, early or over, 0 when ON_TIME; shift: the name of the one that was applied."""

    status: Direction
    punctuality: Punctuality
    minutes: int
    shift: str | None


class Rules:
    """Shifts and directions of one terminal."""

    def __init__(self, mode: Mode, rota: Callable[[int], Rota]) -> None:
        """rota: of one person, by pseudonym, as the book has it now."""
        self._mode = mode
        self._rota = rota

    def plausible(self, utc: datetime) -> bool:
        """Whether a clock that shows this can be right at all."""
        return utc >= BUILT

    def decide(self, subject: int, utc: datetime, last: tuple[Direction, datetime] | None) -> Verdict:
        """Judge a punch at an aware time. last: direction and aware time of the person's last punch, on the same clock.

        A clock that cannot be right says nothing of shifts: then only the turn counts.
        """
        rota = self._rota(subject)
        known = self.plausible(utc)
        day = rota.placed(subject, utc) if known else None
        last_day = rota.placed(subject, last[1]) if known and last is not None else None
        status = direction_of(self._mode, last, utc, day, last_day, rota.zone)
        judged = judge(utc, status, day) if day is not None else ON_TIME
        return Verdict(status, judged.punctuality, judged.minutes, None if day is None else day.shift.name)
