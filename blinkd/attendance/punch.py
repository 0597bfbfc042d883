"""The fifth value of the flow: one check-in or check-out, and the words it is made of."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Direction(StrEnum):
    """What a punch does."""

    CHECK_IN = "CHECK_IN"
    CHECK_OUT = "CHECK_OUT"


class Punctuality(StrEnum):
    """How a punch stands to the shift."""

    ON_TIME = "ON_TIME"
    LATE = "LATE"


class PersonStatus(StrEnum):
    """Whether a person may punch."""

    ACTIVE = "ACTIVE"
    DEACTIVATED = "DEACTIVATED"


class SyncState(StrEnum):
    """Whether the relay has it."""

    PENDING = "PENDING"
    SYNCED = "SYNCED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Punch:
    """One row of the book.

    id: UUID; seq: number on this terminal, from 1 without gaps, the order that counts; utc: aware; boot_s, boot_id: the clock that
    no one can set; clock: confidence in `utc`; minutes_late: 0 unless LATE; similarity: of the decision, -1..1.
    """

    id: str
    seq: int
    person_id: str
    utc: datetime
    boot_s: float
    boot_id: str
    clock: str
    status: Direction
    punctuality: Punctuality
    minutes_late: int
    terminal: str
    similarity: float
    sync: SyncState


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A recognised, live person who may not punch now; already in the scan log."""

    reason: Literal["inactive", "too_soon"]
