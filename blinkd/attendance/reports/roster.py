"""Who is expected, and the days that the engine counts for them."""

from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from blinkd.attendance.shifts.hours import Days, Stamps, count
from blinkd.attendance.shifts.rota import Rota

Longs = npt.NDArray[np.int64]


class Punched(Protocol):
    """Punches as they stand, as arrays of one length: subject, us (microseconds since 1970, UTC) and seq int64, entering bool."""

    @property
    def subject(self) -> Longs:
        """Pseudonyms."""

    @property
    def us(self) -> Longs:
        """Times."""

    @property
    def entering(self) -> npt.NDArray[np.bool_]:
        """Whether it is a check-in."""

    @property
    def seq(self) -> Longs:
        """Numbers in the book."""


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """Who can be absent, by ascending subject, and from which local day to which (proleptic ordinals, both included).

    subject: int64 (k,); first, last: int32 (k,). Everybody else (deleted, deactivated) appears where they punched, and is never absent.
    """

    subject: Longs
    first: npt.NDArray[np.int32]
    last: npt.NDArray[np.int32]

    @property
    def anybody(self) -> bool:
        """Whether anybody can be absent on any of its days."""
        return bool((self.first <= self.last).any())

    def only(self, subjects: Longs) -> "Roster":
        """Those of them who are on it."""
        kept = np.isin(self.subject, subjects)
        return Roster(self.subject[kept], self.first[kept], self.last[kept])


def counted(punched: Punched, roster: Roster, rota: Rota, first: date, last: date, now_us: int) -> Days:
    """A row for every shift in which somebody came, and for every one in which somebody on the roster was expected. Both dates included."""
    days = count(Stamps(punched.subject, punched.us, punched.entering), rota, roster.subject, first, last, now_us)
    if len(roster.subject) == 0:
        return days
    at = np.minimum(np.searchsorted(roster.subject, days.subject), len(roster.subject) - 1)
    known = roster.subject[at] == days.subject
    return pick(days, came(days) | (known & (roster.first[at] <= days.day) & (days.day <= roster.last[at])))


def came(days: Days) -> npt.NDArray[np.bool_]:
    """Of each row whether anybody punched, be it out only. bool (n,)."""
    punched: npt.NDArray[np.bool_] = (days.first_in != 0) | (days.last_out != 0) | days.missing_in | days.missing_out
    return punched


def pick(days: Days, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Days:
    """Only the chosen rows (bool (n,)), or rows by their numbers in a new order (intp)."""
    rows: dict[str, Any] = {field.name: getattr(days, field.name) for field in fields(days)}
    changed: dict[str, Any] = {name: column[chosen] for name, column in rows.items() if isinstance(column, np.ndarray)}
    return replace(days, **changed)


def distinct(values: Longs) -> Longs:
    """Each once, ascending. NumPy's own goes by hashes, which costs several times more for numbers."""
    ordered = np.sort(values)
    new = np.concatenate((np.ones(min(len(ordered), 1), np.bool_), ordered[1:] != ordered[:-1]))
    found: Longs = ordered[new]
    return found


def dates(first: date, last: date) -> list[date]:
    """Both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
