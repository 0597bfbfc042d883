"""The punches page by page, newest first, each as it stands now: for a screen, which never wants all of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.ledger import LEDGER_KINDS, Ledger, State
from blinkd.attendance.punch import Direction, SyncState
from blinkd.clock import BUILT, microseconds
from blinkd.store.book import FIRST, IN_SPAN, LAST, BookRepository
from blinkd.store.outbox import Guard
from blinkd.store.rosters import Rosters
from blinkd.store.transcript import added_line, added_of, punch_line, within

PAGE = 50  # punches on a page
PORTION = 400  # looked at in one go; a page of a filter that most punches pass needs one
ADDED = "kind = 'correction' AND json_extract(content, '$.what') = 'add'"
# IN_SPAN of an end that is still to come: from the newest on a page is full at once
SINCE = " AND (us >= ? OR clock = 'unsynced' OR seq IN (SELECT target FROM entries WHERE kind = 'correction'))"
TOUCHED = f"(SELECT coalesce(target, seq) FROM entries WHERE kind = 'disowned' OR (kind = 'correction' AND NOT ({ADDED})) UNION SELECT seq FROM entries WHERE {ADDED})"


@dataclass(frozen=True, slots=True)
class WantedPunches:
    """What is asked for; None: all. subjects: of these people; since, until: aware, the end excluded; before: the numbers below one."""

    subjects: tuple[int, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: Direction | None = None
    sync: SyncState | None = None
    state: State | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class PunchPage:
    """lines: as `transcript` gives them, newest first; older: the number below which the next page begins, None where this is the last."""

    lines: list[dict[str, Any]]
    older: int | None


class PunchPages:
    """Reads only."""

    def __init__(self, database: SqliteDatabase, reading: Guard, book: BookRepository, rosters: Rosters) -> None:
        self._database = database
        self._reading = reading
        self._book = book
        self._rosters = rosters

    def page(self, wanted: WantedPunches, terminal: str, most: int = PAGE) -> PunchPage:
        """One page. terminal: this one's id."""
        found: list[dict[str, Any]] = []
        before = wanted.before
        while len(found) <= most:
            with self._reading():
                seqs = self._candidates(wanted, before)
            if not seqs:
                break
            before = seqs[-1]
            found += [line for line in self._lines(seqs, terminal) if _passes(line, wanted)]
        older = found[most - 1]["seq"] if len(found) > most else None
        return PunchPage(self._named(found[:most]), older)

    def _candidates(self, wanted: WantedPunches, before: int | None) -> list[int]:
        """Numbers, newest first, of what may be wanted; how it stands now, only the ledger tells."""
        conditions: list[str] = ["seq < ?"]
        values: list[object] = [LAST if before is None else before]
        if wanted.subjects is not None:
            conditions.append(f"subject IN ({', '.join('?' * len(wanted.subjects))})")
            values += wanted.subjects
        if wanted.state not in (None, "valid"):
            conditions.append(f"seq IN {TOUCHED}")
        if wanted.sync is SyncState.SYNCED:  # most are
            conditions.append("EXISTS (SELECT 1 FROM chain c WHERE c.seq = s.seq AND c.sync = 'SYNCED')")
        elif wanted.sync is not None:
            conditions.append(
                f"seq IN (SELECT seq FROM chain WHERE sync = '{wanted.sync.value}')"
            )  # not bound, so that the index is seen to fit
        where = " AND ".join(conditions)
        span, ends = "", list[object]()
        if wanted.since is not None and wanted.until is None:
            span, ends = SINCE, [microseconds(wanted.since)]
        elif wanted.until is not None:
            span = f" AND seq IN ({IN_SPAN})"
            ends = [
                FIRST if wanted.since is None else microseconds(wanted.since),
                microseconds(wanted.until),
            ]
        # each side cut off by itself: else SQLite would put the whole book in order for one page
        sql = f"""SELECT seq FROM (
            SELECT * FROM (SELECT seq FROM punches s WHERE {where}{span} ORDER BY seq DESC LIMIT ?)
            UNION ALL SELECT * FROM (SELECT seq FROM entries s WHERE {ADDED} AND {where} ORDER BY seq DESC LIMIT ?)
        ) ORDER BY seq DESC LIMIT ?"""
        rows = self._database.execute_sql(sql, (*values, *ends, PORTION, *values, PORTION, PORTION)).fetchall()
        return [int(row[0]) for row in rows]

    def _lines(self, seqs: list[int], terminal: str) -> Iterator[dict[str, Any]]:
        ledger = self._ledger(seqs)
        punches = {punch.seq: punch for punch in self._book.numbered(seqs)}
        added = {seq: added_of(seq, content) for seq, content, _ in self._entries(f"{ADDED} AND seq IN ({_marks(seqs)})", *seqs)}
        for seq in seqs:
            if seq in punches:
                yield punch_line(punches[seq], ledger.standing(punches[seq]), {}) | {"subject": punches[seq].subject}
            elif seq in added:
                yield added_line(added[seq], ledger, self._book, terminal, {}) | {"subject": added[seq][1]}

    def _ledger(self, seqs: list[int]) -> Ledger:
        """What was later said of these alone, and what clocks turned out to show."""
        marks, kinds = _marks(seqs), ", ".join(f"'{kind}'" for kind in LEDGER_KINDS if kind != "clock")
        about = f"kind = 'clock' OR (kind IN ({kinds}) AND target IN ({marks})) OR ({ADDED} AND seq IN ({marks}))"
        return Ledger.of(self._entries(about, *seqs, *seqs))

    def _entries(self, where: str, *values: object) -> list[tuple[int, dict[str, Any], str | None]]:
        with self._reading():
            rows = self._database.execute_sql(f"SELECT seq, content, note FROM entries WHERE {where} ORDER BY seq", values).fetchall()
        return [(int(seq), json.loads(content), note) for seq, content, note in rows]

    def _named(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        known = self._rosters.known(sorted({line["subject"] for line in lines}))
        return [
            {key: value for key, value in line.items() if key != "subject"}
            | {"name": known[line["subject"]].name, "person_id": known[line["subject"]].person_id}
            for line in lines
        ]


def _passes(line: dict[str, Any], wanted: WantedPunches) -> bool:
    if wanted.status is not None and line["status"] != wanted.status.value:
        return False
    if wanted.state is not None and line["state"] != wanted.state:
        return False
    when = datetime.fromisoformat(line["timestamp"])
    # what a clock recorded that stood in the past may have been on any day
    return within(when, wanted.since, wanted.until) or (line["certainty"] == "uncertain" and when < BUILT)


def _marks(seqs: list[int]) -> str:
    return ", ".join("?" * len(seqs))
