"""Who works what on which date: shifts, assignments and holidays together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Protocol
from zoneinfo import ZoneInfo

from blinkd.attendance.shifts.shift import Shift, ShiftDay, shift_day
from blinkd.errors import NotAllowed

DAY = timedelta(days=1)
SAMPLE = date(2024, 1, 1)  # a Monday, from which weekdays are counted when two shifts are laid over each other


@dataclass(frozen=True, slots=True)
class Assignment:
    """A person, by pseudonym, works a shift from a date to a date, both included; last None: for good."""

    subject: int
    shift: str
    first: date
    last: date | None

    def covers(self, day: date) -> bool:
        """Whether it holds on a date."""
        return self.first <= day and (self.last is None or day <= self.last)


Pattern = tuple[tuple[str, date, date | None], ...]
"""Shifts and dates that some people have in common: what they are expected to do is worked out once for all of them."""


class Holidays(Protocol):
    """The days on which nobody is expected."""

    def name(self, day: date) -> str | None:
        """What is celebrated, None on other days."""


class Rota:
    """Expectations. A person without any assignment works the default shift; one with assignments works those and no other."""

    def __init__(
        self, shifts: Mapping[str, Shift], default: str | None, assignments: Iterable[Assignment], holidays: Holidays, zone: ZoneInfo
    ) -> None:
        self.shifts = shifts
        self.default = default
        self.holidays = holidays
        self.zone = zone
        self._assigned: dict[int, list[tuple[str, date, date | None]]] = {}
        for one in assignments:
            self._assigned.setdefault(one.subject, []).append((one.shift, one.first, one.last))
        self._everybody: Pattern = () if default is None else ((default, date.min, None),)

    def pattern(self, subject: int) -> Pattern:
        """What a person works, in a form that is equal for people who work the same."""
        own = self._assigned.get(subject)
        return self._everybody if own is None else tuple(sorted(own, key=lambda one: (one[0], one[1])))

    def patterns(self, subjects: Iterable[int], first: date, last: date) -> tuple[list[Pattern], dict[int, int]]:
        """What people work between two dates, and by person which of it: those who differ only before or after are alike.

        The first is what everybody works who is not in the second; they are mostly nearly all.
        """
        found: dict[Pattern, int] = {self._everybody: 0}
        early, late = first - 2 * DAY, last + 2 * DAY
        of: dict[int, int] = {}
        for subject in self._assigned.keys() & set(subjects) if self._assigned else ():
            kept = [
                (name, max(begins, early), None if ends is None or ends > late else ends)
                for name, begins, ends in self._assigned[subject]
                if begins <= late and (ends is None or ends >= early)
            ]
            of[subject] = found.setdefault(tuple(sorted(kept, key=lambda one: (one[0], one[1]))), len(found))
        return list(found), of

    def celebrated(self, pattern: Pattern, first: date, last: date) -> list[date]:
        """The holidays on which somebody of a pattern would have worked."""
        found = []
        for number in range((last - first).days + 1):
            day = first + number * DAY
            if self.holidays.name(day) is not None and any(self._works(one, day) for one in pattern):
                found.append(day)
        return found

    def expected(self, subject: int, first: date, last: date) -> list[ShiftDay]:
        """The person's shift days with dates from `first` to `last`, in their order, windows clipped."""
        return self.days(self.pattern(subject), first, last)

    def placed(self, subject: int, utc: datetime) -> ShiftDay | None:
        """The shift day to which a moment belongs; None on holidays, on off days, and between shifts."""
        day = utc.astimezone(self.zone).date()
        found = (one for one in self.days(self.pattern(subject), day - DAY, day + DAY) if one.opens <= utc < one.closes)
        return next(found, None)

    def days(self, pattern: Pattern, first: date, last: date) -> list[ShiftDay]:
        """The shift days of a pattern, holidays left out.

        Where the windows of two overlap, the later opens no earlier than the earlier ends, and the earlier closes when the later opens.
        """
        found = []
        for number in range((last - first).days + 3):  # one day more at both ends, whose windows may reach in
            day = first + (number - 1) * DAY
            if self.holidays.name(day) is not None or not self._takes_place(day):
                continue
            found += [shift_day(self.shifts[one[0]], day, self.zone) for one in pattern if self._works(one, day)]
        return [one for one in _clipped(sorted(found, key=lambda one: (one.start, one.end))) if first <= one.date <= last]

    def _takes_place(self, day: date) -> bool:
        """False for a date that the site's clocks left out, as Samoa's did on changing sides of the date line."""
        noon = datetime.combine(day, time(12), tzinfo=self.zone)
        return noon.astimezone(UTC).astimezone(self.zone).date() == day

    def _works(self, one: tuple[str, date, date | None], day: date) -> bool:
        """Whether a shift of a pattern begins on a date; one that is gone from the file begins never."""
        name, begins, ends = one
        shift = self.shifts.get(name)
        return shift is not None and begins <= day and (ends is None or day <= ends) and day.weekday() in shift.weekdays


def _clipped(days: list[ShiftDay]) -> list[ShiftDay]:
    for before, after in pairwise(range(len(days))):
        earlier, later = days[before], days[after]
        opens = min(max(later.opens, earlier.end), later.start)
        days[after] = replace(later, opens=opens)
        days[before] = replace(earlier, closes=max(min(earlier.closes, opens), earlier.opens))
    return days


def check_assignment(new: Assignment, existing: Iterable[Assignment], shifts: Mapping[str, Shift]) -> None:
    """Raise NotAllowed when a new assignment would have somebody work two shifts at once; it names both."""
    for other in existing:
        shared = _shared(new, other)
        mine, theirs = shifts.get(new.shift), shifts.get(other.shift)
        if shared is None or mine is None or theirs is None:
            continue
        if (weekday := _clash(mine, theirs)) is not None:
            raise NotAllowed(
                f"shift {new.shift!r} ({_hours(mine)}) overlaps shift {other.shift!r} ({_hours(theirs)}), which the person works from "
                f"{other.first} to {other.last or 'further notice'}, on {weekday}; end that one first, or choose other dates"
            )


def _shared(one: Assignment, other: Assignment) -> tuple[date, date] | None:
    """The dates on which both hold, a day's overlap over midnight included."""
    first, last = max(one.first, other.first), min(one.last or date.max, other.last or date.max)
    return None if first > (last if last == date.max else last + DAY) else (first, last)


def _clash(one: Shift, other: Shift) -> str | None:
    """The weekday on which two shifts overlap, None when they never do; by the clock alone, for real time differs on two nights only."""
    for day in one.weekdays:
        begins, ends = _span(one, day)
        for next_day in other.weekdays:
            for week in (-7, 0, 7):
                starts, stops = _span(other, next_day + week)
                if starts < ends and begins < stops:
                    return f"{SAMPLE + day * DAY:%A}"
    return None


def _span(shift: Shift, day: int) -> tuple[timedelta, timedelta]:
    start = timedelta(days=day, hours=shift.start.hour, minutes=shift.start.minute, seconds=shift.start.second)
    end = timedelta(days=day + shift.overnight, hours=shift.end.hour, minutes=shift.end.minute, seconds=shift.end.second)
    return start, end


def _hours(shift: Shift) -> str:
    return f"{shift.start:%H:%M} to {shift.end:%H:%M}"
