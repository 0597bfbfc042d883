"""Hours for payroll: a row a person, date and shift, with the columns that the other program wants."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from blinkd.attendance.reports.lines import Line
from blinkd.attendance.reports.sheet import Cell

HourForm = Literal["decimal", "hhmm"]

HOUR_S, MINUTE_S = 3600, 60
DEFAULT = "person_id,name,date,shift,status,first_in,last_out,hours,expected,overtime,late_min,early_min,remarks"


@dataclass(frozen=True, slots=True)
class Column:
    """What a column says, and how; how: from a line, with the person's groups and the form of hours."""

    means: str
    how: Callable[[Line, str, HourForm], Cell]


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of an export in their order, and their titles."""

    columns: tuple[Column, ...]
    titles: tuple[str, ...]

    def rows(self, lines: Iterable[Line], groups: Mapping[int, tuple[str, ...]], form: HourForm) -> Iterable[list[Cell]]:
        """A row a line; groups: of each subject."""
        for line in lines:
            own = " ".join(groups.get(line.subject, ()))
            yield [column.how(line, own, form) for column in self.columns]


def columns() -> dict[str, Column]:
    """Every column there is, by name."""
    return {
        "person_id": Column("the person's id", lambda line, _, __: line.person_id),
        "name": Column("the name; empty once erased", lambda line, _, __: line.name),
        "groups": Column("the person's groups", lambda _, groups, __: groups),
        "date": Column("local date on which the shift begins, YYYY-MM-DD", lambda line, _, __: line.date.isoformat()),
        "weekday": Column("ISO weekday, 1 Monday to 7 Sunday", lambda line, _, __: line.date.isoweekday()),
        "shift": Column("name of the shift; empty without one", lambda line, _, __: line.shift),
        "status": Column(
            "PRESENT, HALF_DAY, ABSENT, HOLIDAY, OFF (worked without a shift), OPEN (still there)", lambda line, _, __: line.status
        ),
        "first_in": Column("first check-in, local, YYYY-MM-DDTHH:MM:SS with the offset", lambda line, _, __: _time(line.first_in)),
        "last_out": Column("last check-out, the same way", lambda line, _, __: _time(line.last_out)),
        "hours": Column("hours worked, breaks left out", lambda line, _, form: hours(line.worked_s, form)),
        "expected": Column("hours of the shift, breaks left out", lambda line, _, form: hours(line.expected_s, form)),
        "overtime": Column("hours of overtime; part of hours", lambda line, _, form: hours(line.overtime_s, form)),
        "late_min": Column("minutes after the start, where beyond the grace", lambda line, _, __: line.late_min),
        "early_min": Column("minutes left before the end, where beyond the grace", lambda line, _, __: line.early_min),
        "missing_in": Column("1 where a check-in is lacking", lambda line, _, __: int(line.missing_in)),
        "missing_out": Column("1 where a check-out is lacking", lambda line, _, __: int(line.missing_out)),
        "holiday": Column("1 on a holiday", lambda line, _, __: int(line.holiday)),
        "final": Column("1 when every terminal has reported past the day, 0 while it is provisional", lambda line, _, __: int(line.final)),
        "uncertain": Column("punches whose time is uncertain", lambda line, _, __: line.marks.uncertain),
        "disowned": Column("disowned punches that wait for a supervisor", lambda line, _, __: line.marks.disowned),
        "amended": Column("punches that a supervisor changed or added", lambda line, _, __: line.marks.amended),
        "remarks": Column("all that is to be looked at, in words", lambda line, _, __: "; ".join(line.remarks)),
    }


def layout(text: str) -> Layout:
    """Columns by name, separated by commas, each with a title of its own if wanted: "Personnel no=person_id,Hours=hours".

    Raises ValueError, in words, for a column that does not exist, with the nearest one that does.
    """
    known = columns()
    found, titles = [], []
    for part in text.split(","):
        title, equals, name = part.rpartition("=")
        name = name.strip()
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise ValueError(
                f"no column {name!r}; {hint}" if name else f"a column without a name in {text!r}; there are: {', '.join(known)}"
            )
        if equals and not title.strip():
            raise ValueError(f"no title before {part.strip()!r}; write it like Hours={name}, or {name} alone")
        found.append(known[name])
        titles.append(title.strip() if equals else name)
    double = next((title for title in titles if titles.count(title) > 1), None)
    if double is not None:
        raise ValueError(
            f"two columns are titled {double!r}; give each its own title, as in Total={text.split(',', maxsplit=1)[0].rpartition('=')[2]}"
        )
    return Layout(tuple(found), tuple(titles))


def hours(seconds: int, form: HourForm) -> Cell:
    """As a decimal number of two places, or as H:MM, which may be more than 24; the nearest one, halves to the upper."""
    if form == "decimal":
        return (seconds * 100 + HOUR_S // 2) // HOUR_S / 100
    minutes = (seconds + MINUTE_S // 2) // MINUTE_S
    return f"{minutes // 60}:{minutes % 60:02d}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
