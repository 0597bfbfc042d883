"""Punches and scan attempts as a page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["ok", "warn", "bad", ""]

STATUS_WORDS = {"CHECK_IN": "In", "CHECK_OUT": "Out"}
PUNCTUALITY_WORDS = {"ON_TIME": "on time", "LATE": "late", "EARLY_LEAVE": "left early", "OVERTIME": "overtime"}
STATE_MARKS: Mapping[str, tuple[str, Kind]] = {
    "valid": ("counts", "ok"),
    "amended": ("amended", "warn"),
    "added": ("added by hand", "warn"),
    "disowned": ("disowned: “not me”", "bad"),
    "voided": ("voided, counts nowhere", "bad"),
}
SYNC_MARKS: Mapping[str, tuple[str, Kind]] = {
    "PENDING": ("waits for the relay", "warn"),
    "SYNCED": ("at the relay", "ok"),
    "FAILED": ("not taken by the relay", "bad"),
}
REASON_WORDS = {
    "unknown_face": "face is not known",
    "uncertain": "not sure who it was",
    "not_live": "did not look alive",
    "swapped": "another face came in between",
    "inactive": "may not punch now",
    "poor_quality": "picture too poor",
    "too_soon": "too soon after the last punch",
    "wrong_pin": "wrong PIN",
    "unknown_badge": "badge is not known",
    "locked_out": "too many wrong tries",
}
METHOD_WORDS = {"face": "face", "pin": "PIN", "badge": "badge", None: "by hand"}
CORRECTION_WORDS = {"void": "Voided", "uphold": "Upheld", "amend": "Amended", "add": "Added"}


@dataclass(frozen=True, slots=True)
class Correction:
    """What a supervisor said. at, time: aware; time, status: the new ones, None where they stay; why: None once erased."""

    seq: int
    what: str
    by: str
    at: datetime
    why: str | None
    time: datetime | None
    status: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A punch. time, recorded_time: aware; recorded_…: None where they are as they stand, or nothing was recorded."""

    seq: int
    person_id: str
    name: str
    known: bool
    time: datetime
    status: str
    punctuality: str
    state: tuple[str, Kind]
    state_word: str
    sync: tuple[str, Kind]
    certainty: str
    method: str
    shift: str
    terminal: str
    recorded_time: datetime | None
    recorded_status: str | None
    corrections: tuple[Correction, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A decision at the door. time: aware; similarity: None where no face was compared."""

    seq: int
    time: datetime
    accepted: bool
    reason: str
    person_id: str | None
    name: str | None
    known: bool
    similarity: float | None
    clock: str
    details: str


def line_of(value: Mapping[str, Any]) -> Line:
    """From a line of the transcript."""
    recorded = value["recorded"] or {}
    time, status = datetime.fromisoformat(value["timestamp"]), str(value["status"])
    was_time = datetime.fromisoformat(recorded["timestamp"]) if recorded else None
    minutes = f", {value['minutes']} min" if value["minutes"] else ""
    return Line(
        seq=value["seq"],
        person_id=value["person_id"],
        name=value["name"] or value["person_id"],
        known=value["name"] is not None,
        time=time,
        status=STATUS_WORDS[status],
        punctuality=f"{PUNCTUALITY_WORDS.get(value['punctuality'], value['punctuality'])}{minutes}",
        state=STATE_MARKS[value["state"]],
        state_word=value["state"],
        sync=SYNC_MARKS[value["sync"]],
        certainty=value["certainty"],
        method=METHOD_WORDS.get(value["method"], str(value["method"])),
        shift=value["shift"] or "",
        terminal=value["terminal"],
        recorded_time=was_time if was_time != time else None,
        recorded_status=STATUS_WORDS[recorded["status"]] if recorded and recorded["status"] != status else None,
        corrections=tuple(_correction(one) for one in value["corrections"]),
    )


def attempt_of(value: Mapping[str, Any]) -> Attempt:
    """From a row of the scan log."""
    reason = value["reason"]
    return Attempt(
        seq=value["seq"],
        time=datetime.fromisoformat(value["utc"]),
        accepted=value["outcome"] == "accepted",
        reason="" if reason is None else REASON_WORDS.get(reason, reason),
        person_id=value["person_id"],
        name=value["name"] or value["person_id"],
        known=value["name"] is not None,
        similarity=value["similarity"],
        clock=value["clock"],
        details=", ".join(f"{key.replace('_', ' ')} {_short(one)}" for key, one in value["details"].items() if key != "punch"),
    )


def _correction(value: Mapping[str, Any]) -> Correction:
    return Correction(
        seq=value["seq"],
        what=CORRECTION_WORDS.get(value["what"], value["what"]),
        by=value["by"],
        at=datetime.fromisoformat(value["at"]),
        why=value["why"],
        time=None if value["timestamp"] is None else datetime.fromisoformat(value["timestamp"]),
        status=None if value["status"] is None else STATUS_WORDS[value["status"]],
    )


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {_short(one)}" for key, one in value.items()) + ")"
    if isinstance(value, list):
        return " ".join(_short(one) for one in value) or "none"
    return str(value)
