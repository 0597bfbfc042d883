"""A report's attendances in words and times: one line a person, date and shift."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import numpy as np

from blinkd.attendance.reports.report import Marks, PersonTotals, Report
from blinkd.attendance.reports.roster import pick
from blinkd.attendance.shifts.hours import DayStatus
from blinkd.clock import moment_of

MINUTE_S = 60
NO_MARKS = Marks()


class Known(Protocol):
    """Whom a pseudonym stands for."""

    @property
    def person_id(self) -> str:
        """The id, or the pseudonym in words."""

    @property
    def name(self) -> str | None:
        """None once erased."""


@dataclass(frozen=True, slots=True)
class Line:
    """first_in, last_out: aware, in the site's zone, None where there was none; the minutes are whole ones; shift: None without one;
    final: whether the day is.
    """  # fmt: skip

    person_id: str
    name: str | None
    subject: int
    date: date
    shift: str | None
    status: str
    first_in: datetime | None
    last_out: datetime | None
    worked_s: int
    expected_s: int
    late_min: int
    early_min: int
    overtime_s: int
    missing_in: bool
    missing_out: bool
    holiday: bool
    final: bool
    marks: Marks

    @property
    def overtime_min(self) -> int:
        """Whole minutes of overtime."""
        return self.overtime_s // MINUTE_S

    @property
    def punctuality(self) -> str:
        """As in "late 12 min, overtime 30 min"; empty where there is nothing to say."""
        said = (("late", self.late_min), ("early leave", self.early_min), ("overtime", self.overtime_min))
        return ", ".join(f"{what} {minutes} min" for what, minutes in said if minutes)

    @property
    def remarks(self) -> list[str]:
        """Everything to look at twice."""
        said = self.marks.words()
        said += ["no check-in"] if self.missing_in else []
        said += ["no check-out"] if self.missing_out else []
        return said if self.final else [*said, "provisional"]


def in_order(report: Report, known: Mapping[int, Known]) -> list[PersonTotals]:
    """The people of a report by id."""
    return sorted(report.people, key=lambda one: known[one.subject].person_id)


def lines(report: Report, known: Mapping[int, Known]) -> Iterator[Line]:
    """By date, id and shift; known: whom every subject of the report stands for."""
    days, zone = report.attendances, report.zone
    place = {one.subject: number for number, one in enumerate(in_order(report, known))}
    rank = np.array([place[one.subject] for one in report.people], np.int64)
    subjects = np.array([one.subject for one in report.people], np.int64)
    days = pick(days, np.lexsort((days.shift, rank[np.searchsorted(subjects, days.subject)], days.day)))
    final = {state.date.toordinal(): state.final for state, _ in report.days}
    at = {number: date.fromordinal(number) for number in final}
    status = {int(one): one.name for one in DayStatus}
    columns = (
        *(days.subject, days.day, days.shift, days.status, days.first_in, days.last_out, days.worked_s, days.expected_s),
        *(days.late_s, days.early_s, days.overtime_s, days.missing_in, days.missing_out, days.holiday),
    )
    for subject, day, shift, state, came, left, worked, expected, late, early, over, no_in, no_out, holiday in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        yield Line(
            known[subject].person_id,
            known[subject].name,
            subject,
            at[day],
            days.shift_names[shift] if shift >= 0 else None,
            status[state],
            moment_of(came).astimezone(zone) if came else None,
            moment_of(left).astimezone(zone) if left else None,
            worked,
            expected,
            late // MINUTE_S,
            early // MINUTE_S,
            over,
            no_in,
            no_out,
            holiday,
            final[day],
            report.marked.get((subject, at[day]), NO_MARKS),
        )
