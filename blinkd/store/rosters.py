"""People as reports need them: thousands at once, as arrays, without their templates."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from peewee import SqliteDatabase

from blinkd.attendance.punch import PersonStatus, pseudonym
from blinkd.attendance.reports.roster import Longs, Roster
from blinkd.errors import ReportRefused
from blinkd.store.outbox import Guard

AT_ONCE = 500  # values in one query; old SQLite takes 999
LIMITED = "valid_from IS NOT NULL OR valid_until IS NOT NULL OR enrolled_at >= ?"  # whose dates must be looked at
MANY = 2_000  # of so many people it is quicker to read all than to look each one up


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a pseudonym stands for. person_id: the pseudonym in words where nobody is known by it; name: None once erased."""

    person_id: str
    name: str | None
    known: bool = True


class Rosters:
    """Reads only."""

    def __init__(self, database: SqliteDatabase, reading: Guard) -> None:
        self._database = database
        self._reading = reading

    def roster(self, first: date, last: date, zone: ZoneInfo) -> Roster:
        """Who can be absent between two local dates: active people within their dates of validity, and not before they were enrolled.

        valid_from, where it is set, counts instead of the enrolment: somebody may have been enrolled late, or ahead.
        """
        active = PersonStatus.ACTIVE.value
        with self._reading():
            # one number a row: the subject, and whether there is more to know. Nearly everybody was enrolled long ago, and is here to stay
            # all as one text: half the time that Python's numbers take, one by one
            (text,) = self._rows(
                f"SELECT group_concat(subject * 2 + ({LIMITED}), ' ') FROM people WHERE status = ?",
                (first - timedelta(days=1)).isoformat(),  # a day more, for the zone's offset
                active,
            )[0]
            rows = np.sort(np.fromstring(text or "", np.int64, sep=" "))
            limited = (
                self._rows(
                    f"SELECT subject, enrolled_at, valid_from, valid_until FROM people WHERE status = ? AND ({LIMITED})",
                    active,
                    (first - timedelta(days=1)).isoformat(),
                )
                if bool((rows & 1).any())
                else []
            )
        subject = rows >> 1
        begins = np.full(len(rows), first.toordinal(), np.int32)
        ends = np.full(len(rows), last.toordinal(), np.int32)
        at = np.searchsorted(subject, np.array([row[0] for row in limited], np.int64))
        for place, (_, enrolled_at, valid_from, valid_until) in zip(at.tolist(), limited, strict=True):
            begin = date.fromisoformat(valid_from) if valid_from else datetime.fromisoformat(enrolled_at).astimezone(zone).date()
            begins[place] = max(begin.toordinal(), first.toordinal())
            if valid_until:
                ends[place] = min(date.fromisoformat(valid_until).toordinal(), last.toordinal())
        return Roster(subject, begins, ends)

    def known(self, subjects: Sequence[int]) -> dict[int, Known]:
        """Whom each pseudonym stands for."""
        found: dict[int, Known] = {}
        with self._reading():
            for table, name in (("former_people", "NULL"), ("people", "name")):
                if len(subjects) > MANY:
                    rows = self._rows(f"SELECT subject, id, {name} FROM {table}")
                else:
                    rows = []
                    for start in range(0, len(subjects), AT_ONCE):
                        some = subjects[start : start + AT_ONCE]
                        marks = ", ".join("?" * len(some))
                        rows += self._rows(f"SELECT subject, id, {name} FROM {table} WHERE subject IN ({marks})", *some)
                found.update({subject: Known(person_id, name) for subject, person_id, name in rows})
        return {subject: found.get(subject) or Known(pseudonym(subject), None, known=False) for subject in subjects}

    def group(self, name: str) -> Longs:
        """The pseudonyms of a group's members. Raises ReportRefused, with a near name, where there is no such group."""
        with self._reading():
            rows = self._rows("SELECT subject FROM people JOIN memberships ON person_id = id WHERE memberships.name = ?", name)
            groups = [] if rows else [str(row[0]) for row in self._rows("SELECT DISTINCT name FROM memberships ORDER BY name")]
        if not rows:
            near = difflib.get_close_matches(name, groups, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(groups) or 'none'}"
            raise ReportRefused(f"nobody is in group {name!r}; {hint}")
        return np.array(sorted(row[0] for row in rows), np.int64)

    def groups(self) -> dict[int, tuple[str, ...]]:
        """The groups of everybody who is in one, by pseudonym."""
        with self._reading():
            rows = self._rows("SELECT subject, memberships.name FROM people JOIN memberships ON person_id = id ORDER BY memberships.name")
        found: dict[int, tuple[str, ...]] = {}
        for subject, name in rows:
            found[subject] = (*found.get(subject, ()), str(name))
        return found

    def punched(self, subject: int) -> bool:
        """Whether any punch of the book is theirs."""
        with self._reading():
            return bool(self._rows("SELECT 1 FROM punches WHERE subject = ? LIMIT 1", subject))

    def elsewhere(self, terminal: str) -> dict[int, str]:
        """Number and terminal of the punches in the book that another terminal recorded."""
        with self._reading():
            return dict(self._rows("SELECT seq, terminal FROM punches WHERE terminal <> ?", terminal))

    def _rows(self, sql: str, *values: object) -> list[Any]:
        return list(self._database.execute_sql(sql, values).fetchall())
