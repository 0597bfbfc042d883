"""The file of named shifts: one table of TOML for each."""

import difflib
import tomllib
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from blinkd.attendance.shifts.shift import Break, Determine, Hours, Shift
from blinkd.errors import ConfigError

NAME_FORM = "letters, digits, dashes and underscores"
DAY = timedelta(days=1)
WAIT_MIN = 1440  # a day

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
Minutes = Annotated[int, Field(ge=0, le=WAIT_MIN)]
WorkingHours = Annotated[float, Field(ge=0, le=24)]


def _time_of_day(value: object) -> object:
    # pydantic would read 9 as nine seconds past midnight
    if isinstance(value, time) or (isinstance(value, str) and ":" in value):
        return value
    raise ValueError("is no time of day; write it like 09:00:00")


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


class _Table(BaseModel):
    """One shift as it stands in the file. The keys and what they mean are those of Shift."""

    model_config = ConfigDict(extra="forbid", strict=False)

    start: TimeOfDay
    end: TimeOfDay
    weekdays: list[Weekday] = Field(default_factory=lambda: list(WEEKDAYS), min_length=1)
    breaks: list[tuple[TimeOfDay, TimeOfDay]] = []
    late_grace_min: Minutes = 0
    early_grace_min: Minutes = 0
    overtime_after_min: Minutes = 0
    check_in_before_min: Minutes = 60
    check_out_after_min: Minutes = 60
    half_day_below_h: WorkingHours = 0.0
    absent_below_h: WorkingHours = 0.0
    determine: Determine = "alternating"
    hours: Hours = "first_in_last_out"
    check_in_until: TimeOfDay | None = None


def load_shifts(path: Path) -> dict[str, Shift]:
    """Read the shifts, by name. Raises ConfigError with every problem by its key."""
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}; mend that line (config/shifts.toml shows the form)") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; check attendance.shifts_file") from None
    problems: list[str] = []
    shifts = {name: shift for name, table in tables.items() if (shift := _shift(name, table, problems)) is not None}
    if not tables:
        problems.append("no shift in it; write a table for each, as [day]")
    if problems:
        raise ConfigError(f"{path}: not read:\n  " + "\n  ".join(problems) + "\n  config/shifts.toml explains every key")
    return shifts


def _shift(name: str, table: object, problems: list[str]) -> Shift | None:
    if not name.replace("-", "").replace("_", "").isalnum():
        problems.append(f"at '{name}': call a shift by {NAME_FORM}")
        return None
    if not isinstance(table, dict):
        problems.append(f"at '{name}': a shift is a table; write [{name}] and its keys below")
        return None
    try:
        read = _Table.model_validate(table)
    except ValidationError as error:
        problems += [_explain(name, problem) for problem in error.errors()]
        return None
    values = read.model_dump(exclude={"weekdays", "breaks"})
    weekdays = frozenset(WEEKDAYS.index(day) for day in read.weekdays)
    shift = Shift(name=name, weekdays=weekdays, breaks=tuple(Break(*pair) for pair in read.breaks), **values)
    before = len(problems)
    _check(shift, problems)
    return shift if len(problems) == before else None


def _explain(name: str, problem: Any) -> str:  # noqa: ANN401  pydantic's
    path = name + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(problem["loc"][-1]), list(_Table.model_fields), n=1)
        return f"at '{path}': no such key; " + (f"did you mean '{near[0]}'?" if near else "remove it")
    if problem["type"] == "missing":
        return f"at '{path}': missing; write it like {problem['loc'][-1]} = 09:00:00"
    if problem["type"] == "value_error":
        return f"at '{path}': {problem['input']!r} {problem['msg'].removeprefix('Value error, ')}"
    return f"at '{path}': {problem['input']!r}: {problem['msg'].lower()}"


def _check(shift: Shift, problems: list[str]) -> None:
    """What the keys say together."""
    here = f"at '{shift.name}"
    if shift.start == shift.end:
        problems.append(f"{here}.end': the same as start, so the shift is empty; give it an end of its own")
        return
    length = _after(shift.start, shift.end)
    spans: list[tuple[timedelta, timedelta]] = []
    for number, one in enumerate(shift.breaks):
        start, end = _after(shift.start, one.start), _after(shift.start, one.end)
        if not timedelta(0) <= start < end <= length:
            problems.append(f"{here}.breaks[{number}]': {one.start:%H:%M} to {one.end:%H:%M} is empty or not within the shift")
        elif any(begins < end and start < ends for begins, ends in spans):
            problems.append(f"{here}.breaks[{number}]': {one.start:%H:%M} to {one.end:%H:%M} overlaps another break")
        spans.append((start, end))
    if shift.check_in_until is not None and not timedelta(0) < _after(shift.start, shift.check_in_until) < length:
        problems.append(f"{here}.check_in_until': {shift.check_in_until:%H:%M} is not within the shift")
    if shift.half_day_below_h and shift.absent_below_h > shift.half_day_below_h:
        problems.append(
            f"{here}.absent_below_h': more than half_day_below_h; whoever works less than a half day is absent, not the other way round"
        )
    if shift.half_day_below_h * 3600 > length.total_seconds():
        problems.append(f"{here}.half_day_below_h': longer than the shift, so that nobody could be present")
    window = length + timedelta(minutes=shift.check_in_before_min + shift.check_out_after_min)
    consecutive = any((day + 1) % 7 in shift.weekdays for day in shift.weekdays)
    if consecutive and window > DAY:
        problems.append(
            f"{here}.check_out_after_min': the windows of two days overlap; make check_in_before_min or check_out_after_min smaller"
        )


def _after(start: time, clock: time) -> timedelta:
    """How long after the start of a shift a wall time comes."""
    return (_since_midnight(clock) - _since_midnight(start)) % DAY if clock != start else timedelta(0)


def _since_midnight(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)
