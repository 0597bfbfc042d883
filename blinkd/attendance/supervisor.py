"""Corrections: new signed entries beside what was recorded, with who, when and why; the original stays."""

import unicodedata
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from blinkd.attendance.punch import Direction, Member, Punch
from blinkd.clock import Clock, Instant, microseconds
from blinkd.errors import NotAllowed, UnknownPerson

LONGEST_BY, LONGEST_WHY = 100, 500  # characters: a name or number; a sentence or two
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)  # no punch lies outside, whatever a clock shows


class CorrectedBook(Protocol):
    """The book, as the supervisor needs it."""

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing."""

    def member(self, person_id: str) -> Member | None:
        """The person behind an id."""

    def punch(self, seq: int) -> Punch | None:
        """By its number."""

    def entries(self, *kinds: str) -> Iterator[tuple[int, dict[str, Any], str | None]]:
        """Number, content and note, oldest first."""

    def append(self, kind: str, members: Mapping[str, Any], now: Instant, note: str | None = None) -> int:
        """Add an entry; returns its number."""


class Supervisor:
    """Corrects the book in somebody's name. Every call returns the number of the new entry, and raises NotAllowed, StoreError."""

    def __init__(self, book: CorrectedBook, clock: Clock, by: str) -> None:
        self._book = book
        self._clock = clock
        self._by = words(by, "name of who corrects (--by)", LONGEST_BY)

    def void(self, seq: int, why: str) -> int:
        """It counts no more."""
        return self._correct("void", seq, why)

    def uphold(self, seq: int, why: str) -> int:
        """It counts as it was recorded, whatever was said since."""
        return self._correct("uphold", seq, why)

    def amend(self, seq: int, why: str, utc: datetime | None, status: Direction | None) -> int:
        """It was at another time (aware), or of the other direction."""
        if utc is None and status is None:
            raise NotAllowed("nothing to amend: give the right time (--time), the right direction (--status), or both")
        changes = {} if utc is None else {"us": self._possible(utc)}
        return self._correct("amend", seq, why, changes | ({} if status is None else {"status": status.value}))

    def add(self, person_id: str, utc: datetime, status: Direction, why: str) -> int:
        """Somebody came or went and no punch tells of it. Raises UnknownPerson too."""
        us = self._possible(utc)
        with self._book.transaction():
            member = self._book.member(person_id)
            if member is None:
                raise UnknownPerson(f"nobody has the id {person_id!r}; blinkd people list shows who is enrolled")
            for seq, content, _ in self._book.entries("correction"):
                if content["what"] == "add" and (content["subject"], content["us"], content["status"]) == (
                    member.subject,
                    us,
                    status.value,
                ):
                    raise NotAllowed(f"entry {seq} has added just this already; void that one if it is wrong")
            added = {"id": str(uuid.uuid4()), "subject": member.subject, "us": us, "status": status.value}
            return self._append("add", why, added)

    def _correct(self, what: str, seq: int, why: str, changes: Mapping[str, Any] | None = None) -> int:
        with self._book.transaction():
            punch = self._book.punch(seq)
            subject = None if punch is None else punch.subject
            if punch is None:
                added = (content for number, content, _ in self._book.entries("correction") if number == seq and content["what"] == "add")
                subject = next((content["subject"] for content in added), None)
            if subject is None:
                raise NotAllowed(f"entry {seq} is no punch of this book; blinkd log shows their numbers")
            return self._append(what, why, {"target": seq, "subject": subject, **(changes or {})})

    def _append(self, what: str, why: str, members: Mapping[str, Any]) -> int:
        reason = words(why, "reason (--why)", LONGEST_WHY)
        return self._book.append("correction", {"what": what, "by": self._by, **members}, self._clock.now(), reason)

    def _possible(self, utc: datetime) -> int:
        now = self._clock.now()
        if not EARLIEST <= utc < LATEST:
            raise NotAllowed(f"{utc.isoformat()}: no punch lies before 1970 or after 2099; check the year")
        if now.confidence == "synced" and utc > now.utc:
            raise NotAllowed(f"{utc.isoformat()} lies in the future; check the date and the time zone")
        return microseconds(utc)


def words(text: str, what: str, longest: int) -> str:
    """Somebody's words with runs of white space as one blank. Raises NotAllowed for none, too many, and characters that do not show."""
    cleaned = unicodedata.normalize("NFC", " ".join(text.split()))
    if not cleaned:
        raise NotAllowed(f"the {what} is empty; who reads the book later must find it")
    if len(cleaned) > longest:
        raise NotAllowed(f"the {what} has {len(cleaned)} characters; shorten it to {longest}")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Co") for character in cleaned):
        raise NotAllowed(f"the {what} holds a character that does not show; leave it out")
    return cleaned
