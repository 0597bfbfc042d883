"""What a punch does and how it stands to the shift, at the moment when it is made."""

from dataclasses import dataclass
from datetime import datetime

from blinkd.attendance.punch import Direction, Punctuality
from blinkd.attendance.punctuality import judge, next_direction
from blinkd.clock import BUILT
from blinkd.settings import AttendanceSettings, TerminalSettings


@dataclass(frozen=True, slots=True)
class Verdict:
    """minutes: late, early or over, 0 when ON_TIME; shift: the name of the one that was applied."""

    status: Direction
    punctuality: Punctuality
    minutes: int
    shift: str | None


class Rules:
    """Shifts and directions of one terminal."""

    def __init__(self, attendance: AttendanceSettings, terminal: TerminalSettings) -> None:
        self._settings = attendance
        self._zone = terminal.zone

    def plausible(self, utc: datetime) -> bool:
        """Whether a clock that shows this can be right at all."""
        return utc >= BUILT

    def decide(self, subject: int, utc: datetime, last: tuple[Direction, datetime] | None) -> Verdict:
        """last: direction and aware time of the person's last punch."""
        status = next_direction(last, utc, self._zone)
        judged = judge(utc, status, self._zone, self._settings.shift_start, self._settings.grace_min)
        return Verdict(status, judged.punctuality, judged.minutes_late, None)
