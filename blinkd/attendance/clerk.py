"""Checks recognised, live people in and out, and writes every decision down before anyone is told of it."""

import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from blinkd.attendance.punch import Direction, PersonStatus, Punch, Punctuality, SyncState, TurnedAway
from blinkd.attendance.punctuality import judge, next_direction
from blinkd.clock import Clock, Instant
from blinkd.settings import AttendanceSettings, TerminalSettings


class Book(Protocol):
    """Where decisions are kept; the store behaves so."""

    def transaction(self) -> AbstractContextManager[object]:
        """All writes within are on disk together when it ends without an error, or none of them."""

    def status_of(self, person_id: str) -> PersonStatus | None:
        """The person's status, None when nobody has that id."""

    def last_punch(self, person_id: str) -> Punch | None:
        """By sequence."""

    def next_seq(self) -> int:
        """For the next punch."""

    def append_punch(self, punch: Punch) -> None:
        """Into the book and the sync queue."""

    def append_scan(
        self, at: Instant, outcome: str, reason: str | None, person_id: str | None, similarity: float | None, details: Mapping[str, Any]
    ) -> None:
        """Into the scan log."""


class Clerk:
    """The session's Desk."""

    def __init__(self, book: Book, attendance: AttendanceSettings, terminal: TerminalSettings, clock: Clock) -> None:
        self._book = book
        self._settings = attendance
        self._terminal = terminal
        self._zone = terminal.zone
        self._clock = clock

    def attend(self, person_id: str, similarity: float, evidence: Mapping[str, Any]) -> Punch | TurnedAway:
        """Punch for a person; returns when punch, sync job and scan log entry are on disk. Raises StoreError when they cannot be."""
        now = self._clock.now()
        with self._book.transaction():
            last = self._book.last_punch(person_id)
            refusal: TurnedAway | None = None
            if self._book.status_of(person_id) is not PersonStatus.ACTIVE:
                refusal = TurnedAway("inactive")
            elif last is not None and self._too_soon(last, now):
                refusal = TurnedAway("too_soon")
            if refusal is not None:
                self._book.append_scan(now, "refused", refusal.reason, person_id, similarity, evidence)
                return refusal
            direction = next_direction(None if last is None else (last.status, _when(last, now)), now.utc, self._zone)
            punch = self._punch(person_id, similarity, now, direction)
            self._book.append_punch(punch)
            self._book.append_scan(now, "accepted", None, person_id, similarity, {**evidence, "punch": punch.id})
        return punch

    def refuse(self, reason: str, person_id: str | None, similarity: float | None, evidence: Mapping[str, Any]) -> None:
        """Write a refusal that the session decided."""
        with self._book.transaction():
            self._book.append_scan(self._clock.now(), "refused", reason, person_id, similarity, evidence)

    def _punch(self, person_id: str, similarity: float, now: Instant, direction: Direction) -> Punch:
        judged = judge(now.utc, direction, self._zone, self._settings.shift_start, self._settings.grace_min)
        return Punch(
            id=str(uuid.uuid4()),
            seq=self._book.next_seq(),
            person_id=person_id,
            utc=now.utc,
            boot_s=now.boot_s,
            boot_id=now.boot_id,
            clock=now.confidence,
            status=direction,
            punctuality=Punctuality(judged.punctuality),
            minutes_late=judged.minutes_late,
            terminal=self._terminal.id,
            similarity=similarity,
            sync=SyncState.PENDING,
        )

    def _too_soon(self, last: Punch, now: Instant) -> bool:
        """Whether the last punch is less than the minimum ago, by the boot clock within one boot, else by wall time.

        A wall clock that has gone back makes the last punch lie in the future; that says nothing, and nobody is locked out by it.
        """
        since = now.boot_s - last.boot_s if now.boot_id == last.boot_id else (now.utc - last.utc).total_seconds()
        return 0 <= since < self._settings.min_interval_s


def _when(last: Punch, now: Instant) -> datetime:
    """When the last punch was, on the wall clock as it stands now.

    A Pi without a battery writes the morning's check-in with a time of 1970 and gets the right time later in the same boot; the boot
    clock, which nobody sets, still tells that both are of one day.
    """
    if now.boot_id != last.boot_id or now.boot_s < last.boot_s:
        return last.utc
    return now.utc - timedelta(seconds=now.boot_s - last.boot_s)
