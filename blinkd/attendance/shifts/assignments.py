"""Who works which shift, and since when: entries of the book, so that nobody changes it quietly either."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from blinkd.attendance.punch import Member
from blinkd.attendance.shifts.rota import Assignment, check_assignment
from blinkd.attendance.shifts.shift import Shift
from blinkd.attendance.supervisor import EARLIEST, LATEST, LONGEST_BY, LONGEST_WHY, words
from blinkd.clock import Clock, Instant
from blinkd.errors import ImportRefused, NotAllowed, UnknownPerson

ASSIGNMENT = "assignment"
COLUMNS = ("person_id", "shift", "from", "to")


@dataclass(frozen=True, slots=True)
class Assigned:
    """An assignment as it stands now. seq: number of the entry that made it; by: who."""

    seq: int
    assignment: Assignment
    by: str


class AssignmentBook(Protocol):
    """The book, as assignments need it."""

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing."""

    def member(self, person_id: str) -> Member | None:
        """The person behind an id."""

    def assignments(self, subject: int | None = None) -> list[Assigned]:
        """As they stand."""

    def append(self, kind: str, members: Mapping[str, Any], now: Instant, note: str | None = None) -> int:
        """Add an entry; returns its number."""


def fold(entries: Iterable[tuple[int, Mapping[str, Any], str | None]]) -> list[Assigned]:
    """The assignments that stand after all entries of this kind, oldest first; one that ends before it begins was taken back."""
    standing: dict[int, Assigned] = {}
    for seq, content, _ in entries:
        if (ended := content.get("ends")) is not None:
            if ended in standing:
                before = standing[ended]
                standing[ended] = replace(before, assignment=replace(before.assignment, last=date.fromisoformat(content["last"])))
            continue
        last = None if content["last"] is None else date.fromisoformat(content["last"])
        one = Assignment(content["subject"], content["shift"], date.fromisoformat(content["first"]), last)
        standing[seq] = Assigned(seq, one, content["by"])
    return [one for one in standing.values() if one.assignment.last is None or one.assignment.last >= one.assignment.first]


class Planner:
    """Assigns shifts in somebody's name. Raises NotAllowed, UnknownPerson, StoreError."""

    def __init__(self, book: AssignmentBook, shifts: Mapping[str, Shift], clock: Clock, by: str) -> None:
        self._book = book
        self._shifts = shifts
        self._clock = clock
        self._by = words(by, "name of who assigns (--by)", LONGEST_BY)

    def assign(self, person_id: str, shift: str, first: date, last: date | None, why: str) -> int:
        """From `first` to `last`, both included, or for good; returns the number of the entry."""
        with self._book.transaction():
            member = self._member(person_id)
            self._check(shift, first, last)
            new = Assignment(member.subject, shift, first, last)
            check_assignment(new, (one.assignment for one in self._book.assignments(member.subject)), self._shifts)
            dates = {"first": first.isoformat(), "last": None if last is None else last.isoformat()}
            members = {"subject": member.subject, "shift": shift, "by": self._by, **dates}
            return self._book.append(ASSIGNMENT, members, self._clock.now(), words(why, "reason (--why)", LONGEST_WHY))

    def end(self, person_id: str, shift: str, last: date, why: str) -> int:
        """The person works this shift until `last`, and no longer; the day before its first takes it back."""
        with self._book.transaction():
            member = self._member(person_id)
            running = [one for one in self._book.assignments(member.subject) if one.assignment.shift == shift]
            running = [one for one in running if one.assignment.last is None or one.assignment.last > last]
            if not running:
                raise NotAllowed(
                    f"{person_id} is not assigned to shift {shift!r} after {last}; blinkd shifts show {person_id} lists what is"
                )
            members = {"ends": running[-1].seq, "subject": member.subject, "last": last.isoformat(), "by": self._by}
            return self._book.append(ASSIGNMENT, members, self._clock.now(), words(why, "reason (--why)", LONGEST_WHY))

    def take_in(self, path: Path, why: str) -> int:
        """Assign all rows of a CSV file (person_id,shift,from,to), or none. Returns how many. Raises ImportRefused too."""
        problems: list[str] = []
        rows = list(_rows(path, problems))
        with self._book.transaction():
            for number, values in rows:
                try:
                    last = date.fromisoformat(values["to"]) if values.get("to") else None
                    self.assign(values["person_id"], values["shift"], date.fromisoformat(values["from"]), last, why)
                except ValueError:
                    wrong = f"from {values['from']!r} to {values.get('to') or ''!r}"
                    problems.append(f"row {number}, columns from and to: {wrong}: write dates like 2026-03-01")
                except (UnknownPerson, NotAllowed) as error:
                    column = "person_id" if isinstance(error, UnknownPerson) else "shift"
                    problems.append(f"row {number}, column {column}: {error}")
            if problems:
                raise ImportRefused(f"{path}: nothing was imported:\n  " + "\n  ".join(problems))
        return len(rows)

    def _member(self, person_id: str) -> Member:
        member = self._book.member(person_id)
        if member is None:
            raise UnknownPerson(f"nobody has the id {person_id!r}; blinkd people list shows who is enrolled")
        return member

    def _check(self, shift: str, first: date, last: date | None) -> None:
        if shift not in self._shifts:
            known = ", ".join(sorted(self._shifts)) or "none: set attendance.shifts_file"
            raise NotAllowed(f"no shift is called {shift!r}; there are: {known}")
        if last is not None and last < first:
            raise NotAllowed(f"from {first} to {last}: the end lies before the start")
        for day in (first, last):
            if day is not None and not EARLIEST.date() <= day < LATEST.date():
                raise NotAllowed(f"{day}: nobody works before 1970 or after 2099; check the year")


def _rows(path: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefused(f"{path}: byte {error.start}: not UTF-8 text; save it as CSV UTF-8. Nothing was imported") from None
    except OSError as error:
        raise ImportRefused(f"{path}: cannot be read: {error.strerror}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if sorted(header) not in (sorted(COLUMNS), sorted(COLUMNS[:3])):
            raise ImportRefused(f"{path}: row 1: the header must be {','.join(COLUMNS)} (the last one may be left out)")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                problems.append(f"row {reader.line_num}: {len(cells)} cells where the header has {len(header)}")
                continue
            yield reader.line_num, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise ImportRefused(f"{path}: row {reader.line_num}: {error}; write it as CSV. Nothing was imported") from None
