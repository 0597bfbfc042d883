"""IN or OUT, and on time or not: pure functions of a moment and the shift that it belongs to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from blinkd.attendance.punch import Direction, Punctuality
from blinkd.attendance.shifts.shift import ShiftDay

Mode = Literal["alternate", "window", "in", "out"]
MINUTE = timedelta(minutes=1)
LINGER = timedelta(hours=6)  # so long before the start or after the end of a shift a punch outside of every window may still be of it


@dataclass(frozen=True, slots=True)
class Judgement:
    """minutes: whole ones after the start (LATE), before the end (EARLY_LEAVE) or after it (OVERTIME); 0 when ON_TIME."""

    punctuality: Punctuality
    minutes: int


ON_TIME = Judgement(Punctuality.ON_TIME, 0)


def judge(utc: datetime, direction: Direction, day: ShiftDay | None) -> Judgement:
    """Judge a punch at an aware time by the shift day that it belongs to; without one there is nothing to be late for.

    A grace ends with its last minute's full stroke: at 09:10:00 a check-in with ten minutes' grace is ON_TIME, any moment later it is LATE
    with the whole minutes since the start (10 at 09:10:01). Differences are real time.
    """
    if day is None:
        return ON_TIME
    shift = day.shift
    if direction is Direction.CHECK_IN:
        late = utc - day.start
        return Judgement(Punctuality.LATE, late // MINUTE) if late > shift.late_grace_min * MINUTE else ON_TIME
    early, over = day.end - utc, utc - day.end
    if early > shift.early_grace_min * MINUTE:
        return Judgement(Punctuality.EARLY_LEAVE, early // MINUTE)
    if over > shift.overtime_after_min * MINUTE:
        return Judgement(Punctuality.OVERTIME, over // MINUTE)
    return ON_TIME


def direction_of(
    mode: Mode, last: tuple[Direction, datetime] | None, utc: datetime, day: ShiftDay | None, last_day: ShiftDay | None, zone: ZoneInfo
) -> Direction:
    """What a punch at an aware time does.

    last: direction and aware time of the person's last punch, last_day: the shift day to which that belongs. In turn, each shift day, and
    each local day outside of shifts, begins with IN: a check-out forgotten yesterday must not turn this morning's arrival into a departure.
    Whoever came before the shift's window opened, or leaves after it has closed, over midnight too, still leaves.
    """
    if mode in ("in", "out"):
        return Direction.CHECK_IN if mode == "in" else Direction.CHECK_OUT
    if mode == "window" and day is not None:
        return Direction.CHECK_IN if utc < day.turn else Direction.CHECK_OUT
    if last is None or last[0] is Direction.CHECK_OUT:
        return Direction.CHECK_IN
    if day is not None and last_day is not None:
        same = (day.date, day.shift.name) == (last_day.date, last_day.shift.name)
    elif day is not None:
        same = day.start - last[1] < LINGER
    elif last_day is not None:
        same = utc - last_day.end < LINGER
    else:
        same = last[1].astimezone(zone).date() == utc.astimezone(zone).date()
    return Direction.CHECK_OUT if same else Direction.CHECK_IN
