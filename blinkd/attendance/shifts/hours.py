"""Hours from punches: all people and days of a period at once, as arrays, for a site has a million punches a month.

Within a shift day's window: alternating entries are IN and OUT in turn, by time; by log type they are what the terminal recorded, a
second IN or OUT in a row being ignored. What lies in no window counts for its local date, without a shift.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from blinkd.attendance.shifts.rota import Pattern, Rota
from blinkd.attendance.shifts.shift import ShiftDay
from blinkd.clock import microseconds, moment_of

Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
SECOND_US = 1_000_000
NO_SHIFT = -1


class DayStatus(IntEnum):
    """What became of a day. OFF: worked without a shift; OPEN: came, and may still leave; FUTURE: has not come, and may still."""

    PRESENT = 0
    HALF_DAY = 1
    ABSENT = 2
    HOLIDAY = 3
    OFF = 4
    OPEN = 5
    FUTURE = 6


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """Punches in any order. subject, us (microseconds since 1970, UTC): int64 (n,); entering: bool (n,), CHECK_IN."""

    subject: Longs
    us: Longs
    entering: Flags


@dataclass(frozen=True, slots=True)
class DayRecord:
    """One row of Days. shift: None without one; first_in, last_out: aware UTC, None where there was none; the rest in whole seconds."""

    subject: int
    date: date
    shift: str | None
    first_in: datetime | None
    last_out: datetime | None
    worked_s: int
    expected_s: int
    late_s: int
    early_s: int
    overtime_s: int
    status: DayStatus
    missing_out: bool
    missing_in: bool
    holiday: bool


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """A row for each person, date and shift that was expected or worked, by date, person and shift; arrays of one length.

    subject: int64; day: int32, proleptic ordinal of the shift's date; shift: int16, index into shift_names, NO_SHIFT without; first_in,
    last_out: int64, microseconds since 1970, 0 for none; worked_s (without breaks), expected_s (the shift without its breaks), late_s,
    early_s, overtime_s: int64, seconds; status: uint8, DayStatus; missing_out, missing_in, holiday: bool.
    """

    shift_names: tuple[str, ...]
    subject: Longs
    day: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int16]
    first_in: Longs
    last_out: Longs
    worked_s: Longs
    expected_s: Longs
    late_s: Longs
    early_s: Longs
    overtime_s: Longs
    status: npt.NDArray[np.uint8]
    missing_out: Flags
    missing_in: Flags
    holiday: Flags

    def rows(self) -> Iterator[DayRecord]:
        """One by one, for people."""
        columns = [getattr(self, field.name).tolist() for field in fields(self)[1:]]
        for subject, day, shift, first_in, last_out, worked, expected, late, early, overtime, status, *flags in zip(*columns, strict=True):
            yield DayRecord(
                subject,
                date.fromordinal(day),
                None if shift == NO_SHIFT else self.shift_names[shift],
                moment_of(first_in) if first_in else None,
                moment_of(last_out) if last_out else None,
                worked,
                expected,
                late,
                early,
                overtime,
                DayStatus(status),
                *flags,
            )


KINDS: tuple[type, ...] = (np.int64, np.int32, np.int16, *(np.int64,) * 7, np.uint8, np.bool_, np.bool_, np.bool_)
"""Of the columns of Days, in their order."""


def count(stamps: Stamps, rota: Rota, subjects: Longs, first: date, last: date, now_us: int) -> Days:
    """Hours of everybody between two dates, both included.

    stamps: everything that lies in the windows of these dates' shifts and on these local dates; more does no harm. subjects: int64 (k,), the
    people of whom something is expected; others appear only where they punched. now_us: what has not ended by then is OPEN or FUTURE.
    """
    everybody = _distinct(np.concatenate([subjects, stamps.subject]))
    place = np.searchsorted(everybody, stamps.subject)
    listed = np.zeros(len(everybody), bool)
    listed[np.searchsorted(everybody, subjects)] = True
    order = _by_person(place, stamps.us, len(everybody))
    who, us, entering = place[order], stamps.us[order], stamps.entering[order]
    names = tuple(rota.shifts)
    patterns, assigned = rota.patterns(everybody.tolist(), first, last)
    belongs = np.zeros(len(everybody), np.int64)
    belongs[np.searchsorted(everybody, np.array(list(assigned), np.int64))] = list(assigned.values())
    of_pattern = belongs[who]
    parts: list[list[npt.NDArray[np.generic]]] = [[np.zeros(0, kind) for kind in KINDS]]
    for number, pattern in enumerate(patterns):
        mine = np.flatnonzero(of_pattern == number) if assigned else slice(None)
        people = np.flatnonzero((belongs == number) & listed)
        parts += _Pattern(rota, pattern, names, first, last, now_us).rows(who[mine], us[mine], entering[mine], people)
    columns: list[Any] = [np.concatenate([part[field] for part in parts]).astype(kind) for field, kind in enumerate(KINDS)]
    columns[0] = everybody[columns[0].astype(np.int64)]
    order = np.lexsort((columns[2], columns[0], columns[1]))
    return Days(names, *(column[order] for column in columns))


class _Pattern:
    """People who work the same: their windows, and what a punch belongs to."""

    def __init__(self, rota: Rota, pattern: Pattern, names: tuple[str, ...], first: date, last: date, now_us: int) -> None:
        self._first, self._now = first, now_us
        self._dates = (last - first).days + 1
        self._names = names
        # a day more at both ends: what belongs to their windows is not without a shift
        around = rota.days(pattern, first - timedelta(days=1), last + timedelta(days=1))
        self._days: list[ShiftDay] = around
        self._wanted = np.array([first <= one.date <= last for one in around], bool)
        self._opens = _us(one.opens for one in around)
        self._closes = _us(one.closes for one in around)
        self._start = _us(one.start for one in around)
        self._end = _us(one.end for one in around)
        most = max((len(one.breaks) for one in around), default=0)
        self._breaks = [
            (_us(_nth(one, number, 0) for one in around), _us(_nth(one, number, 1) for one in around)) for number in range(most)
        ]
        midnights = [datetime.combine(first + timedelta(days=number), time.min, tzinfo=rota.zone) for number in range(self._dates + 1)]
        self._midnights = _us(one.astimezone(UTC) for one in midnights)
        self._celebrated = {one.toordinal() for one in rota.celebrated(pattern, first, last)}
        self._holiday = np.array([rota.holidays.name(first + timedelta(days=number)) is not None for number in range(self._dates)], bool)

    def rows(self, who: Longs, us: Longs, entering: Flags, listed: Longs) -> list[list[npt.NDArray[np.generic]]]:
        """Columns of Days, in three portions: worked, expected and not worked, celebrated. who: sorted, people as small numbers."""
        slots = len(self._days) + self._dates  # windows, then local dates
        window = np.searchsorted(self._opens, us, "right") - 1
        inside = (window >= 0) & (us < self._closes[window]) if len(self._days) else np.zeros(len(us), bool)
        day = np.searchsorted(self._midnights, us, "right") - 1
        slot = np.where(inside, window, len(self._days) + day)
        keep = (
            np.where(inside, self._wanted[window], (day >= 0) & (day < self._dates))
            if len(self._days)
            else (day >= 0) & (day < self._dates)
        )
        key, us, entering = (who * slots + slot)[keep], us[keep], entering[keep]
        order = np.argsort(key, kind="stable")  # by time within each, as they came
        key, us, entering = key[order], us[order], entering[order]
        begins = np.flatnonzero(np.diff(key, prepend=-1)) if len(key) else np.zeros(0, np.int64)
        found = [self._worked(key[begins] // slots, key[begins] % slots, begins, us, entering)]
        expected = (listed[:, None] * slots + np.flatnonzero(self._wanted)[None, :]).ravel()
        missing = expected[~np.isin(expected, key[begins], assume_unique=True)]
        found.append(self._not_worked(missing // slots, missing % slots))
        off = np.array(sorted(self._celebrated), np.int64) - self._first.toordinal()
        free = (listed[:, None] * slots + len(self._days) + off[None, :]).ravel()
        free = free[~np.isin(free, key[begins], assume_unique=True)]
        found.append(self._free(free // slots, free % slots - len(self._days)))
        return found

    def _worked(self, who: Longs, slot: Longs, begins: Longs, us: Longs, entering: Flags) -> list[npt.NDArray[np.generic]]:
        groups, total = len(begins), len(us)
        of_group = np.repeat(np.arange(groups), np.diff(np.append(begins, total)))
        shifted = slot < len(self._days)
        window = np.where(shifted, slot, 0)
        by_type, pairs = self._modes(slot)
        starts, ends = _pairs(begins, of_group, entering, by_type, pairs)
        group = of_group[ends]
        first_in, last_out = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        entered = np.flatnonzero(starts.entered)
        first_in[of_group[entered[::-1]]] = us[entered[::-1]]  # the earliest is written last
        last_out[group] = us[ends]
        begin, end = us[starts.of_end], us[ends]
        worked = _total(end - begin, group, groups)
        over = np.zeros(groups, np.int64)
        late, early = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        expected = np.zeros(groups, np.int64)
        if len(self._days):
            at = window[group]
            in_shift = shifted[group]
            for break_starts, break_ends in self._breaks:
                shared = np.minimum(end, break_ends[at]) - np.maximum(begin, break_starts[at])
                worked -= _total(np.where(in_shift, np.maximum(shared, 0), 0), group, groups)
            after = np.where(in_shift, np.maximum(end - np.maximum(begin, self._end[at]), 0), 0)
            over = _total(after, group, groups)
            shift_start, shift_end = self._start[window], self._end[window]
            late_grace, early_grace, over_after = (
                self._minutes(name)[window] for name in ("late_grace_min", "early_grace_min", "overtime_after_min")
            )
            lateness, earliness = first_in - shift_start, shift_end - last_out
            late = np.where(shifted & (first_in != 0) & (lateness > late_grace), lateness, 0)
            early = np.where(shifted & (last_out != 0) & (earliness > early_grace), earliness, 0)
            over = np.where(shifted & (last_out != 0) & (-earliness > over_after), over, 0)
            expected = np.where(shifted, self._expected()[window], 0)
        over = np.where(shifted, over, worked)
        sizes = np.diff(np.append(begins, total))
        last_entering = entering[np.append(begins[1:], total) - 1] if groups else np.zeros(0, bool)
        missing_out = np.where(by_type, last_entering, sizes % 2 == 1)
        missing_in = by_type & ~entering[begins] if groups else np.zeros(0, bool)
        closes = self._closes[window] if len(self._days) else np.zeros(groups, np.int64)
        day = np.where(shifted, 0, slot - len(self._days))
        closes = np.where(shifted, closes, self._midnights[np.minimum(day + 1, self._dates)])
        still = missing_out & (self._now < closes)
        status = self._status(window, shifted, worked, still)
        ordinals = np.where(shifted, self._ordinals()[window] if len(self._days) else 0, day + self._first.toordinal())
        shift = np.where(shifted, self._shift_numbers()[window] if len(self._days) else 0, NO_SHIFT)
        holiday = self._holiday[np.clip(ordinals - self._first.toordinal(), 0, self._dates - 1)]
        seconds = [value // SECOND_US for value in (worked, expected, late, early, over)]
        return [who, ordinals, shift, first_in, last_out, *seconds, status, missing_out & ~still, missing_in, holiday]

    def _modes(self, slot: Longs) -> tuple[Flags, Flags]:
        """By log type, and every pair, for groups; without a shift both are alternating, first to last."""
        by_type = np.array([one.shift.determine == "log_type" for one in self._days] + [False] * self._dates, bool)
        pairs = np.array([one.shift.hours == "every_pair" for one in self._days] + [False] * self._dates, bool)
        return by_type[slot], pairs[slot]

    def _status(self, window: Longs, shifted: Flags, worked: Longs, still: Flags) -> npt.NDArray[np.uint8]:
        status = np.full(len(window), DayStatus.PRESENT, np.uint8)
        if len(self._days):
            half, absent = (
                np.array([getattr(one.shift, name) * 3600 * SECOND_US for one in self._days])[window]
                for name in ("half_day_below_h", "absent_below_h")
            )
            status[worked < half] = DayStatus.HALF_DAY
            status[worked < absent] = DayStatus.ABSENT
        status[~shifted] = DayStatus.OFF
        status[still] = DayStatus.OPEN
        return status

    def _not_worked(self, who: Longs, window: Longs) -> list[npt.NDArray[np.generic]]:
        nothing = np.zeros(len(who), np.int64)
        if not len(self._days):
            return [who, *[nothing] * 9, nothing, *[nothing != 0] * 3]
        status = np.where(self._now < self._closes[window], DayStatus.FUTURE, DayStatus.ABSENT)
        expected = self._expected()[window] // SECOND_US
        seconds = [nothing, expected, nothing, nothing, nothing]
        return [who, self._ordinals()[window], self._shift_numbers()[window], nothing, nothing, *seconds, status, *[nothing != 0] * 3]

    def _free(self, who: Longs, day: Longs) -> list[npt.NDArray[np.generic]]:
        nothing = np.zeros(len(who), np.int64)
        status = np.full(len(who), DayStatus.HOLIDAY)
        return [who, day + self._first.toordinal(), nothing + NO_SHIFT, *[nothing] * 7, status, nothing != 0, nothing != 0, nothing == 0]

    def _minutes(self, name: str) -> Longs:
        return np.array([getattr(one.shift, name) * 60 * SECOND_US for one in self._days], np.int64)

    def _expected(self) -> Longs:
        return self._end - self._start - sum((ends - starts for starts, ends in self._breaks), np.zeros(len(self._days), np.int64))

    def _ordinals(self) -> Longs:
        return np.array([one.date.toordinal() for one in self._days], np.int64)

    def _shift_numbers(self) -> Longs:
        return np.array([self._names.index(one.shift.name) for one in self._days], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Starts:
    """entered: bool (n,), whether a punch is an arrival; of_end: int64 (m,), for each departure the place of its arrival."""

    entered: Flags
    of_end: Longs


def _pairs(begins: Longs, of_group: Longs, entering: Flags, by_type: Flags, pairs: Flags) -> tuple[_Starts, Longs]:
    """The arrivals, and the places of the departures with those of their arrivals, for punches that are grouped and in order of time."""
    total = len(of_group)
    place = np.arange(total)
    number = place - begins[of_group] if total else place
    is_first = number == 0
    is_last = np.append(of_group[1:] != of_group[:-1], True) if total else np.zeros(0, bool)
    typed, every = by_type[of_group], pairs[of_group]
    was_in = np.append(False, entering[:-1]) & ~is_first if total else np.zeros(0, bool)
    # by log type: an arrival begins a row of INs, a departure begins a row of OUTs after it
    arrives = np.where(typed, entering & ~was_in, np.where(every, number % 2 == 0, is_first))
    leaves = np.where(typed, ~entering & was_in, np.where(every, number % 2 == 1, is_last & ~is_first))
    last_arrival = np.maximum.accumulate(np.where(arrives, place, -1)) if total else place
    if total and np.any(by_type & ~pairs):
        # first to last: only the first arrival and the last departure of the group count
        whole = typed & ~every
        arrives = np.where(whole, entering & (_running(entering, begins, of_group) == 1), arrives)
        last_arrival = np.maximum.accumulate(np.where(arrives, place, -1))
        out_after = _running(~entering[::-1], total - np.append(begins[1:], total)[::-1], len(begins) - 1 - of_group[::-1])[::-1]
        leaves = np.where(whole, ~entering & (out_after == 1) & (last_arrival >= begins[of_group]), leaves)
    ends = np.flatnonzero(leaves)
    return _Starts(arrives, last_arrival[ends]), ends


def _running(flags: Flags, begins: Longs, of_group: Longs) -> Longs:
    """How many are set so far within the group, this one included."""
    seen = np.cumsum(flags)
    before = np.where(begins > 0, seen[begins - 1], 0)
    return np.asarray(seen - before[of_group], np.int64)


def _by_person(place: Longs, us: Longs, people: int) -> Longs:
    """The order by person, then by time."""
    if np.any(us[1:] < us[:-1]):
        return np.lexsort((us, place))
    # in the order of time already: small numbers are sorted by their digits, several times as fast
    small = place.astype(np.uint16) if people <= np.iinfo(np.uint16).max else place
    return np.argsort(small, kind="stable")


def _distinct(values: Longs) -> Longs:
    """Each once, ascending; NumPy's own goes by hashes, which costs several times more for whole numbers."""
    ordered = np.sort(values)
    found: Longs = ordered[np.append(np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1])]
    return found


def _total(values: Longs, group: Longs, groups: int) -> Longs:
    """Sums by group; exact, for they stay far below 2^53."""
    return np.bincount(group, weights=values, minlength=groups).astype(np.int64)


def _us(moments: Iterable[datetime]) -> Longs:
    return np.array([microseconds(one) for one in moments], np.int64)


def _nth(day: ShiftDay, number: int, side: int) -> datetime:
    """The start or end of one of a day's breaks; an empty one where there are fewer."""
    return day.breaks[number][side] if number < len(day.breaks) else day.start
