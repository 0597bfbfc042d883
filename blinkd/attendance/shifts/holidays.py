"""Days on which nobody is expected: from a file of the site, and from the public holidays of a country."""

import csv
import io
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from blinkd.errors import ConfigError

FIRST, LAST = date(1970, 1, 1), date(2099, 12, 31)
SHOWN = 20  # problems that a message lists
CALENDAR = ".ics"
REMEDY = "write a CSV file with the header date,name and dates like 2026-12-25, or an iCalendar file that ends in .ics"


class Calendar(Protocol):
    """Public holidays; the `holidays` package behaves so."""

    def get(self, key: date) -> str | None:
        """What is celebrated."""


class Holidays:
    """Names of days."""

    def __init__(self, named: Mapping[date, str], country: Calendar | None = None) -> None:
        self._named = named
        self._country = country

    @classmethod
    def load(cls, path: Path | None, country: str, subdivision: str) -> "Holidays":
        """From attendance.holidays_file, holidays_country and holidays_subdivision. Raises ConfigError naming each problem."""
        named: Mapping[date, str] = {}
        if path is not None:
            named = _from_calendar(path) if path.suffix.lower() == CALENDAR else _from_csv(path)
        return cls(named, _public(country, subdivision))

    def name(self, day: date) -> str | None:
        """What is celebrated on a day, None on others."""
        if (own := self._named.get(day)) is not None:
            return own
        return None if self._country is None else self._country.get(day)


def _public(country: str, subdivision: str) -> Calendar | None:
    if not country:
        if subdivision:
            raise ConfigError(f"attendance.holidays_subdivision is {subdivision!r} without a country; set attendance.holidays_country")
        return None
    import holidays  # noqa: PLC0415  most sites have none, and it takes a while

    try:
        calendar: Calendar = holidays.country_holidays(country.upper(), subdiv=subdivision or None)
    except NotImplementedError:
        known = holidays.list_supported_countries(include_aliases=False)
        if country.upper() not in known:
            raise ConfigError(f"attendance.holidays_country is {country!r}; known are the ISO 3166-1 codes {', '.join(known)}") from None
        parts = ", ".join(known[country.upper()]) or "none"
        raise ConfigError(f"attendance.holidays_subdivision is {subdivision!r}; {country.upper()} has {parts}") from None
    return calendar


def _from_csv(path: Path) -> dict[date, str]:
    named: dict[date, str] = {}
    problems: list[str] = []
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if header != ["date", "name"]:
            raise ConfigError(f"{path}: row 1: the header is {','.join(header)!r}, not date,name; {REMEDY}")
        for cells in reader:
            row = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                problems.append(f"row {row}: {len(cells)} cells instead of 2; put a name with a comma in quotes")
                continue
            text, name = (cell.strip() for cell in cells)
            try:
                day = date.fromisoformat(text)
            except ValueError:
                problems.append(f"row {row}, column date: {text!r} is no date; write it like 2026-12-25")
                continue
            _take(named, day, name, f"row {row}", problems)
    except csv.Error as error:
        raise ConfigError(f"{path}: row {reader.line_num}: {error}; {REMEDY}") from None
    _refuse(path, problems)
    return named


def _take(named: dict[date, str], day: date, name: str, where: str, problems: list[str]) -> None:
    if not FIRST <= day <= LAST:
        problems.append(f"{where}, column date: {day} lies before 1970 or after 2099")
    elif not name:
        problems.append(f"{where}, column name: empty")
    elif named.get(day, name) != name:
        problems.append(f"{where}, column date: {day} is {named[day]!r} already")
    else:
        named[day] = name


def _from_calendar(path: Path) -> dict[date, str]:
    import icalendar  # noqa: PLC0415  most sites have none

    try:
        calendar = icalendar.Calendar.from_ical(_text(path))
    except ValueError as error:
        raise ConfigError(f"{path}: no iCalendar file: {error}; {REMEDY}") from None
    named: dict[date, str] = {}
    problems: list[str] = []
    for number, event in enumerate(calendar.walk("VEVENT"), 1):
        name = " ".join(str(event.get("SUMMARY", "")).split())
        where = f"event {number} ({name or 'without SUMMARY'})"
        start, end = _value(event, "DTSTART"), _value(event, "DTEND")
        if not isinstance(start, date) or isinstance(start, datetime) or isinstance(end, datetime):
            problems.append(f"{where}, DTSTART: no whole day; write it as DTSTART;VALUE=DATE:20261225")
            continue
        length = (end - start).days if isinstance(end, date) else 1
        if length < 1:
            problems.append(f"{where}, DTEND: not after DTSTART; it is the day after the last one")
            continue
        for first in _repeated(event, start, where, problems):
            for day in range(length):
                _take(named, first + timedelta(days=day), name, where, problems)
    _refuse(path, problems)
    return named


def _value(event: Any, name: str) -> object:  # noqa: ANN401  an icalendar component
    return getattr(event.get(name), "dt", None)


def _repeated(event: Any, start: date, where: str, problems: list[str]) -> list[date]:  # noqa: ANN401  an icalendar component
    """The first day of each time that an event comes, by its RRULE, as far as dates go here."""
    rule = event.get("RRULE")
    if rule is None:
        return [start]
    from dateutil.rrule import rrulestr  # noqa: PLC0415  as above

    try:
        found = rrulestr(rule.to_ical().decode(), dtstart=datetime.combine(start, datetime.min.time()))
        return [one.date() for one in found.between(datetime(FIRST.year, 1, 1), datetime(LAST.year, 12, 31), inc=True)]  # noqa: DTZ001  whole days
    except ValueError as error:
        problems.append(f"{where}, RRULE: {error}")
        return []


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: row {row}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; check attendance.holidays_file") from None


def _refuse(path: Path, problems: list[str]) -> None:
    if problems:
        rest = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ConfigError(f"{path}: not read:\n  " + "\n  ".join(problems[:SHOWN]) + rest + f"\n  {REMEDY}")
