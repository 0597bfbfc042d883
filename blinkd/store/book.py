"""Punches, the scan log and the queue of what waits for the relay: the three that one decision writes together."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.punch import Direction, PersonStatus, Punch, Punctuality, SyncState
from blinkd.clock import Instant

PUNCH_JOB = "punch"
FIRST, LAST = "0", "9999-12-31T23:59:59.999999+00:00"  # before and after every time as text
Guard = Callable[[], AbstractContextManager[object]]


class BookRepository:
    """The clerk's book. Rows are only ever added; triggers in the schema refuse anything else."""

    def __init__(self, database: SqliteDatabase, tables: Any, guard: Guard, reading: Guard) -> None:  # noqa: ANN401
        self._database = database
        self._tables = tables
        self._guard = guard
        self._reading = reading

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing, on disk when it ends. Raises StoreError when the disk does not take it."""
        return self._guard()

    def status_of(self, person_id: str) -> PersonStatus | None:
        """The person's status, None when nobody has that id."""
        with self._reading():
            row = self._tables.people.get_or_none(self._tables.people.id == person_id)
        return None if row is None else PersonStatus(row.status)

    def last_punch(self, person_id: str) -> Punch | None:
        """The person's last punch by sequence."""
        punches = self._tables.punches
        with self._reading():
            row = punches.select().where(punches.person_id == person_id).order_by(punches.seq.desc()).first()
        return None if row is None else _punch(row)

    def next_seq(self) -> int:
        """One more than the highest."""
        with self._reading():
            return 1 + int(self._database.execute_sql("SELECT coalesce(max(seq), 0) FROM punches").fetchone()[0])

    def append_punch(self, punch: Punch) -> None:
        """Add a punch, and the job that sends it."""
        with self._guard():
            self._write_punch(punch)
            self.enqueue(PUNCH_JOB, punch.id, punch.utc)

    def _write_punch(self, punch: Punch) -> None:
        self._tables.punches.create(
            force_insert=True,
            seq=punch.seq,
            id=punch.id,
            person_id=punch.person_id,
            utc=_text(punch.utc),
            boot_s=punch.boot_s,
            boot_id=punch.boot_id,
            clock=punch.clock,
            status=punch.status.value,
            punctuality=punch.punctuality.value,
            minutes_late=punch.minutes_late,
            terminal=punch.terminal,
            similarity=punch.similarity,
            sync=punch.sync.value,
        )

    def append_scan(
        self, at: Instant, outcome: str, reason: str | None, person_id: str | None, similarity: float | None, details: Mapping[str, Any]
    ) -> None:
        """Add one decision to the scan log."""
        with self._guard():
            self._tables.scans.create(
                utc=_text(at.utc),
                boot_s=at.boot_s,
                boot_id=at.boot_id,
                clock=at.confidence,
                outcome=outcome,
                reason=reason,
                person_id=person_id,
                similarity=similarity,
                details=json.dumps(dict(details), sort_keys=True),
            )

    def punches(self, since: datetime | None = None, until: datetime | None = None, person_id: str | None = None) -> Iterator[Punch]:
        """Punches by sequence, newest last; since and until are aware, until is excluded."""
        table = self._tables.punches
        query = table.select().order_by(table.seq)
        if since is not None or until is not None:
            # always both ends: with one, SQLite walks the whole table in the order of its numbers instead of using the index on time
            query = query.where(
                table.utc >= (FIRST if since is None else _text(since)), table.utc < (LAST if until is None else _text(until))
            )
        if person_id is not None:
            query = query.where(table.person_id == person_id)
        with self._reading():
            for row in query.iterator():
                yield _punch(row)

    def scans(self) -> Iterator[dict[str, Any]]:
        """The scan log, oldest first."""
        with self._reading():
            for row in self._tables.scans.select().order_by(self._tables.scans.seq).dicts().iterator():
                yield row | {"details": json.loads(row["details"])}

    def enqueue(self, job_type: str, record_id: str, at: datetime) -> None:
        """Add a job for the relay; the payload is built when it is sent."""
        with self._guard():
            self._tables.queue.create(
                job_type=job_type, record_id=record_id, payload="{}", status=SyncState.PENDING.value, attempts=0, created_at=_text(at)
            )

    def pending(self, limit: int) -> list[tuple[int, str, str]]:
        """The oldest jobs that wait: number, type, record id."""
        queue = self._tables.queue
        with self._reading():
            rows = queue.select().where(queue.status != SyncState.SYNCED.value).order_by(queue.id).limit(limit)
            return [(int(row.id), str(row.job_type), str(row.record_id)) for row in rows]

    def settle(self, job: int, state: SyncState) -> None:
        """The relay has it (the job goes), or refused it (it stays as FAILED); the punch says so too."""
        queue, punches = self._tables.queue, self._tables.punches
        with self.transaction():
            row = queue.get_or_none(queue.id == job)
            if row is None:
                return
            if row.job_type == PUNCH_JOB:
                punches.update(sync=state.value).where(punches.id == row.record_id).execute()
            if state is SyncState.SYNCED:
                queue.delete().where(queue.id == job).execute()
            else:
                queue.update(status=state.value, attempts=queue.attempts + 1).where(queue.id == job).execute()


def _text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds: sorts as text in the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _punch(row: Any) -> Punch:  # noqa: ANN401  a peewee row
    return Punch(
        id=row.id,
        seq=row.seq,
        person_id=row.person_id,
        utc=datetime.fromisoformat(row.utc),
        boot_s=row.boot_s,
        boot_id=row.boot_id,
        clock=row.clock,
        status=Direction(row.status),
        punctuality=Punctuality(row.punctuality),
        minutes_late=row.minutes_late,
        terminal=row.terminal,
        similarity=row.similarity,
        sync=SyncState(row.sync),
    )
