"""Sums over counted days: of a person, of a date, of the site."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from blinkd.attendance.shifts.hours import Days, DayStatus


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of attendances (one a person and shift; a day of two shifts has two), and seconds.

    present: came, and neither half a day nor absent by the hours, those who are still there included; half_day, absent: by the shift's
    limits; holiday: holidays of people who did not work on them; off_duty: worked without a shift; open: of `present`, still there; late,
    early: came after the grace, left before it; missing_in, missing_out: a punch is lacking, so hours are.
    """

    present: int = 0
    half_day: int = 0
    absent: int = 0
    holiday: int = 0
    off_duty: int = 0
    open: int = 0
    late: int = 0
    early: int = 0
    missing_in: int = 0
    missing_out: int = 0
    worked_s: int = 0
    expected_s: int = 0
    late_s: int = 0
    early_s: int = 0
    overtime_s: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        """The sum of both."""
        return Totals(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return {name: getattr(self, name) for name in NAMES}

    @classmethod
    def of(cls, values: Mapping[str, int]) -> "Totals":
        """From `as_dict`. Raises TypeError for other members."""
        return cls(**values)


NAMES = tuple(field.name for field in fields(Totals))


def tally(days: Days, index: npt.NDArray[np.intp], size: int) -> list[Totals]:
    """Sums of groups of rows. index: the group of each row, (n,), 0 <= index < size."""
    status = days.status
    still = status == DayStatus.OPEN
    weights: dict[str, npt.NDArray[np.generic]] = {
        "present": (status == DayStatus.PRESENT) | still,
        "half_day": status == DayStatus.HALF_DAY,
        "absent": status == DayStatus.ABSENT,
        "holiday": status == DayStatus.HOLIDAY,
        "off_duty": status == DayStatus.OFF,
        "open": still,
        "late": days.late_s > 0,
        "early": days.early_s > 0,
        "missing_in": days.missing_in,
        "missing_out": days.missing_out,
        "worked_s": days.worked_s,
        "expected_s": days.expected_s,
        "late_s": days.late_s,
        "early_s": days.early_s,
        "overtime_s": days.overtime_s,
    }
    # sums of doubles are exact up to 2**53, which is 285 million years in seconds
    sums = [np.bincount(index, weights=weights[name], minlength=size).astype(np.int64).tolist() for name in NAMES]
    return [Totals(*row) for row in zip(*sums, strict=True)]


def whole(days: Days) -> Totals:
    """The sum of all rows."""
    return tally(days, np.zeros(len(days.subject), np.intp), 1)[0]
