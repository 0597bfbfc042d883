"""What waits for the relay: a job in the transaction of the record that it sends."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.punch import SyncState

Guard = Callable[[], AbstractContextManager[object]]


class Outbox:
    """Jobs, oldest first."""

    def __init__(self, database: SqliteDatabase, tables: Any, guard: Guard, reading: Guard) -> None:  # noqa: ANN401
        self._database = database
        self._tables = tables
        self._guard = guard
        self._reading = reading

    def enqueue(self, job_type: str, record_id: str, at: datetime) -> None:
        """Add a job for the relay; the payload is built when it is sent."""
        with self._guard():
            created = at.astimezone(UTC).isoformat(timespec="microseconds")
            self._tables.queue.create(
                job_type=job_type, record_id=record_id, payload="{}", status=SyncState.PENDING.value, attempts=0, created_at=created
            )

    def pending(self, limit: int) -> list[tuple[int, str, str]]:
        """The oldest jobs that wait: number, type, record id."""
        queue = self._tables.queue
        with self._reading():
            rows = queue.select().where(queue.status != SyncState.SYNCED.value).order_by(queue.id).limit(limit)
            return [(int(row.id), str(row.job_type), str(row.record_id)) for row in rows]

    def settle(self, job: int, state: SyncState) -> None:
        """The relay has it (the job goes), or refused it (it stays as FAILED); the entry in the book says so too."""
        queue, chain = self._tables.queue, self._tables.chain
        with self._guard():
            row = queue.get_or_none(queue.id == job)
            if row is None:
                return
            if row.job_type == "punch":
                punches = self._tables.punches
                chain.update(sync=state.value).where(chain.seq == punches.select(punches.seq).where(punches.id == row.record_id)).execute()
            elif row.job_type == "entry":
                chain.update(sync=state.value).where(chain.seq == int(row.record_id)).execute()
            if state is SyncState.SYNCED:
                queue.delete().where(queue.id == job).execute()
            else:
                queue.update(status=state.value, attempts=queue.attempts + 1).where(queue.id == job).execute()

    def withdraw(self, job_type: str, records: str, values: tuple[object, ...]) -> None:
        """Take back the jobs of records that are erased; records: a query for their ids."""
        with self._guard():
            self._database.execute_sql(f"DELETE FROM sync_queue WHERE job_type = ? AND record_id IN ({records})", (job_type, *values))
