"""Punches that another system recorded, from a CSV file: read whole and checked whole before one of them is written."""

import csv
import io
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from blinkd.attendance.punch import Direction, Member, Punch, Punctuality, SyncState
from blinkd.attendance.supervisor import EARLIEST, LATEST, LONGEST_BY, LONGEST_WHY, words
from blinkd.clock import Clock, Instant
from blinkd.errors import ImportRefused

IMPORTED = "import"  # in the place of the boot id
COLUMNS = ("person_id", "timestamp", "status", "id", "terminal")
NEEDED = COLUMNS[:3]
IDS = uuid.UUID("6f0c8b52-0d3c-4b7e-9c52-5b9d5a3c7e11")  # name space of the ids of rows that bring none: the same row, the same id
LONGEST_ID = 64
SHOWN = 20  # problems that a message lists; a file with the wrong separator has one in each row


@dataclass(frozen=True, slots=True)
class Row:
    """One line. number: as a spreadsheet counts it; utc: aware."""

    number: int
    person_id: str
    utc: datetime
    status: Direction
    id: str
    terminal: str


class ImportedBook(Protocol):
    """The book, as the import needs it."""

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing."""

    def member(self, person_id: str) -> Member | None:
        """The person behind an id."""

    def has(self, punch_id: str) -> bool:
        """Whether a punch of that id is in the book."""

    def same(self, subject: int, utc: datetime, status: Direction) -> int | None:
        """The number of a punch of that person, moment and direction."""

    def next_seq(self) -> int:
        """For the next entry."""

    def append_punch(self, punch: Punch) -> None:
        """Into the book and the sync queue."""

    def append(self, kind: str, members: Mapping[str, Any], now: Instant, note: str | None = None) -> int:
        """Another entry; returns its number."""


def read_rows(path: Path, zone: ZoneInfo) -> list[Row]:
    """Read a UTF-8 CSV file with a header: person_id, timestamp, status and, where wanted, id and terminal.

    A timestamp without an offset is local time of the site. Raises ImportRefused with every problem by row and column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ImportRefused(f"{path}: row {line}: not UTF-8 text; save it as CSV UTF-8. Nothing was imported") from None
    except OSError as error:
        raise ImportRefused(f"{path}: cannot be read: {error.strerror}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(path, header)
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise ImportRefused(f"{path}: row {reader.line_num}: {error}; write it as CSV. Nothing was imported") from None
    problems: list[str] = []
    rows = [row for number, cells in lines if (row := _row(number, header, cells, zone, problems.append)) is not None]
    seen: dict[str, int] = {}
    moments: dict[tuple[str, datetime, Direction], int] = {}
    for row in rows:
        if row.id in seen:
            problems.append(f"row {row.number}, column id: {row.id!r} stands in row {seen[row.id]} too; give each punch once")
        seen.setdefault(row.id, row.number)
        moment = (row.person_id, row.utc, row.status)
        if moment in moments:
            problems.append(f"row {row.number}: the same person, time and direction as row {moments[moment]}; give each punch once")
        moments.setdefault(moment, row.number)
    _refuse(path, problems)
    return rows


def take_in(path: Path, rows: Iterable[Row], book: ImportedBook, clock: Clock, by: str, why: str) -> int:
    """Write all rows, or none, with an entry that says who brought them and why. Returns how many. Raises ImportRefused, StoreError."""
    rows, by, reason = list(rows), words(by, "name of who imports (--by)", LONGEST_BY), words(why, "reason (--why)", LONGEST_WHY)
    with book.transaction():
        now, problems = clock.now(), list[str]()
        members = {person_id: book.member(person_id) for person_id in {row.person_id for row in rows}}
        for row in rows:
            member = members[row.person_id]
            if member is None:
                problems.append(f"row {row.number}, column person_id: nobody has the id {row.person_id!r}; enrol or import people first")
            if now.confidence == "synced" and row.utc > now.utc:
                problems.append(f"row {row.number}, column timestamp: {row.utc.isoformat()} lies in the future")
            if book.has(row.id):
                problems.append(f"row {row.number}, column id: {row.id!r} is in the book already")
            elif member is not None and (seq := book.same(member.subject, row.utc, row.status)) is not None:
                problems.append(f"row {row.number}: punch {seq} of the book has the same person, time and direction")
        _refuse(path, problems)
        if not rows:
            return 0
        first = book.append("import", {"by": by, "count": len(rows)}, now, reason)
        for number, row in enumerate(rows, first + 1):
            if (member := members[row.person_id]) is not None:
                book.append_punch(_punch(row, number, member, now))
    return len(rows)


def _punch(row: Row, seq: int, member: Member, now: Instant) -> Punch:
    return Punch(
        id=row.id,
        seq=seq,
        subject=member.subject,
        person_id=row.person_id,
        utc=row.utc,
        boot_s=now.boot_s,
        boot_id=IMPORTED,
        clock="synced",
        status=row.status,
        punctuality=Punctuality.ON_TIME,  # judged by nobody at a door; reports judge it
        minutes=0,
        shift=None,
        terminal=row.terminal,
        similarity=0.0,
        sync=SyncState.PENDING,
    )


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    strange = [name for name in header if name not in COLUMNS]
    double = sorted({name for name in header if header.count(name) > 1})
    if missing or strange or double:
        wrong = [
            f"{what}: {', '.join(map(repr, names))}"
            for what, names in (("missing", missing), ("unknown", strange), ("twice", double))
            if names
        ]
        raise ImportRefused(f"{path}: row 1: columns {'; '.join(wrong)}; the header is {','.join(COLUMNS)} (the last two may be left out)")


def _row(number: int, header: list[str], cells: list[str], zone: ZoneInfo, complain: Callable[[str], None]) -> Row | None:
    if len(cells) != len(header):
        complain(f"row {number}: {len(cells)} cells where the header has {len(header)}")
        return None
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    faults = list(_faults(values, zone))
    for column, fault in faults:
        complain(f"row {number}, column {column}: {fault}")
    if faults:
        return None
    utc, status = _time(values["timestamp"], zone), Direction(values["status"].upper())
    terminal = values.get("terminal") or IMPORTED
    made = str(uuid.uuid5(IDS, "\n".join((values["person_id"], utc.isoformat(), status.value, terminal))))
    return Row(number, values["person_id"], utc, status, values.get("id") or made, terminal)


def _faults(values: Mapping[str, str], zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    if not values["person_id"]:
        yield "person_id", "empty"
    if values["status"].upper() not in Direction.__members__:
        yield "status", f"{values['status']!r} is neither CHECK_IN nor CHECK_OUT"
    for name in ("id", "terminal"):
        if len(values.get(name, "")) > LONGEST_ID or not values.get(name, "").isprintable():
            yield name, f"more than {LONGEST_ID} characters, or some that do not show"
    try:
        utc = _time(values["timestamp"], zone)
    except ValueError as error:
        yield "timestamp", str(error)
    else:
        if not EARLIEST <= utc < LATEST:
            yield "timestamp", f"{values['timestamp']!r}: no punch lies before 1970 or after 2099"


def _time(text: str, zone: ZoneInfo) -> datetime:
    """Aware UTC. Raises ValueError for what is no time, or a local time that comes never or twice on a night when the clocks change."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write it like 2026-03-02T08:55:00 or 2026-03-02T08:55:00+01:00") from None
    return aware(when, zone)


def aware(when: datetime, zone: ZoneInfo) -> datetime:
    """UTC of a time with an offset, or of a site's local time. Raises ValueError, in words, for a local time that comes never or twice on a
    night when the clocks change, and for years that no punch lies in.
    """  # fmt: skip
    text = when.isoformat()
    if when.tzinfo is not None:
        try:
            return when.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{text!r}: no punch lies before 1970 or after 2099") from None
    if not EARLIEST.year < when.year < LATEST.year:
        raise ValueError(f"{text!r}: no punch lies before 1970 or after 2099")
    once, again = (when.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if once.utcoffset() != again.utcoffset():
        skipped = once.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != when
        wrong = "does not come that night" if skipped else "comes twice that night"
        raise ValueError(f"{text!r} {wrong}, when the clocks change; write it with its offset")
    return once.astimezone(UTC)


def _refuse(path: Path, problems: list[str]) -> None:
    if problems:
        rest = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ImportRefused(f"{path}: nothing was imported:\n  " + "\n  ".join(problems[:SHOWN]) + rest)
