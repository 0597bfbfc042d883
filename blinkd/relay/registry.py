"""The organisation's registry as the relay keeps it: sealed records in the order of their changes, and every change that ever came.

The relay cannot read what it orders, so the rule for changes that did not know of each other goes by what is open: which version their
authors knew.

1. Who knew the version that stands, or a later one, may change it; who changes what they changed last themselves, too.
2. A deletion stands against everything that was done without knowing of it, and is done whatever it did not know of.
3. Of other changes without knowledge of each other the first to come stands; the later one is a conflict, kept in the history.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blinkd.crypto.encoding import unb64
from blinkd.crypto.signing import Verifier
from blinkd.relay.connections import Connections, Cursor
from blinkd.relay.verification import VerifiedChanges
from blinkd.sync.messages import ADMIN_TYPES, MOST, Change, Page, PagedChange, Settled, admin_signed
from blinkd.sync.wire import LONGEST_MESSAGE

MOST_PAGE_BYTES = LONGEST_MESSAGE - 150_000  # of changes in a page; the rest is for certificates and members around them
KEYRING = "keyring"


@dataclass(frozen=True, slots=True)
class Standing:
    """A record as it stands."""

    version: int
    terminal: str
    base: int
    edit: int
    deleted: bool


def judge(change: Change, terminal: str, standing: Standing | None, parent: Standing | None) -> str:
    """stored, superseded or conflict, by the rules above. parent: of a template, its person's record."""
    if not change.deleted and parent is not None and parent.deleted:
        return "conflict"  # nobody who is deleted gets templates
    if standing is None or change.base >= standing.version:  # greater: this database is an older copy, and the author knew what it lost
        return "stored"
    if standing.terminal == terminal and change.base >= standing.base:
        return "stored" if change.edit > standing.edit else "superseded"
    if change.deleted:
        return "superseded" if standing.deleted else "stored"
    return "conflict"


class Registry:
    """Statements; the transactions are the caller's."""

    def __init__(self, connections: Connections) -> None:
        self._mark = connections.mark
        self._locking = connections.locking

    def take(self, cursor: Cursor, verified: VerifiedChanges) -> tuple[list[Settled], int, int]:
        """Take changes in, in their order. Returns what became of each, and the registry's version before and now."""
        org = verified.org
        began, admin = self._locked(cursor, org)
        version = began
        answers = [Settled(change.id, change.edit, "rejected", 0, reason) for change, reason in verified.refused]
        standings, before = self._standings(cursor, org, verified.changes), self._answers(cursor, org, verified.changes)
        history: list[tuple[object, ...]] = []
        records: dict[str, tuple[object, ...]] = {}
        for change in sorted(verified.changes, key=lambda change: change.id != KEYRING):  # it names the administrator of the others
            if (known := before.get((change.id, change.signature))) is not None:
                answers.append(Settled(change.id, change.edit, *known))
                continue
            if change.type in ADMIN_TYPES and not _by_admin(org, change, admin):
                answers.append(Settled(change.id, change.edit, "rejected", 0, "admin"))
                continue
            parent = standings.get(change.id.partition(".")[0]) if change.type == "template" else None
            state = judge(change, verified.terminal, standings.get(change.id), parent)
            text = json.dumps(change.to_json(), separators=(",", ":"))
            if state == "stored":
                version += 1
                standings[change.id] = Standing(version, verified.terminal, change.base, change.edit, change.deleted)
                records[change.id] = (
                    *(org, change.id, change.type, version, verified.terminal, change.base, change.edit, change.deleted, text),
                    verified.digest,
                )
                if change.id == KEYRING and change.open is not None:
                    admin = _admin_of(change.open)
                    cursor.execute(self._sql("UPDATE organisations SET admin = ? WHERE org = ?"), (admin, org))
            at = standings[change.id].version if change.id in standings else version
            before[change.id, change.signature] = (state, at)
            history.append((org, change.id, change.signature, verified.terminal, state, at, text, verified.digest))
            answers.append(Settled(change.id, change.edit, state, at))
        self._write(cursor, org, version, records.values(), history)
        return answers, began, version

    def page(self, cursor: Cursor, org: str, since: int, limit: int, request: str) -> Page:
        """Records that changed after a version, in the order of their versions, as many as fit."""
        head = self.version(cursor, org)
        cursor.execute(
            self._sql("SELECT change, terminal, version, certificate FROM registry WHERE org = ? AND version > ? ORDER BY version LIMIT ?"),
            (org, since, min(limit, MOST) + 1),
        )
        rows = cursor.fetchall()
        changes: list[PagedChange] = []
        size = 0
        for text, terminal, version, digest in rows[: min(limit, MOST)]:
            size += len(text)
            if changes and size > MOST_PAGE_BYTES:
                break
            changes.append(PagedChange(Change.of(json.loads(text)), terminal, int(version), digest))
        more = len(changes) < len(rows)
        # another relay may have added some since the head was read
        upto = changes[-1].version if more else max([head, since, *(one.version for one in changes)])
        return Page(request, since, upto, max(head, upto), more, self._certificates(cursor, org, changes), tuple(changes))

    def version(self, cursor: Cursor, org: str) -> int:
        """The newest one; 0 where there is no registry yet."""
        cursor.execute(self._sql("SELECT version FROM organisations WHERE org = ?"), (org,))
        row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def _locked(self, cursor: Cursor, org: str) -> tuple[int, bytes | None]:
        sql = self._sql(f"SELECT version, admin FROM organisations WHERE org = ?{self._locking}")
        cursor.execute(sql, (org,))
        if (row := cursor.fetchone()) is None:
            cursor.execute(self._sql("INSERT INTO organisations (org) VALUES (?) ON CONFLICT DO NOTHING"), (org,))
            cursor.execute(sql, (org,))
            row = cursor.fetchone()
        return int(row[0]), None if row[1] is None else bytes(row[1])

    def _standings(self, cursor: Cursor, org: str, changes: Sequence[Change]) -> dict[str, Standing]:
        wanted = sorted({change.id for change in changes} | {change.id.partition(".")[0] for change in changes})
        if not wanted:
            return {}
        cursor.execute(
            self._sql(
                f"SELECT record, version, terminal, base, edit, deleted FROM registry WHERE org = ? AND record IN ({_marks(wanted)})"
            ),
            (org, *wanted),
        )
        return {
            record: Standing(int(version), terminal, int(base), int(edit), bool(deleted))
            for record, version, terminal, base, edit, deleted in cursor.fetchall()
        }

    def _answers(self, cursor: Cursor, org: str, changes: Sequence[Change]) -> dict[tuple[str, bytes], tuple[str, int]]:
        """What was said of changes that came before."""
        if not changes:
            return {}
        wanted = sorted({change.id for change in changes})
        cursor.execute(
            self._sql(f"SELECT record, signature, state, version FROM history WHERE org = ? AND record IN ({_marks(wanted)})"),
            (org, *wanted),
        )
        return {(record, bytes(signature)): (state, int(version)) for record, signature, state, version in cursor.fetchall()}

    def _write(self, cursor: Cursor, org: str, version: int, records: Any, history: list[tuple[object, ...]]) -> None:  # noqa: ANN401  rows
        rows = list(records)
        if rows:
            cursor.executemany(
                self._sql(
                    "INSERT INTO registry (org, record, type, version, terminal, base, edit, deleted, change, certificate) "
                    f"VALUES ({_marks(rows[0])}) ON CONFLICT (org, record) DO UPDATE SET type = excluded.type, version = excluded.version, "
                    "terminal = excluded.terminal, base = excluded.base, edit = excluded.edit, deleted = excluded.deleted, "
                    "change = excluded.change, certificate = excluded.certificate"
                ),
                rows,
            )
            cursor.execute(self._sql("UPDATE organisations SET version = ? WHERE org = ?"), (version, org))
        if history:
            cursor.executemany(
                self._sql(
                    "INSERT INTO history (org, record, signature, terminal, state, version, change, certificate) "
                    f"VALUES ({_marks(history[0])}) ON CONFLICT DO NOTHING"
                ),
                history,
            )

    def _certificates(self, cursor: Cursor, org: str, changes: Sequence[PagedChange]) -> Mapping[str, bytes]:
        wanted = sorted({one.certificate for one in changes})
        if not wanted:
            return {}
        cursor.execute(self._sql(f"SELECT digest, der FROM certificates WHERE org = ? AND digest IN ({_marks(wanted)})"), (org, *wanted))
        return {digest: bytes(der) for digest, der in cursor.fetchall()}

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._mark)


def _by_admin(org: str, change: Change, admin: bytes | None) -> bool:
    """Whether the administrator signed it; the first keyring of an organisation names its administrator."""
    if admin is None:
        admin = _admin_of(change.open) if change.id == KEYRING and change.open is not None else None
    return admin is not None and change.admin is not None and Verifier(admin).holds(admin_signed(org, change), change.admin)


def _admin_of(keyring: Mapping[str, Any]) -> bytes | None:
    """The administrator's public key in a portable keyring, 32 bytes; None where there is none."""
    try:
        return unb64(keyring.get("admin"), 32)
    except ValueError:
        return None


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
