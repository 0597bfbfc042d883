"""The book: punches and what was later said of them, each entry chained and signed; added to, never edited."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.imports import IMPORTED
from blinkd.attendance.ledger import LEDGER_KINDS, Ledger, at_of
from blinkd.attendance.proof import Entry
from blinkd.attendance.punch import Direction, Member, Method, PersonStatus, Punch, Punctuality, SyncState, pseudonym
from blinkd.attendance.reports.watermark import Watermark
from blinkd.attendance.shifts.assignments import ASSIGNMENT, Assigned, fold
from blinkd.clock import Instant, microseconds, moment_of
from blinkd.crypto.chain import Link, canonical, new_salt, note_digest
from blinkd.store.links import ChainWriter, Head
from blinkd.store.stamps import Stamped, read_ledger, read_stamps

PORTION = 5000  # rows read at once where all are wanted
FIRST, LAST = -(2**63), 2**63 - 1  # before and after every time
Guard = Callable[[], AbstractContextManager[object]]

PUNCHES = """SELECT p.seq, p.id, p.subject, coalesce(people.id, former_people.id), p.us, p.boot_s, p.boot_id, p.clock, p.status,
    p.punctuality, p.minutes, p.shift, p.terminal, p.similarity,
    coalesce(chain.sync, (SELECT sync FROM unsigned_sync u WHERE u.seq = p.seq), 'PENDING'), p.method
    FROM punches p LEFT JOIN people ON people.subject = p.subject LEFT JOIN former_people ON former_people.subject = p.subject
    LEFT JOIN chain ON chain.seq = p.seq"""


# always both ends of the span: with one, SQLite walks the whole table in the order of its numbers instead of using the index on time
IN_SPAN = """SELECT seq FROM punches WHERE us >= ? AND us < ? UNION SELECT seq FROM punches INDEXED BY punches_unsynced WHERE clock = 'unsynced'
    UNION SELECT target FROM entries WHERE kind = 'correction'"""


class BookRepository:
    """The clerk's book. Triggers in the schema refuse what is no addition."""

    def __init__(
        self,
        database: SqliteDatabase,
        tables: Any,  # noqa: ANN401
        links: ChainWriter,
        guard: Guard,
        reading: Guard,
        older: Callable[[], Iterable[Mapping[str, Any]]],
    ) -> None:
        """older: contents of the entries by which a book that begins vouches for what an older version left."""
        self._database = database
        self._tables = tables
        self._links = links
        self._older = older
        self._guard = guard
        self._reading = reading

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing, on disk when it ends. Raises StoreError when the disk does not take it."""
        return self._guard()

    def reported(self, terminal: str) -> Watermark | None:
        """How far this terminal, by its id, is known to have recorded: its newest trusted time. Entries are in the order of time."""
        with self._reading():
            sql = "SELECT us, seq FROM punches WHERE clock <> 'unsynced' AND boot_id <> ? ORDER BY seq DESC LIMIT 1"
            row = self._row(sql, IMPORTED)
        return None if row is None else Watermark(terminal, moment_of(row[0]), int(row[1]))

    def begin(self) -> Head:
        """Begin the book where it has not begun, taking in what an older version recorded. Raises KeyMissing, StoreError."""
        with self._guard():
            head = self._links.begin(self._unsigned, self._older)
            # without the condition SQLite rewrites the page of an empty table, for which a full disk has no room
            self._database.execute_sql("DELETE FROM unsigned_sync WHERE seq > 0")
        return head

    def head(self) -> Head | None:
        """The newest entry; None while the book has not begun."""
        with self._reading():
            return self._links.head()

    def member(self, person_id: str) -> Member | None:
        """The person behind an id, None when nobody has it."""
        with self._reading():
            row = self._row("SELECT subject, status, valid_from, valid_until FROM people WHERE id = ?", person_id)
        if row is None:
            return None
        first, last = (None if text is None else date.fromisoformat(text) for text in row[2:])
        return Member(int(row[0]), PersonStatus(row[1]), first, last)

    def last_punch(self, subject: int) -> Punch | None:
        """The newest punch that this terminal recorded of somebody, as it stands now, but for those that were voided or disowned."""
        with self._reading():
            sql = f"{PUNCHES} WHERE p.subject = ? AND p.boot_id <> ? ORDER BY p.seq DESC"
            for row in self._database.execute_sql(sql, (subject, IMPORTED)):
                punch = _punch(row)
                said = self._database.execute_sql("SELECT seq, content, note FROM entries WHERE target = ? ORDER BY seq", (punch.seq,))
                standing = Ledger.of((int(seq), json.loads(content), note) for seq, content, note in said.fetchall()).standing(punch)
                if standing.state not in ("voided", "disowned"):
                    return replace(punch, status=standing.status)
        return None

    def next_seq(self) -> int:
        """The number of the next entry."""
        return self.begin().seq + 1

    def append_punch(self, punch: Punch) -> None:
        """Add a punch; it waits for the relay from then on."""
        with self._guard():
            self.begin()
            self._links.append(punch.seq, punch.content())
            self._write_punch(punch)

    def append(self, kind: str, members: Mapping[str, Any], now: Instant, note: str | None = None) -> int:
        """Add an entry that is no punch, with the moment and, where somebody gave words for it, their digest. Returns its number."""
        with self._guard():
            seq = self.next_seq()
            content: dict[str, Any] = {**members, "kind": kind, "at": at_of(now.utc, now.boot_s, now.boot_id, now.confidence)}
            salt = None
            if note is not None:
                salt = new_salt()
                content["note"] = note_digest(salt, note)
            self._links.append(seq, content)
            self._tables.entries.create(force_insert=True, seq=seq, content=canonical(content).decode(), note=note, note_salt=salt)
        return seq

    def entries(self, *kinds: str) -> Iterator[tuple[int, dict[str, Any], str | None]]:
        """Number, content and note of the entries of these kinds, oldest first."""
        marks = ", ".join("?" * len(kinds))
        with self._reading():
            cursor = self._database.execute_sql(f"SELECT seq, content, note FROM entries WHERE kind IN ({marks}) ORDER BY seq", kinds)
            for seq, content, note in cursor:
                yield int(seq), json.loads(content), note

    def disowned(self, seq: int) -> int | None:
        """The number of the entry by which a punch was disowned first; None where it was not."""
        with self._reading():
            row = self._row("SELECT min(seq) FROM entries WHERE target = ? AND kind = 'disowned'", seq)
        return None if row is None or row[0] is None else int(row[0])

    def ledger(self) -> Ledger:
        """All later entries by which the recorded punches are to be read."""
        return Ledger.of(self.entries(*LEDGER_KINDS))

    def assignments(self, subject: int | None = None) -> list[Assigned]:
        """Who works which shift, as it stands now; subject: only that person's."""
        if subject is None:
            return fold(self.entries(ASSIGNMENT))
        with self._reading():
            sql = "SELECT seq, content FROM entries WHERE subject = ? AND kind = ? ORDER BY seq"
            rows = self._database.execute_sql(sql, (subject, ASSIGNMENT)).fetchall()
        return fold((int(seq), json.loads(content), None) for seq, content in rows)

    def stamps(self, since_us: int | None = None, until_us: int | None = None, subject: int | None = None) -> Stamped:
        """The punches of a span as they stand, as arrays; microseconds since 1970, the end excluded."""
        with self._reading():
            if since_us is None or until_us is None:
                ledger = self.ledger()
            else:
                ledger = read_ledger(self._database, since_us, until_us)
            return read_stamps(self._database, ledger, since_us, until_us, subject)

    def punch(self, seq: int) -> Punch | None:
        """One punch by its number; None where that entry is none, or erased."""
        with self._reading():
            row = self._row(f"{PUNCHES} WHERE p.seq = ?", seq)
        return None if row is None else _punch(row)

    def punches(self, since: datetime | None = None, until: datetime | None = None, person_id: str | None = None) -> Iterator[Punch]:
        """Punches as they were recorded, by sequence, newest last; since and until are aware, until is excluded.

        Those with an untrusted clock and those that were corrected are all given: only the ledger knows when they were.
        """
        where, values = "", []
        if since is not None or until is not None:
            where = f" WHERE p.seq IN ({IN_SPAN})"
            values = [FIRST if since is None else microseconds(since), LAST if until is None else microseconds(until)]
        if person_id is not None:
            subjects = self.subjects_of(person_id)
            where += f" {'AND' if where else 'WHERE'} p.subject IN ({', '.join('?' * len(subjects))})"
            values += subjects
        with self._reading():
            for row in self._database.execute_sql(f"{PUNCHES}{where} ORDER BY p.seq", values):
                yield _punch(row)

    def numbered(self, seqs: Sequence[int]) -> list[Punch]:
        """The punches among these numbers, by sequence."""
        with self._reading():
            rows = self._database.execute_sql(f"{PUNCHES} WHERE p.seq IN ({', '.join('?' * len(seqs))}) ORDER BY p.seq", tuple(seqs))
            return [_punch(row) for row in rows.fetchall()]

    def contents(self, first: int, last: int) -> dict[int, dict[str, Any]]:
        """The signed contents of the punches between two numbers, both included; one that was edited into no punch any more is left out."""
        found = {}
        with self._reading():
            for row in self._database.execute_sql(f"{PUNCHES} WHERE p.seq BETWEEN ? AND ?", (first, last)):
                with suppress(ValueError, TypeError, OverflowError):
                    found[int(row[0])] = _punch(row).content()
        return found

    def has(self, punch_id: str) -> bool:
        """Whether a punch of that id is in the book."""
        with self._reading():
            return self._row("SELECT 1 FROM punches WHERE id = ?", punch_id) is not None

    def same(self, subject: int, utc: datetime, status: Direction) -> int | None:
        """The number of a punch of that person, moment and direction; None where there is none."""
        with self._reading():
            row = self._row("SELECT seq FROM punches WHERE us = ? AND subject = ? AND status = ?", microseconds(utc), subject, status.value)
        return None if row is None else int(row[0])

    def sync_of(self, seq: int) -> SyncState:
        """Whether the relay has an entry."""
        with self._reading():
            row = self._row("SELECT sync FROM chain WHERE seq = ?", seq)
        return SyncState.PENDING if row is None else SyncState(row[0])

    def id_of(self, subject: int) -> str:
        """Whom a pseudonym stands for, the pseudonym in words when nobody is known by it any more."""
        with self._reading():
            sql = "SELECT id FROM people WHERE subject = ? UNION ALL SELECT id FROM former_people WHERE subject = ?"
            row = self._row(sql, subject, subject)
        return pseudonym(subject) if row is None else str(row[0])

    def subjects_of(self, person_id: str) -> list[int]:
        """The pseudonyms under which the book knows an id: of the person who has it now, of those who had it, and the pseudonym itself."""
        with self._reading():
            rows = self._database.execute_sql(
                "SELECT subject FROM people WHERE id = ? UNION SELECT subject FROM former_people WHERE id = ?", (person_id, person_id)
            ).fetchall()
        found = [int(row[0]) for row in rows]
        if person_id.startswith("p-"):
            with suppress(ValueError):
                found.append(int(person_id.removeprefix("p-"), 16))
        return found

    def unsynced(self, boot_id: str) -> bool:
        """Whether a punch of that boot has an untrusted time and no clock entry after it."""
        with self._reading():
            newest = self._row("SELECT max(seq) FROM punches WHERE clock = 'unsynced' AND boot_id = ?", boot_id)[0]
            if newest is None:
                return False
            said = "SELECT 1 FROM entries WHERE kind = 'clock' AND seq > ? AND json_extract(content, '$.boot_id') = ?"
            return self._row(said, newest, boot_id) is None

    def erase(self, seqs: Iterable[int], why: str, now: Instant) -> int:
        """Erase the content of entries for good; a signed entry says which and why, and their places in the chain stay.

        Returns how many were erased.
        """
        wanted = sorted(set(seqs))
        if not wanted:
            return 0
        runs = ranges(wanted)
        with self._guard():
            self.append("erasure", {"ranges": [list(run) for run in runs], "words": [], "why": why}, now)
            for first, last in runs:
                self._database.execute_sql("UPDATE chain SET salt = NULL WHERE seq BETWEEN ? AND ?", (first, last))
                self._database.execute_sql("DELETE FROM punches WHERE seq BETWEEN ? AND ?", (first, last))
                self._database.execute_sql("DELETE FROM entries WHERE seq BETWEEN ? AND ?", (first, last))
        return len(wanted)

    def erase_notes(self, subject: int, why: str, now: Instant) -> int:
        """Erase the words that were given for entries on a person or on their punches; a signed entry says which. Returns how many."""
        sql = """SELECT seq FROM entries WHERE note IS NOT NULL AND (subject = ?
            OR target IN (SELECT seq FROM punches WHERE subject = ?) OR target IN (SELECT seq FROM entries e WHERE e.subject = ?))"""
        with self._guard():
            found = sorted(int(row[0]) for row in self._database.execute_sql(sql, (subject, subject, subject)).fetchall())
            if found:
                words = [list(run) for run in ranges(found)]
                self.append("erasure", {"ranges": [], "words": words, "why": why}, now)
                for first, last in words:
                    self._database.execute_sql(
                        "UPDATE entries SET note = NULL, note_salt = NULL WHERE note IS NOT NULL AND seq BETWEEN ? AND ?", (first, last)
                    )
        return len(found)

    def audit(self) -> tuple[Iterator[Entry], list[int]]:
        """Every link with what belongs to it, by number, and the numbers of content that has no link of its own."""
        with self._reading():
            strays = self._database.execute_sql(
                "SELECT seq FROM punches WHERE seq NOT IN (SELECT seq FROM chain) OR seq IN (SELECT seq FROM entries) "
                "UNION SELECT seq FROM entries WHERE seq NOT IN (SELECT seq FROM chain)"
            ).fetchall()
        return self._links_with_content(), [int(row[0]) for row in strays]

    def _links_with_content(self) -> Iterator[Entry]:
        sql = f"""SELECT c.seq, c.salt, c.commitment, c.hash, c.signature, e.content, e.kind, e.target, e.subject, e.note, e.note_salt, q.*
            FROM chain c LEFT JOIN entries e ON e.seq = c.seq LEFT JOIN ({PUNCHES}) q ON q.seq = c.seq ORDER BY c.seq"""
        with self._reading():
            for row in self._database.execute_sql(sql):
                seq, salt, commitment, hash_, signature, text, kind, target, subject, note, note_salt = row[:11]
                link = Link(seq, _blob(salt), _blob(commitment) or b"", _blob(hash_) or b"", _blob(signature))
                content: Mapping[str, Any] | None = None
                try:
                    if text is not None:
                        content = _written(text, kind, target, subject)
                    elif row[11] is not None:
                        content = _punch(row[11:]).content()
                        # a fraction of a microsecond would be rounded away here, and trip whoever reads the column itself
                        if type(row[15]) is not int:
                            content = {}
                        canonical(content)  # of bytes in the place of a text there is none
                except (ValueError, TypeError, OverflowError, RecursionError):  # an edited row that is no punch any more
                    content = {}
                words = None if note is None else (note if isinstance(note, str) else "", _blob(note_salt) or b"")
                yield Entry(seq, link, content, words)

    def _unsigned(self) -> Iterator[Punch]:
        """What an older version recorded, by number; in portions, for a terminal of many years has more than fits into its memory."""
        after = 0
        while rows := self._database.execute_sql(f"{PUNCHES} WHERE p.seq > ? ORDER BY p.seq LIMIT {PORTION}", (after,)).fetchall():
            yield from map(_punch, rows)
            after = int(rows[-1][0])

    def _write_punch(self, punch: Punch) -> None:
        self._tables.punches.create(
            force_insert=True,
            seq=punch.seq,
            id=punch.id,
            subject=punch.subject,
            us=microseconds(punch.utc),
            boot_s=punch.boot_s,
            boot_id=punch.boot_id,
            clock=punch.clock,
            status=punch.status.value,
            punctuality=punch.punctuality.value,
            minutes=punch.minutes,
            shift=punch.shift,
            terminal=punch.terminal,
            similarity=punch.similarity,
            method=punch.method.value,
        )

    def _row(self, sql: str, *values: object) -> Any:  # noqa: ANN401  a row of SQLite's
        return self._database.execute_sql(sql, values).fetchone()


def ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """Sorted whole numbers as runs without gaps, first and last of each."""
    ends = [number for number, after in pairwise(numbers) if after != number + 1] + numbers[-1:]
    begins = numbers[:1] + [after for number, after in pairwise(numbers) if after != number + 1]
    return list(zip(begins, ends, strict=True))


def _blob(value: object) -> bytes | None:
    """A column of bytes; empty when somebody put something else there, which then fits nothing."""
    return None if value is None else value if isinstance(value, bytes) else b""


def _written(text: str, kind: object, target: object, subject: object) -> Mapping[str, Any]:
    """The content of an entry; empty when it is not what this program writes.

    Other bytes can mean one thing here and another to SQLite, which takes the first of two members of one name; and its columns must be
    those of the content, for by them corrections are found.
    """
    content = json.loads(text)
    same = isinstance(content, dict) and text == canonical(content).decode()
    return content if same and (content.get("kind"), content.get("target"), content.get("subject")) == (kind, target, subject) else {}


def _punch(row: Any) -> Punch:  # noqa: ANN401  a row of PUNCHES
    seq, id_, subject, person_id, us, boot_s, boot_id, clock, status, punctuality, minutes, shift, terminal, similarity, sync, method = row
    return Punch(
        id=id_,
        seq=seq,
        subject=subject,
        person_id=person_id or pseudonym(subject),
        utc=moment_of(us),
        boot_s=boot_s,
        boot_id=boot_id,
        clock=clock,
        status=Direction(status),
        punctuality=Punctuality(punctuality),
        minutes=minutes,
        shift=shift,
        terminal=terminal,
        similarity=similarity,
        sync=SyncState(sync),
        method=Method(method),
    )
