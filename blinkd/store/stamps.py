"""The punches of a span of time as arrays, for whoever adds up hours: a million of them in about a second."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from peewee import SqliteDatabase

from blinkd.attendance.imports import IMPORTED
from blinkd.attendance.ledger import Ledger
from blinkd.attendance.punch import Direction
from blinkd.clock import BUILT, microseconds, moment_of

Longs = npt.NDArray[np.int64]
# three numbers a row instead of five, and all of them as one text: what is handed over from SQLite one by one is most of the time
COLUMNS = "p.seq || ' ' || p.subject || ' ' || (p.us * 4 + (p.status = 'CHECK_IN') * 2 + (p.clock = 'unsynced'))"
ANCHORED = "SELECT json_extract(content, '$.boot_id') FROM entries WHERE kind = 'clock'"
FIRST, LAST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A punch whose time is not known: recorded is what the clock showed; after, before: the nearest trusted times around it in the book."""

    seq: int
    subject: int
    recorded: datetime
    after: datetime | None
    before: datetime | None
    counted: bool  # the recorded time is at least a possible one, and lies in the span


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """Punches as they stand, by time. subject, us (microseconds since 1970, UTC), seq: int64 (n,); entering: bool (n,); uncertain: those
    that may lie in the span, counted or not; disowned: numbers of those in it that wait for a supervisor; corrected, amended: numbers of
    those in it whose time a clock entry or a supervisor gave.
    """  # fmt: skip

    subject: Longs
    us: Longs
    entering: npt.NDArray[np.bool_]
    seq: Longs
    uncertain: tuple[Uncertain, ...]
    disowned: tuple[int, ...]
    corrected: tuple[int, ...]
    amended: tuple[int, ...]


# corrections by their own time, and by that of the punches that they are about; one of an untrusted clock may belong anywhere
TOUCHED = """SELECT coalesce(target, seq) FROM entries
        WHERE kind = 'correction' AND json_extract(content, '$.us') >= ?1 AND json_extract(content, '$.us') < ?2
    UNION SELECT e.target FROM entries e CROSS JOIN punches p ON p.seq = e.target
        WHERE e.kind = 'correction' AND ((p.us >= ?1 AND p.us < ?2) OR p.clock = 'unsynced')"""
HEEDED = f"""WITH touched (seq) AS ({TOUCHED}) SELECT seq, content, note FROM (
    SELECT seq, content, note FROM entries WHERE kind IN ('clock', 'disowned')
    UNION SELECT seq, content, note FROM entries WHERE kind = 'correction' AND target IN (SELECT seq FROM touched)
    UNION SELECT seq, content, note FROM entries WHERE kind = 'correction' AND seq IN (SELECT seq FROM touched)) ORDER BY seq"""


def read_ledger(database: SqliteDatabase, since_us: int, until_us: int) -> Ledger:
    """The later entries that can have a say in a span of time: with thousands of corrections, to read all for one day takes longer than the day."""
    rows = database.execute_sql(HEEDED, (since_us, until_us)).fetchall()
    return Ledger.of((int(seq), json.loads(content), note) for seq, content, note in rows)


def read_stamps(database: SqliteDatabase, ledger: Ledger, since_us: int | None, until_us: int | None, subject: int | None) -> Stamped:
    """Punches with since_us <= time < until_us after every later entry is heeded; subject: only that person's."""
    first, last = (FIRST if since_us is None else since_us), (LAST if until_us is None else until_us)
    own, values = ("", ()) if subject is None else (" AND p.subject = ?", (subject,))
    anchored = f"p.clock = 'unsynced' AND p.boot_id IN ({ANCHORED})"
    as_recorded = f" AND NOT ({anchored})" if ledger.clocks else ""  # not asked where none is: the index alone then answers
    (text,) = database.execute_sql(
        f"SELECT group_concat({COLUMNS}, ' ') FROM punches p WHERE p.us >= ? AND p.us < ?{own}{as_recorded}", (first, last, *values)
    ).fetchone()
    packed = np.fromstring(text or "", np.int64, sep=" ").reshape(-1, 3)
    table = np.column_stack((packed[:, :2], packed[:, 2] >> 2, packed[:, 2] >> 1 & 1, packed[:, 2] & 1))
    extra: dict[int, tuple[int, int, bool]] = {}  # number: subject, time, entering
    corrected: list[int] = []
    for seq, who, boot_id, boot_s, entering in database.execute_sql(
        f"SELECT p.seq, p.subject, p.boot_id, p.boot_s, p.status = 'CHECK_IN' FROM punches p WHERE {anchored}{own}", values
    ):
        right = ledger.corrected_us(boot_id, boot_s, seq)
        if right is not None and first <= right < last:
            extra[seq] = (who, right, bool(entering))
            corrected.append(seq)
    uncertain = _uncertain(database, table, first, last, own, values)
    table = table[(table[:, 4] == 0) | (table[:, 2] >= microseconds(BUILT))]
    gone, untimed, amended = _amend(database, ledger, extra, first, last, subject)
    if gone:
        table = table[~np.isin(table[:, 0], np.array(sorted(gone), np.int64))]
    added = np.array([(seq, who, us, entering, 0) for seq, (who, us, entering) in extra.items()], np.int64).reshape(-1, 5)
    table = np.concatenate([table, added])
    if np.any(np.diff(table[:, 2]) <= 0):  # SQLite mostly gives them in this order already
        table = table[np.lexsort((table[:, 0], table[:, 2]))]
    present = set(ledger.disowned) & set(table[:, 0].tolist()) if ledger.disowned else set()
    waiting = tuple(sorted(seq for seq in present if not ledger.corrections.get(seq)))
    held = tuple(one for one in uncertain if one.seq not in gone or one.seq in untimed)
    return Stamped(table[:, 1], table[:, 2], table[:, 3] != 0, table[:, 0], held, waiting, tuple(sorted(set(corrected) - gone)), amended)


def _amend(
    database: SqliteDatabase, ledger: Ledger, extra: dict[int, tuple[int, int, bool]], first: int, last: int, subject: int | None
) -> tuple[set[int], set[int], tuple[int, ...]]:
    """Heed the supervisors' corrections: the numbers that no longer stand as they were recorded, those of them whose time nobody gave and
    no clock, and those of the span that stand otherwise, which are put into `extra`.
    """  # fmt: skip
    gone: set[int] = set()
    untimed: set[int] = set()
    amended: list[int] = []
    for target, corrections in ledger.corrections.items():
        found = database.execute_sql(
            "SELECT subject, us, status, boot_id, boot_s, clock FROM punches WHERE seq = ? UNION ALL SELECT subject, "
            "json_extract(content, '$.us'), json_extract(content, '$.status'), '', 0, 'synced' FROM entries WHERE seq = ? AND kind = 'correction'",
            (target, target),
        ).fetchone()
        if found is None:
            continue
        who, us, status, boot_id, boot_s, clock = found
        if subject is not None and who != subject:
            continue
        right = ledger.corrected_us(boot_id, boot_s, target) if clock == "unsynced" else None
        us, entering, what = us if right is None else right, status == Direction.CHECK_IN, corrections[0].what
        timed = by_clock = clock != "unsynced" or right is not None
        for one in corrections:
            if one.what == "amend":
                timed = timed or one.us is not None
                us, entering = us if one.us is None else one.us, entering if one.status is None else one.status is Direction.CHECK_IN
            elif one.what == "uphold":
                timed = by_clock
                us, entering = found[1] if right is None else right, status == Direction.CHECK_IN
            what = one.what
        extra.pop(target, None)
        if what == "uphold" and corrections[0].what != "add":
            if right is not None and first <= right < last:
                extra[target] = (who, right, entering)
            continue  # as it was recorded
        gone.add(target)
        if what != "void" and not timed:
            untimed.add(target)  # another direction alone: its time is as uncertain as before
        if what != "void" and first <= us < last and (timed or us >= microseconds(BUILT)):
            extra[target] = (who, us, entering)
            amended.append(target)
    return gone, untimed, tuple(sorted(amended))


def _uncertain(database: SqliteDatabase, table: Longs, first: int, last: int, own: str, values: Iterable[Any]) -> list[Uncertain]:
    """Those in the span by an untrusted clock that no later one corrects, and those with an impossible time that may belong to it."""
    built = microseconds(BUILT)
    found = [(int(seq), int(who), int(us), True) for seq, who, us, _, unsynced in table[table[:, 4] != 0].tolist() if us >= built]
    impossible = database.execute_sql(
        f"SELECT p.seq, p.subject, p.us FROM punches p WHERE p.clock = 'unsynced' AND p.us < ? AND p.boot_id NOT IN ({ANCHORED}){own}",
        (built, *values),
    ).fetchall()
    found += [(int(seq), int(who), int(us), False) for seq, who, us in impossible]
    answer = []
    after = before = next_trusted = None
    for number, (seq, who, us, counted) in enumerate(sorted(found)):
        if number == 0 or (next_trusted is not None and seq > next_trusted):  # between two trusted ones all have the same neighbours
            after, before, next_trusted = _neighbours(database, seq)
        if counted or ((after is None or after < last) and (before is None or before >= first)):
            low, high = (None if limit is None else moment_of(limit) for limit in (after, before))
            answer.append(Uncertain(seq, who, moment_of(us), low, high, counted))
    return answer


def _neighbours(database: SqliteDatabase, seq: int) -> tuple[int | None, int | None, int | None]:
    """The nearest trusted times before and after an entry, in microseconds, and the number of the latter.

    Entries that another system recorded tell nothing.
    """
    trusted = f"clock = 'synced' AND boot_id <> '{IMPORTED}'"
    before = database.execute_sql(f"SELECT us FROM punches WHERE seq < ? AND {trusted} ORDER BY seq DESC LIMIT 1", (seq,)).fetchone()
    after = database.execute_sql(f"SELECT us, seq FROM punches WHERE seq > ? AND {trusted} ORDER BY seq LIMIT 1", (seq,)).fetchone()
    return (None if before is None else int(before[0]), *((None, None) if after is None else (int(after[0]), int(after[1]))))
