"""The scan log: every decision at the door, with its reason; added to, and shortened by retention only."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.punch import pseudonym
from blinkd.clock import Instant, microseconds, moment_of
from blinkd.store.outbox import Guard

KEPT_AFTER = "scan_log_kept_after"  # the setting that the schema's trigger asks before a row may go

SCANS = """SELECT s.seq, s.us, s.boot_s, s.boot_id, s.clock, s.outcome, s.reason, s.subject, coalesce(people.id, former_people.id),
    s.similarity, s.details FROM scan_log s LEFT JOIN people ON people.subject = s.subject
    LEFT JOIN former_people ON former_people.subject = s.subject"""


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
            for seq, us, boot_s, boot_id, clock, outcome, reason, who, person_id, similarity, details in self._database.execute_sql(
                f"{SCANS}{where} ORDER BY s.seq", values
            ):
                yield {
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

    def erase_until(self, seq: int) -> int:
        """Erase the rows up to a number; returns how many."""
        with self._guard():
            self._tables.settings.insert(key=KEPT_AFTER, value=str(seq)).on_conflict_replace().execute()
            return int(self._database.execute_sql("DELETE FROM scan_log WHERE seq <= ?", (seq,)).rowcount)
