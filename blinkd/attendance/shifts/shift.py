"""A shift, and what it comes to on one date: wall times of the site turned into real time.

Terms and meanings are those of Frappe HR's Shift Type.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(7))

Determine = Literal["alternating", "log_type"]
Hours = Literal["first_in_last_out", "every_pair"]


@dataclass(frozen=True, slots=True)
class Break:
    """An unpaid break, wall times within the shift; of an overnight shift it may lie on the next day."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Shift:
    """One kind of working day. An end that is not after the start on the clock is on the next day.

    weekdays: 0 Monday, of the date on which it starts; late_grace_min, early_grace_min: late entry and early exit grace period;
    overtime_after_min: later than the end by more than this is overtime; check_in_before_min, check_out_after_min: begin check-in
    before shift start time, allow check-out after shift end time; half_day_below_h, absent_below_h: working hours thresholds; determine:
    determine check-in and check-out; hours: working hours calculation based on; check_in_until: for directions by time window, what comes
    before it is IN, from it on OUT (None: the middle of the shift).
    """

    name: str
    start: time
    end: time
    weekdays: frozenset[int] = EVERY_DAY
    breaks: tuple[Break, ...] = ()
    late_grace_min: int = 0
    early_grace_min: int = 0
    overtime_after_min: int = 0
    check_in_before_min: int = 60
    check_out_after_min: int = 60
    half_day_below_h: float = 0.0
    absent_below_h: float = 0.0
    determine: Determine = "alternating"
    hours: Hours = "first_in_last_out"
    check_in_until: time | None = None

    @property
    def overnight(self) -> bool:
        """Whether it ends on the next day."""
        return self.end <= self.start


@dataclass(frozen=True, slots=True)
class ShiftDay:
    """A shift on one date; aware UTC. Punches with opens <= time < closes belong to it; turn: where IN ends and OUT begins, for
    directions by time window.
    """  # fmt: skip

    shift: Shift
    date: date
    opens: datetime
    start: datetime
    end: datetime
    closes: datetime
    breaks: tuple[tuple[datetime, datetime], ...]
    turn: datetime


def shift_day(shift: Shift, day: date, zone: ZoneInfo) -> ShiftDay:
    """What a shift comes to on a date.

    A wall time that a night skips (spring) is as long after midnight as it would have been; one that a night has twice (autumn) is the first.
    """
    start = real(day, shift.start, zone)
    end = real(day + timedelta(days=shift.overnight), shift.end, zone)
    breaks = []
    for one in shift.breaks:
        begins = day + timedelta(days=shift.overnight and one.start < shift.start)
        ends = begins + timedelta(days=one.end <= one.start)
        breaks.append((real(begins, one.start, zone), real(ends, one.end, zone)))
    before, after = timedelta(minutes=shift.check_in_before_min), timedelta(minutes=shift.check_out_after_min)
    turn = start + (end - start) / 2
    if (until := shift.check_in_until) is not None:
        turn = real(day + timedelta(days=shift.overnight and until < shift.start), until, zone)
    return ShiftDay(shift, day, start - before, start, end, end + after, tuple(breaks), turn)


def real(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Aware UTC of a wall time."""
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)
