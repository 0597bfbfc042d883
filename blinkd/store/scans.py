"""The scan log: every decision at the door, with its reason; added to, and shortened by retention only."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.punch import pseudonym
from blinkd.clock import Instant, microseconds, moment_of
from blinkd.store.book import FIRST, LAST
from blinkd.store.outbox import Guard

KEPT_AFTER = "scan_log_kept_after"  # the setting that the schema's trigger asks before a row may go

SCANS = """SELECT s.seq, s.us, s.boot_s, s.boot_id, s.clock, s.outcome, s.reason, s.subject, coalesce(people.id, former_people.id),
    s.similarity, s.details, people.name FROM scan_log s LEFT JOIN people ON people.subject = s.subject
    LEFT JOIN former_people ON former_people.subject = s.subject"""


PAGE = 50  # rows on a page
# of a span that is over; asked of the column itself SQLite would walk through all that is newer
IN_SPAN = "s.seq IN (SELECT seq FROM scan_log INDEXED BY scan_log_by_time WHERE us >= ? AND us < ?)"


@dataclass(frozen=True, slots=True)
class WantedScans:
    """What is asked for; None: all. subjects: about these people; since, until: aware, the end excluded; before: the numbers below one."""

    subjects: tuple[int, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    before: int | None = None


class ScanLog:
    """Decisions, oldest first."""

    def __init__(self, database: SqliteDatabase, tables: Any, guard: Guard, reading: Guard) -> None:  # noqa: ANN401
        self._database = database
        self._tables = tables
        self._guard = guard
        self._reading = reading

    def append(
        self, at: Instant, outcome: str, reason: str | None, subject: int | None, similarity: float | None, details: Mapping[str, Any]
    ) -> None:
        """Add one decision; subject: the pseudonym of the person it was about, where there was one."""
        with self._guard():
            self._tables.scans.create(
                us=microseconds(at.utc),
                boot_s=at.boot_s,
                boot_id=at.boot_id,
                clock=at.confidence,
                outcome=outcome,
                reason=reason,
                subject=subject,
                similarity=similarity,
                details=json.dumps(dict(details), sort_keys=True),
            )

    def read(self, subject: int | None = None) -> Iterator[dict[str, Any]]:
        """Rows as JSON values; subject: only of that person."""
        where, values = ("", ()) if subject is None else (" WHERE s.subject = ?", (subject,))
        with self._reading():
            for row in self._database.execute_sql(f"{SCANS}{where} ORDER BY s.seq", values):
                yield _line(row)

    def page(self, wanted: WantedScans, most: int = PAGE) -> tuple[list[dict[str, Any]], int | None]:
        """Rows as `read` gives them with the name beside the id, newest first, and the number below which the next page begins, if any."""
        conditions, values = ["s.seq < ?"], list[object]([LAST if wanted.before is None else wanted.before])
        since = None if wanted.since is None else microseconds(wanted.since)
        if wanted.until is not None:
            conditions.append(IN_SPAN)
            values += [FIRST if since is None else since, microseconds(wanted.until)]
            since = None
        for sql, value in (("s.us >= ?", since), ("s.outcome = ?", wanted.outcome), ("s.reason = ?", wanted.reason)):
            if value is not None:
                conditions.append(sql)
                values.append(value)
        if wanted.subjects is not None:
            conditions.append(f"s.subject IN ({', '.join('?' * len(wanted.subjects))})")
            values += wanted.subjects
        with self._reading():
            rows = self._database.execute_sql(
                f"{SCANS} WHERE {' AND '.join(conditions)} ORDER BY s.seq DESC LIMIT ?", (*values, most + 1)
            ).fetchall()
        lines = [_line(row) | {"name": row[-1]} for row in rows[:most]]
        return lines, lines[-1]["seq"] if len(rows) > most else None

    def erase_until(self, seq: int) -> int:
        """Erase the rows up to a number; returns how many."""
        with self._guard():
            self._tables.settings.insert(key=KEPT_AFTER, value=str(seq)).on_conflict_replace().execute()
            return int(self._database.execute_sql("DELETE FROM scan_log WHERE seq <= ?", (seq,)).rowcount)


def _line(row: Sequence[Any]) -> dict[str, Any]:
    seq, us, boot_s, boot_id, clock, outcome, reason, who, person_id, similarity, details, _ = row
    return {
        "seq": seq,
        "utc": moment_of(us).isoformat(timespec="microseconds"),
        "boot_s": boot_s,
        "boot_id": boot_id,
        "clock": clock,
        "outcome": outcome,
        "reason": reason,
        "person_id": None if who is None else person_id or pseudonym(who),
        "similarity": similarity,
        "details": json.loads(details),
    }
