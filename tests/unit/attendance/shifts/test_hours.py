"""Hours against a slow reference of another method: minute by minute, person by person, wall times looked up by trial."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.hours import DayRecord, DayStatus, Stamps, count
from blinkd.attendance.shifts.rota import Assignment, Rota
from blinkd.attendance.shifts.shift import Break, Shift
from blinkd.clock import microseconds

MIN = timedelta(minutes=1)
PRESENT, HALF_DAY, ABSENT, HOLIDAY, OFF, OPEN, FUTURE = DayStatus
FAR = datetime(2100, 1, 1, tzinfo=UTC)
NONE = Holidays({})
MADRID = ZoneInfo("Europe/Madrid")

# zones, and a stretch of days around a night on which their clocks change, or around a leap day
SCENES = [
    ("Europe/Madrid", date(2026, 3, 27)),
    ("Europe/Madrid", date(2026, 10, 23)),
    ("Australia/Lord_Howe", date(2026, 4, 3)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 10, 2)),
    ("America/St_Johns", date(2026, 3, 6)),
    ("Africa/Casablanca", date(2026, 2, 13)),  # Ramadan
    ("Asia/Kathmandu", date(2028, 2, 27)),
    ("Pacific/Apia", date(2011, 12, 28)),  # the 30th did not take place
    ("UTC", date(2028, 2, 27)),
]
DAY = Shift("day", time(9), time(17), breaks=(Break(time(13), time(13, 30)),), late_grace_min=10, early_grace_min=5, overtime_after_min=15)
NIGHT = Shift(
    "night", time(22), time(6), breaks=(Break(time(2), time(2, 30)), Break(time(23, 45), time(0, 15))), half_day_below_h=4, absent_below_h=1
)
EARLY = Shift("early", time(5), time(8, 30), weekdays=frozenset({0, 2, 4, 5, 6}), hours="every_pair")
LATE = Shift("late", time(18), time(21), determine="log_type", check_out_after_min=30)
PAIRS = Shift("pairs", time(9), time(17), determine="log_type", hours="every_pair", breaks=(Break(time(12), time(13)),), absent_below_h=2)
SHIFTS = {shift.name: shift for shift in (DAY, NIGHT, EARLY, LATE, PAIRS)}
DUTIES = [[], ["day"], ["night"], ["early", "late"], ["pairs"], ["early", "pairs"], ["day", "night"], ["late"]]


@cache
def instant(day: date, clock: time, zone: str) -> datetime:
    """The first moment at which the wall shows this; where it never does, as the wall would have gone on from the hours before."""
    shown = datetime.combine(day, clock)
    guess = shown.replace(tzinfo=UTC) - timedelta(hours=30)
    for number in range(60 * 60):
        moment = guess + number * MIN
        if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == shown:
            return moment
    before = guess
    while (before + MIN).astimezone(ZoneInfo(zone)).replace(tzinfo=None) < shown:
        before += MIN
    return shown.replace(tzinfo=UTC) - (before.astimezone(ZoneInfo(zone)).utcoffset() or timedelta())


@dataclass
class Window:
    shift: Shift
    day: date
    opens: datetime
    start: datetime
    end: datetime
    closes: datetime
    pauses: list[tuple[datetime, datetime]]


def windows(duty: list[str], first: date, last: date, zone: str, free: set[date]) -> list[Window]:
    found = []
    for number in range(-1, (last - first).days + 2):
        day = first + timedelta(days=number)
        for name in duty:
            shift = SHIFTS[name]
            if day in free or day.weekday() not in shift.weekdays or instant(day, time(12), zone).astimezone(ZoneInfo(zone)).date() != day:
                continue
            next_day = day + timedelta(days=1)
            over = shift.end <= shift.start
            start, end = instant(day, shift.start, zone), instant(next_day if over else day, shift.end, zone)
            pauses = []
            for pause in shift.breaks:
                begins = next_day if over and pause.start < shift.start else day
                ends = begins + timedelta(days=1) if pause.end <= pause.start else begins
                pauses.append((instant(begins, pause.start, zone), instant(ends, pause.end, zone)))
            found.append(
                Window(shift, day, start - shift.check_in_before_min * MIN, start, end, end + shift.check_out_after_min * MIN, pauses)
            )
    found.sort(key=lambda window: (window.start, window.end))
    for before, after in pairwise(found):
        after.opens = min(max(after.opens, before.end), after.start)
        before.closes = max(min(before.closes, after.opens), before.opens)
    return found


def minutes_of(pairs: list[tuple[datetime, datetime]], pauses: list[tuple[datetime, datetime]], after: datetime | None = None) -> int:
    """How many minutes lie in a pair and in no pause; after: only those from then on, pauses and all."""
    total = 0
    for begin, end in pairs:
        minute = begin
        while minute < end:
            if after is None:
                total += not any(start <= minute < stop for start, stop in pauses)
            else:
                total += minute >= after
            minute += MIN
    return total


def slow(
    duty: list[str], punches: list[tuple[datetime, bool]], first: date, last: date, zone: str, free: set[date], now: datetime
) -> dict[tuple[date, str], tuple[object, ...]]:
    expected = windows(duty, first, last, zone, free)
    held: dict[tuple[date, str], list[tuple[datetime, bool]]] = {}
    known: dict[tuple[date, str], Window] = {}
    for window in expected:
        if first <= window.day <= last:
            known[window.day, window.shift.name] = window
            held[window.day, window.shift.name] = []
    for moment, entering in sorted(punches, key=lambda one: one[0]):
        window = next((one for one in expected if one.opens <= moment < one.closes), None)
        key = (moment.astimezone(ZoneInfo(zone)).date(), "") if window is None else (window.day, window.shift.name)
        if first <= key[0] <= last:
            held.setdefault(key, []).append((moment, entering))
    rows = {}
    for key, stamps in held.items():
        rows[key] = _row(key, stamps, known.get(key), zone, now)
    for day in free:
        if first <= day <= last and (day, "") not in rows and any(day.weekday() in SHIFTS[name].weekdays for name in duty):
            rows[day, ""] = (None, None, 0, 0, 0, 0, 0, HOLIDAY, False, False)
    return rows


def _row(key: tuple[date, str], stamps: list[tuple[datetime, bool]], window: Window | None, zone: str, now: datetime) -> tuple[object, ...]:
    shift = window.shift if window else Shift("", time(0), time(1))
    pauses = window.pauses if window else []
    closes = window.closes if window else instant(key[0] + timedelta(days=1), time(0), zone)
    expected = minutes_of([(window.start, window.end)], pauses) if window else 0
    if not stamps:
        return (None, None, 0, expected, 0, 0, 0, FUTURE if now < closes else ABSENT, False, False)
    pairs = _pairs_of(stamps, shift)
    came = pairs[0][0] if pairs else _came(stamps, shift)
    left = pairs[-1][1] if pairs else None
    missing_out = stamps[-1][1] if shift.determine == "log_type" else len(stamps) % 2 == 1
    missing_in = shift.determine == "log_type" and not stamps[0][1]
    worked = minutes_of(pairs, pauses)
    late = early = over = 0
    if window:
        if came and came - window.start > shift.late_grace_min * MIN:
            late = (came - window.start) // MIN
        if left and window.end - left > shift.early_grace_min * MIN:
            early = (window.end - left) // MIN
        if left and left - window.end > shift.overtime_after_min * MIN:
            over = minutes_of(pairs, pauses, window.end)
    else:
        over = worked
    if missing_out and now < closes:
        status, missing_out = OPEN, False
    elif not window:
        status = OFF
    elif worked < shift.absent_below_h * 60:
        status = ABSENT
    elif worked < shift.half_day_below_h * 60:
        status = HALF_DAY
    else:
        status = PRESENT
    return (came, left, worked, expected, late, early, over, status, missing_out, missing_in)


def _came(stamps: list[tuple[datetime, bool]], shift: Shift) -> datetime | None:
    return next((moment for moment, entering in stamps if entering or shift.determine == "alternating"), None)


def _pairs_of(stamps: list[tuple[datetime, bool]], shift: Shift) -> list[tuple[datetime, datetime]]:
    moments = [moment for moment, _ in stamps]
    if shift.determine == "alternating":
        if shift.hours == "first_in_last_out":
            return [(moments[0], moments[-1])] if len(moments) > 1 else []
        return list(zip(moments[::2], moments[1::2], strict=False))
    if shift.hours == "first_in_last_out":
        came = next((moment for moment, entering in stamps if entering), None)
        left = next((moment for moment, entering in reversed(stamps) if not entering), None)
        return [(came, left)] if came and left and left > came else []
    pairs, open_since = [], None
    for moment, entering in stamps:
        if entering and open_since is None:
            open_since = moment
        elif not entering and open_since is not None:
            pairs.append((open_since, moment))
            open_since = None
    return pairs


def as_minutes(row: DayRecord) -> tuple[object, ...]:
    seconds = (row.worked_s, row.expected_s, row.late_s, row.early_s, row.overtime_s)
    assert all(value % 60 == 0 for value in seconds)
    return (row.first_in, row.last_out, *(value // 60 for value in seconds), row.status, row.missing_out, row.missing_in)


def counted(
    people: dict[int, list[str]],
    punches: list[tuple[int, datetime, bool]],
    first: date,
    last: date,
    zone: str,
    free: set[date],
    now: datetime,
) -> dict[int, dict[tuple[date, str], tuple[object, ...]]]:
    assignments = [Assignment(subject, name, date(2000, 1, 1), None) for subject, duty in people.items() for name in duty]
    rota = Rota(SHIFTS, None, assignments, Holidays(dict.fromkeys(free, "a holiday")), ZoneInfo(zone))
    stamps = Stamps(
        np.array([subject for subject, _, _ in punches], np.int64),
        np.array([microseconds(moment) for _, moment, _ in punches], np.int64),
        np.array([entering for _, _, entering in punches], bool),
    )
    days = count(stamps, rota, np.array(sorted(people), np.int64), first, last, microseconds(now))
    found: dict[int, dict[tuple[date, str], tuple[object, ...]]] = {subject: {} for subject in people}
    for row in days.rows():
        assert (row.date, row.shift or "") not in found[row.subject]
        found[row.subject][row.date, row.shift or ""] = as_minutes(row)
        assert row.holiday == (row.date in free)
    return found


PEOPLE = st.dictionaries(st.integers(1, 2**53 - 1), st.sampled_from(DUTIES), min_size=1, max_size=4)


@settings(max_examples=250)
@given(
    st.sampled_from(SCENES),
    PEOPLE,
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1600, 9000), st.booleans()), max_size=40, unique_by=lambda one: one[:2]),
    st.integers(0, 5),
    st.sets(st.integers(0, 5), max_size=2),
    st.integers(-3000, 12_000),
)
def test_hours_are_those_of_the_slow_reference(
    scene: tuple[str, date],
    people: dict[int, list[str]],
    drawn: list[tuple[int, int, bool]],
    length: int,
    free_days: set[int],
    now_min: int,
) -> None:
    zone, first = scene
    last = first + timedelta(days=length)
    free = {first + timedelta(days=number) for number in free_days}
    midnight = instant(first, time(0), zone)
    subjects = sorted(people)
    punches = [(subjects[number % len(subjects)], midnight + minute * MIN, entering) for number, minute, entering in drawn]
    punches = list({(subject, moment): (subject, moment, entering) for subject, moment, entering in punches}.values())
    now = midnight + now_min * MIN
    found = counted(people, punches, first, last, zone, free, now)
    for subject, duty in people.items():
        own = [(moment, entering) for who, moment, entering in punches if who == subject]
        assert found[subject] == slow(duty, own, first, last, zone, free, now)


def day_of(*clock: str, shift: Shift = DAY, day: date = date(2026, 3, 2), outs: tuple[int, ...] = ()) -> DayRecord:
    """One person's day with punches at wall times; from the second midnight on with a +."""
    moments = [
        instant(day + timedelta(days=text.startswith("+")), time.fromisoformat(text.removeprefix("+")), "Europe/Madrid") for text in clock
    ]
    entering = [number not in outs and (bool(outs) or number % 2 == 0) for number in range(len(moments))]
    rota = Rota({shift.name: shift}, shift.name, [], NONE, MADRID)
    stamps = Stamps(
        np.full(len(moments), 7, np.int64), np.array([microseconds(one) for one in moments], np.int64), np.array(entering, bool)
    )
    (row,) = count(stamps, rota, np.array([7], np.int64), day, day, microseconds(FAR)).rows()
    return row


@pytest.mark.parametrize(
    ("row", "worked_min", "late_min", "early_min", "over_min", "status"),
    [
        (day_of("09:00", "17:00"), 450, 0, 0, 0, PRESENT),
        (day_of("09:10", "17:00"), 440, 0, 0, 0, PRESENT),  # the grace to its end
        (day_of("09:11", "16:54"), 433, 11, 6, 0, PRESENT),
        (day_of("08:30", "17:16"), 496, 0, 0, 16, PRESENT),
        (day_of("09:00", "13:10"), 240, 0, 230, 0, PRESENT),  # left in the break
        (day_of("09:00"), 0, 0, 0, 0, PRESENT),
        (day_of(), 0, 0, 0, 0, ABSENT),
        (day_of("22:00", "+06:00", shift=NIGHT), 420, 0, 0, 0, PRESENT),
        (day_of("22:00", "+06:00", shift=NIGHT, day=date(2026, 3, 28)), 360, 0, 0, 0, PRESENT),  # seven hours; the break is at 03:00
        (day_of("22:00", "+06:00", shift=NIGHT, day=date(2026, 10, 24)), 480, 0, 0, 0, PRESENT),  # nine hours
        (day_of("22:00", "+01:00", shift=NIGHT), 150, 0, 300, 0, HALF_DAY),
        (day_of("22:00", "22:45", shift=NIGHT), 45, 0, 435, 0, ABSENT),
        (day_of("09:00", "12:30", "13:30", "17:00", shift=PAIRS, outs=(1, 3)), 390, 0, 0, 0, PRESENT),  # 30 min of the break were worked
        (day_of("09:00", "09:01", "17:00", "17:01", shift=PAIRS, outs=(2, 3)), 420, 0, 0, 0, PRESENT),  # doubles are ignored
    ],
)  # fmt: skip
def test_days_worked_by_hand(row: DayRecord, worked_min: int, late_min: int, early_min: int, over_min: int, status: DayStatus) -> None:
    found = (row.worked_s, row.late_s, row.early_s, row.overtime_s, row.status)
    assert found == (worked_min * 60, late_min * 60, early_min * 60, over_min * 60, status)


def test_people_of_whom_nothing_is_expected_appear_where_they_punched() -> None:
    rota = Rota(SHIFTS, "day", [], NONE, MADRID)
    stamps = Stamps(
        np.array([5, 5], np.int64),
        np.array([microseconds(instant(date(2026, 3, 2), time(hour), "Europe/Madrid")) for hour in (9, 17)]),
        np.array([True, False]),
    )
    days = count(stamps, rota, np.zeros(0, np.int64), date(2026, 3, 2), date(2026, 3, 4), microseconds(FAR))
    assert [(row.subject, row.date.day, row.status) for row in days.rows()] == [(5, 2, PRESENT)]
    nobody = Stamps(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool))
    assert list(count(nobody, rota, np.zeros(0, np.int64), date(2026, 3, 2), date(2026, 3, 4), 0).rows()) == []
