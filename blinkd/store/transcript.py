"""Punches as people read them: how each stands now, and beside it what was recorded and who corrected it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from blinkd.attendance.ledger import Ledger, Standing
from blinkd.attendance.punch import Direction, Punch, Punctuality, SyncState
from blinkd.clock import moment_of
from blinkd.store.book import BookRepository

Added = tuple[int, int, str, datetime, Direction]  # number, subject, id, time, direction


def transcript(
    book: BookRepository,
    terminal: str,
    since: datetime | None = None,
    until: datetime | None = None,
    person_id: str | None = None,
    names: Mapping[int, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """What was recorded and what supervisors added, by number, each as it stands now, as JSON values.

    terminal: this one's id; since, until: aware, the end excluded; person_id: only of whom that stands for; names: by pseudonym, for an id
    may have been somebody else's before.
    """
    ledger, names = book.ledger(), names or {}
    subjects = None if person_id is None else set(book.subjects_of(person_id))
    added = [one for one in _added(book, subjects) if within(one[3], since, until)]
    for punch in book.punches(since, until, person_id):
        while added and added[0][0] < punch.seq:
            yield added_line(added.pop(0), ledger, book, terminal, names)
        standing = ledger.standing(punch)
        if within(standing.utc, since, until) or (standing.certainty == "uncertain" and not standing.plausible):
            yield punch_line(punch, standing, names)
    for one in added:
        yield added_line(one, ledger, book, terminal, names)


def within(when: datetime, since: datetime | None, until: datetime | None) -> bool:
    """Whether a time lies in a span, whose end is excluded."""
    return (since is None or when >= since) and (until is None or when < until)


def punch_line(punch: Punch, standing: Standing, names: Mapping[int, str]) -> dict[str, Any]:
    """The members of the design; those after `terminal` are ours."""
    return {
        "id": punch.id,
        "seq": punch.seq,
        "person_id": punch.person_id,
        "name": names.get(punch.subject),
        "timestamp": standing.utc.isoformat(),
        "status": str(standing.status),
        "punctuality": str(punch.punctuality),
        "clock": punch.clock,
        "sync": str(punch.sync),
        "terminal": punch.terminal,
        "method": str(punch.method),
        "minutes": punch.minutes,
        "shift": punch.shift,
        "certainty": standing.certainty,
        "state": standing.state,
        "recorded": {"timestamp": punch.utc.isoformat(), "status": str(punch.status)},
        "corrections": _trail(standing),
    }


def _added(book: BookRepository, subjects: set[int] | None) -> list[Added]:
    return [
        added_of(seq, content)
        for seq, content, _ in book.entries("correction")
        if content["what"] == "add" and (subjects is None or content["subject"] in subjects)
    ]


def added_of(seq: int, content: Mapping[str, Any]) -> Added:
    """From the entry by which a supervisor added a punch."""
    return seq, content["subject"], content["id"], moment_of(content["us"]), Direction(content["status"])


def added_line(one: Added, ledger: Ledger, book: BookRepository, terminal: str, names: Mapping[int, str]) -> dict[str, Any]:
    """What a supervisor added, in the form of a punch."""
    seq, subject, id_, utc, status = one
    # never judged by a shift at the door, so it stands as on time; reports judge it
    blank = Punch(
        id_,
        seq,
        subject,
        book.id_of(subject),
        utc,
        0.0,
        "",
        "synced",
        status,
        Punctuality.ON_TIME,
        0,
        None,
        terminal,
        0.0,
        SyncState.PENDING,
    )
    return punch_line(blank, ledger.standing(blank), names) | {"recorded": None, "method": None, "sync": str(book.sync_of(seq))}


def _trail(standing: Standing) -> list[dict[str, Any]]:
    return [
        {
            "seq": one.seq,
            "what": one.what,
            "timestamp": None if one.us is None else moment_of(one.us).isoformat(),
            "status": None if one.status is None else str(one.status),
            "by": one.by,
            "at": one.at.isoformat(),
            "why": one.why,
        }
        for one in standing.trail
    ]
