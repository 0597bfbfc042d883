"""What the book says once its later entries are heeded: corrected clocks, a supervisor's corrections, punches that were disowned."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from blinkd.attendance.punch import Direction, Punch
from blinkd.clock import BUILT, microseconds, moment_of

Certainty = Literal["certain", "corrected", "uncertain"]
State = Literal["valid", "amended", "added", "disowned", "voided"]

LEDGER_KINDS = ("clock", "correction", "disowned")  # the entries that change how a punch stands


@dataclass(frozen=True, slots=True)
class Correction:
    """A supervisor's entry. what: void, amend, add or uphold; us, status: the new values of `amend`, None where they stay; by: who;
    at: aware, when, by the clock of that moment; why: their words, None once erased.
    """  # fmt: skip

    seq: int
    what: str
    us: int | None
    status: Direction | None
    by: str
    at: datetime
    why: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a punch stands. utc: aware; certainty of that time; voided ones count nowhere, disowned ones count until a supervisor voids them."""

    utc: datetime
    certainty: Certainty
    status: Direction
    state: State
    trail: tuple[Correction, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it goes into hours."""
        return self.state != "voided"

    @property
    def plausible(self) -> bool:
        """Whether the time can be a real one at all; one before this program existed is not."""
        return self.utc >= BUILT


@dataclass(slots=True)
class Ledger:
    """The later entries of a book, by what they are about."""

    corrections: dict[int, list[Correction]] = field(default_factory=dict)  # by the punch's number
    disowned: dict[int, int] = field(default_factory=dict)  # punch's number: number of the entry
    clocks: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)  # boot id: number, boot time, UTC; microseconds

    @classmethod
    def of(cls, entries: Iterable[tuple[int, Mapping[str, Any], str | None]]) -> "Ledger":
        """From number, content and note of each entry of LEDGER_KINDS, oldest first."""
        ledger = cls()
        for seq, content, note in entries:
            match content["kind"]:
                case "clock":
                    ledger.clocks.setdefault(content["boot_id"], []).append((seq, content["boot_us"], content["us"]))
                case "disowned":
                    ledger.disowned[content["target"]] = seq
                case "correction":
                    status = None if content.get("status") is None else Direction(content["status"])
                    at = moment_of(content["at"]["us"])
                    one = Correction(seq, content["what"], content.get("us"), status, content["by"], at, note)
                    # one that was added is spoken of by its own number
                    ledger.corrections.setdefault(seq if one.what == "add" else content["target"], []).append(one)
        return ledger

    def corrected_us(self, boot_id: str, boot_s: float, seq: int) -> int | None:
        """The time of an entry with an untrusted clock, by the boot clock and a moment of the same boot when both were known.

        Of several such moments the first one after the entry counts, else the last one before it. None where there is none.
        """
        marks = self.clocks.get(boot_id)
        if not marks:
            return None
        place = min(bisect_right(marks, (seq, 0, 0)), len(marks) - 1)
        _, boot_us, us = marks[place]
        return us - (boot_us - round(boot_s * 1_000_000))

    def standing(self, punch: Punch) -> Standing:
        """How a recorded punch stands now."""
        utc, certainty = punch.utc, "certain"
        if punch.clock == "unsynced":
            right = self.corrected_us(punch.boot_id, punch.boot_s, punch.seq)
            utc, certainty = (utc, "uncertain") if right is None else (moment_of(right), "corrected")
        status, state = punch.status, "disowned" if punch.seq in self.disowned else "valid"
        trail = tuple(self.corrections.get(punch.seq, ()))
        for one in trail:
            if one.what == "add":
                state = "added"
            elif one.what == "void":
                state = "voided"
            elif one.what == "uphold":  # as it was recorded, whatever was said in between
                state = "added" if trail[0].what == "add" else "valid"
                status = punch.status
            elif one.what == "amend":
                state = "amended"
                status = one.status or status
        known = None
        for one in trail:
            if one.what in ("amend", "uphold"):  # an uphold takes back what was given before it
                known = None if one.what == "uphold" else known if one.us is None else one.us
        if known is not None:
            utc, certainty = moment_of(known), "certain"
        return Standing(utc, certainty, status, state, trail)  # type: ignore[arg-type]


def at_of(utc: datetime, boot_s: float, boot_id: str, clock: str) -> dict[str, Any]:
    """The moment of an entry as it stands in its content."""
    return {"us": microseconds(utc), "boot_us": round(boot_s * 1_000_000), "boot_id": boot_id, "clock": clock}
