"""Checks recognised, live people in and out, and writes every decision down before anyone is told of it."""

import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from blinkd.attendance.punch import Member, Method, PersonStatus, Punch, SyncState, TurnedAway
from blinkd.attendance.rules import Rules
from blinkd.attendance.timekeeper import Timekeeper
from blinkd.clock import Clock, Instant
from blinkd.errors import NotAllowed
from blinkd.settings import AttendanceSettings, TerminalSettings


class Book(Protocol):
    """Where punches are kept; the store behaves so."""

    def transaction(self) -> AbstractContextManager[object]:
        """All writes within are on disk together when it ends without an error, or none of them."""

    def member(self, person_id: str) -> Member | None:
        """The person behind an id, None when nobody has it."""

    def last_punch(self, subject: int) -> Punch | None:
        """By sequence, as it stands now."""

    def punch(self, seq: int) -> Punch | None:
        """By its number."""

    def next_seq(self) -> int:
        """For the next entry."""

    def append_punch(self, punch: Punch) -> None:
        """Into the book and the sync queue."""

    def append(self, kind: str, members: Mapping[str, Any], now: Instant, note: str | None = None) -> int:
        """Another entry; returns its number."""

    def disowned(self, seq: int) -> int | None:
        """The number of the entry by which a punch was disowned first; None where it was not."""

    def unsynced(self, boot_id: str) -> bool:
        """Whether a punch of that boot has an untrusted time and no clock entry after it."""


class Scans(Protocol):
    """The scan log; the store behaves so."""

    def append(
        self, at: Instant, outcome: str, reason: str | None, subject: int | None, similarity: float | None, details: Mapping[str, Any]
    ) -> None:
        """Add one decision."""


class Clerk:
    """The session's Desk."""

    def __init__(
        self, book: Book, scans: Scans, rules: Rules, attendance: AttendanceSettings, terminal: TerminalSettings, clock: Clock
    ) -> None:
        self._book = book
        self._scans = scans
        self._rules = rules
        self._settings = attendance
        self._terminal = terminal
        self._clock = clock
        self._timekeeper = Timekeeper(book, clock)

    def attend(self, person_id: str, similarity: float, evidence: Mapping[str, Any]) -> Punch | TurnedAway:
        """Punch for a person; returns when punch, sync job and scan log entry are on disk. Raises StoreError when they cannot be."""
        return self._attend(person_id, similarity, evidence, Method.FACE)

    def admit(self, person_id: str, method: Method, evidence: Mapping[str, Any]) -> Punch | TurnedAway:
        """The same for somebody who was not known by the face."""
        return self._attend(person_id, None, {**evidence, "method": method.value}, method)

    def _attend(self, person_id: str, similarity: float | None, evidence: Mapping[str, Any], method: Method) -> Punch | TurnedAway:
        now = self._clock.now()
        with self._book.transaction():
            self._timekeeper.look()
            member = self._book.member(person_id)
            if member is None or not self._may_punch(member, now):
                return self._turn_away("inactive", None if member is None else member.subject, now, similarity, evidence)
            last = self._book.last_punch(member.subject)
            if last is not None and self._too_soon(last, now):
                return self._turn_away("too_soon", member.subject, now, similarity, evidence)
            punch = self._punch(person_id, member, similarity, now, last, method)
            self._book.append_punch(punch)
            self._scans.append(now, "accepted", None, member.subject, similarity, {**evidence, "punch": punch.id})
        return punch

    def refuse(self, reason: str, person_id: str | None, similarity: float | None, evidence: Mapping[str, Any]) -> None:
        """Write a refusal that the session decided."""
        with self._book.transaction():
            member = None if person_id is None else self._book.member(person_id)
            self._scans.append(self._clock.now(), "refused", reason, None if member is None else member.subject, similarity, evidence)

    def disown(self, seq: int) -> int:
        """"Not me": the person before the terminal says that a punch is not theirs; returns the number of the entry that says so.

        The punch stays, marked, until a supervisor decides. Raises NotAllowed for an entry that is no punch of this terminal or lies
        too long ago, StoreError.
        """  # fmt: skip
        now = self._clock.now()
        with self._book.transaction():
            punch = self._book.punch(seq)
            if punch is None or punch.boot_id != now.boot_id:
                raise NotAllowed(f"entry {seq} is no punch of this terminal since it was started; ask a supervisor to correct it")
            if not 0 <= now.boot_s - punch.boot_s <= self._settings.disown_s:
                raise NotAllowed(
                    f"punch {seq} lies longer ago than {self._settings.disown_s:g} s (attendance.disown_s); ask a supervisor to correct it"
                )
            if (said := self._book.disowned(seq)) is not None:
                return said  # entries stay for ever: a page that says it again and again must not fill the disk
            return self._book.append("disowned", {"target": seq, "subject": punch.subject}, now)

    def _turn_away(
        self,
        reason: Literal["inactive", "too_soon"],
        subject: int | None,
        now: Instant,
        similarity: float | None,
        evidence: Mapping[str, Any],
    ) -> TurnedAway:
        self._scans.append(now, "refused", reason, subject, similarity, evidence)
        return TurnedAway(reason)

    def _may_punch(self, member: Member, now: Instant) -> bool:
        """Active, and within the dates; a clock that cannot be right refuses nobody."""
        if member.status is not PersonStatus.ACTIVE:
            return False
        if not self._rules.plausible(now.utc):
            return True
        today = now.utc.astimezone(self._terminal.zone).date()
        return (member.valid_from is None or member.valid_from <= today) and (member.valid_until is None or today <= member.valid_until)

    def _punch(self, person_id: str, member: Member, similarity: float | None, now: Instant, last: Punch | None, method: Method) -> Punch:
        before = None if last is None else (last.status, _when(last, now))
        verdict = self._rules.decide(member.subject, now.utc, before)
        return Punch(
            id=str(uuid.uuid4()),
            seq=self._book.next_seq(),
            subject=member.subject,
            person_id=person_id,
            utc=now.utc,
            boot_s=now.boot_s,
            boot_id=now.boot_id,
            clock=now.confidence,
            status=verdict.status,
            punctuality=verdict.punctuality,
            minutes=verdict.minutes,
            shift=verdict.shift,
            terminal=self._terminal.id,
            similarity=0.0 if similarity is None else similarity,
            sync=SyncState.PENDING,
            method=method,
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
