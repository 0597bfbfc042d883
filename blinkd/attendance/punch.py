"""The fifth value of the flow: one check-in or check-out, and the words it is made of."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from blinkd.clock import microseconds


class Direction(StrEnum):
    """What a punch does."""

    CHECK_IN = "CHECK_IN"
    CHECK_OUT = "CHECK_OUT"


class Punctuality(StrEnum):
    """How a punch stands to the shift."""

    ON_TIME = "ON_TIME"
    LATE = "LATE"
    EARLY_LEAVE = "EARLY_LEAVE"
    OVERTIME = "OVERTIME"


class PersonStatus(StrEnum):
    """Whether a person may punch."""

    ACTIVE = "ACTIVE"
    DEACTIVATED = "DEACTIVATED"


class Method(StrEnum):
    """How the person was known."""

    FACE = "face"
    PIN = "pin"
    BADGE = "badge"


class SyncState(StrEnum):
    """Whether the relay has it."""

    PENDING = "PENDING"
    SYNCED = "SYNCED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Member:
    """A person as the book knows them. subject: the pseudonym that stands in the book, 53 bits; valid_from, valid_until: local dates,
    both included, None without limit.
    """  # fmt: skip

    subject: int
    status: PersonStatus
    valid_from: date | None
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class Punch:
    """One check-in or check-out as it was recorded.

    id: UUID; seq: number in this terminal's book, the order that counts; subject: the person's pseudonym, which is what the book holds;
    person_id: whom it stands for now, the pseudonym in words once the person is erased; utc: aware, what the wall clock showed; boot_s,
    boot_id: the clock that no one can set; clock: confidence in `utc`; minutes: late, early or over, 0 when ON_TIME; shift: the name of
    the shift by which it was judged; similarity: of the decision, -1..1, 0 where no face was compared; method: how the person was known.
    """

    id: str
    seq: int
    subject: int
    person_id: str
    utc: datetime
    boot_s: float
    boot_id: str
    clock: str
    status: Direction
    punctuality: Punctuality
    minutes: int
    shift: str | None
    terminal: str
    similarity: float
    sync: SyncState
    method: Method = Method.FACE

    def content(self) -> dict[str, Any]:
        """What is signed: whole numbers only, so that every program forms the same bytes; never the person's id or name.

        The method stands in it where it is not the face: a punch of before there were others is signed without.
        """
        said = {
            "kind": "punch",
            "id": self.id,
            "subject": self.subject,
            "us": microseconds(self.utc),
            "boot_us": round(self.boot_s * 1_000_000),
            "boot_id": self.boot_id,
            "clock": self.clock,
            "status": self.status.value,
            "punctuality": self.punctuality.value,
            "minutes": self.minutes,
            "shift": self.shift,
            "terminal": self.terminal,
            "similarity_ppm": round(self.similarity * 1_000_000),
        }
        return said if self.method is Method.FACE else {**said, "method": self.method.value}


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A recognised, live person who may not punch now; already in the scan log."""

    reason: Literal["inactive", "too_soon"]


def pseudonym(subject: int) -> str:
    """A subject in words, where no person stands behind it any more."""
    return f"p-{subject:014x}"
