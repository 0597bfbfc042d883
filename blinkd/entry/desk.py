"""Decides on PINs and badges: who it is, whether they have tried too often, and then attendance as for anybody else."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from blinkd.attendance.punch import Member, Method, Punch, TurnedAway
from blinkd.clock import Clock, Instant
from blinkd.crypto.pins import code_digest
from blinkd.entry.limits import Limits
from blinkd.entry.typing import CodeRead, PinTyped
from blinkd.errors import PinRefused
from blinkd.session.events import Event, RefusalReason
from blinkd.store.tries import TERMINAL, Tries

NO_SESSION = 0  # number of the visit in events: there is none, and one with a face goes on undisturbed

log = logging.getLogger(__name__)


class Credentials(Protocol):
    """Who has what; the store behaves so."""

    def pin_of(self, person_id: str) -> str | None:
        """The hash of a PIN."""

    def pin_holders(self) -> list[str]:
        """Ids."""

    def holders_of(self, digest: str) -> list[str]:
        """Ids of those whose badge it is."""


class TryBook(Protocol):
    """Wrong tries; the store behaves so."""

    def of(self, who: int, now: Instant) -> Tries:
        """Of a pseudonym, or TERMINAL."""

    def set(self, who: int, wrong: int, now: Instant) -> None:
        """So many count now."""


class Attendance(Protocol):
    """The clerk, who writes everything down before anyone is told."""

    def admit(self, person_id: str, method: Method, evidence: Mapping[str, Any]) -> Punch | TurnedAway:
        """Check somebody in or out."""

    def refuse(self, reason: str, person_id: str | None, similarity: float | None, evidence: Mapping[str, Any]) -> None:
        """Write a refusal into the scan log."""


@dataclass(frozen=True, slots=True)
class Question:
    """A PIN that is to be compared, which takes a while: by a thread of its own. began: monotonic seconds."""

    person_id: str | None
    subject: int | None
    hashed: str | None = field(repr=False)
    pin: str = field(repr=False)
    began: float


class EntryDesk:
    """Used by the one thread that may write into the store. Every call raises StoreError and KeyMissing, and then nobody is let in."""

    def __init__(
        self,
        credentials: Credentials,
        tries: TryBook,
        member: Callable[[str], Member | None],
        name_of: Callable[[str], str],
        clerk: Attendance,
        clock: Clock,
        limits: Limits,
    ) -> None:
        """member: the person behind an id; clerk: as the rules in force have it."""
        self._credentials = credentials
        self._tries = tries
        self._member = member
        self._name_of = name_of
        self._clerk = clerk
        self._clock = clock
        self._limits = limits

    def renew(self, clerk: Attendance) -> None:
        """The rules have changed: somebody else writes attendance from now on."""
        self._clerk = clerk

    def ask(self, typed: PinTyped) -> Question | list[Event]:
        """What is to be compared; or events, where it is not asked at all.

        The try is counted now and taken back when the PIN is right: who pulls the plug in between has not tried for nothing.
        """
        began = self._clock.monotonic()
        if not self._limits.settings.pin:
            return self._refuse("unknown_number", None, Method.PIN, began)
        person_id = self._who(typed.number)
        member = None if person_id is None else self._member(person_id)
        subject = None if member is None else member.subject
        if (wait := self._wait(subject)) > 0:
            return self._refuse("locked_out", person_id, Method.PIN, began, wait_s=round(wait, 1))
        hashed = None if person_id is None else self._credentials.pin_of(person_id)
        self._charge(subject)
        return Question(person_id, subject, hashed, typed.pin, began)

    def answered(self, question: Question, *, right: bool) -> list[Event]:
        """The comparison is done."""
        if not right or question.person_id is None or question.subject is None:
            reason = "unknown_number" if question.person_id is None else "wrong_pin"
            return self._refuse(reason, question.person_id, Method.PIN, question.began)
        now = self._clock.now()
        self._tries.set(question.subject, 0, now)
        self._forgive()
        return self._admit(question.person_id, Method.PIN, question.began)

    def badge(self, read: CodeRead, where: str) -> list[Event]:
        """where: reader or camera. A badge that is nobody's, or two people's, opens nothing."""
        began = self._clock.monotonic()
        if (wait := self._wait(None)) > 0:
            return self._refuse("locked_out", None, Method.BADGE, began, where=where, wait_s=round(wait, 1))
        owners = self._owners(read.code) if self._limits.settings.badge else []
        if len(owners) != 1:
            if owners:
                log.error("a badge is the badge of %s: take it away from all but one", " and ".join(owners))
            self._charge(None)
            return self._refuse("unknown_badge", None, Method.BADGE, began, where=where)
        return self._admit(owners[0], Method.BADGE, began, where=where)

    def _who(self, number: str) -> str | None:
        """By the id, however letters are written; else by its digits alone, where one person with a PIN has them: a keypad has no letters."""
        holders, wanted = self._credentials.pin_holders(), number.casefold()
        same = [one for one in holders if one.casefold() == wanted]
        same = same or [one for one in holders if "".join(character for character in one if character.isdigit()) == wanted]
        return same[0] if len(same) == 1 else None

    def _owners(self, code: str) -> list[str]:
        try:
            return self._credentials.holders_of(code_digest(code))
        except PinRefused:  # too short or too long for any
            return []

    def _wait(self, subject: int | None) -> float:
        now = self._clock.now()
        wait = self._limits.terminal_s(self._tries.of(TERMINAL, now))
        return wait if subject is None else max(wait, self._limits.person_s(self._tries.of(subject, now)))

    def _charge(self, subject: int | None) -> None:
        now = self._clock.now()
        self._tries.set(TERMINAL, self._limits.counted(self._tries.of(TERMINAL, now)) + 1, now)
        if subject is not None:
            self._tries.set(subject, self._tries.of(subject, now).wrong + 1, now)

    def _forgive(self) -> None:
        now = self._clock.now()
        self._tries.set(TERMINAL, max(0, self._limits.counted(self._tries.of(TERMINAL, now)) - 1), now)

    def _admit(self, person_id: str, method: Method, began: float, **evidence: object) -> list[Event]:
        answer = self._clerk.admit(person_id, method, evidence)
        t = self._clock.monotonic()
        if isinstance(answer, TurnedAway):
            return [_refused(t, answer.reason, method, began, person_id=person_id)]
        details = {
            "person_id": person_id,
            "name": self._name_of(person_id),
            "status": str(answer.status),
            "punctuality": str(answer.punctuality),
            "minutes": answer.minutes,
            "seq": answer.seq,
            "similarity": 0.0,
            "elapsed_s": round(t - began, 3),
            "method": method.value,
        }
        return [Event(t, NO_SESSION, "punch", details)]

    def _refuse(self, reason: str, person_id: str | None, method: Method, began: float, **evidence: object) -> list[Event]:
        self._clerk.refuse(reason, person_id, None, {**evidence, "method": method.value})
        # whether a number is anybody's is for the scan log, not for whoever stands there and tries
        told: RefusalReason = "locked_out" if reason == "locked_out" else "unknown_badge" if method is Method.BADGE else "wrong_pin"
        return [_refused(self._clock.monotonic(), told, method, began)]


def _refused(t: float, reason: str, method: Method, began: float, **known: object) -> Event:
    said = {"reason": reason, "frames": 0, "elapsed_s": round(t - began, 3), "method": method.value}
    return Event(t, NO_SESSION, "refused", said | known)
