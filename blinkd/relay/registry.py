"""The organisation's registry as the relay keeps it: sealed records in the order of their changes, and every change that ever came.

The relay cannot read what it orders, so the rule for changes that did not know of each other goes by what is open: which version their
authors knew.

1. Who knew the version that stands, or a later one, may change it; who changes what they changed last themselves, too.
2. A deletion stands against everything that was done without knowing of it, and is done whatever it did not know of.
3. Of other changes without knowledge of each other the first to come stands; the later one is a conflict, kept in the history.

Where this database is an older copy of itself, terminals bring what it has lost again, and say so; by the version that each of them names it is
told whose is the newer state. A change stands against what is only brought again. No version is ever given out twice, for each connection to a
database begins an era of its own, later than all before.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blinkd.crypto.encoding import unb64
from blinkd.crypto.signing import Verifier
from blinkd.relay.connections import Connections, Cursor
from blinkd.relay.verification import VerifiedChanges
from blinkd.sync.messages import ADMIN_TYPES, MOST, Change, Page, PagedChange, Settled, admin_signed
from blinkd.sync.wire import LONGEST_MESSAGE

# Versions that a relay gives out in a second at most. An era begins with its time in seconds times this, so that eras which have been lost with all
# their versions come before it; where the clock is wrong, at least so much after what was there.
MOST_LOST = 1_000_000
GREATEST_JUMP = 2**52  # half of what whole numbers may be: nobody uses them up by claiming to know a late one
MOST_PAGE_BYTES = LONGEST_MESSAGE - 10_000  # of changes and certificates in a page; the rest is for the members around them
CHANGE_BYTES = 260  # of a change at most beyond its own JSON: its author, version, certificate's digest, and the members' names
CERTIFICATE_BYTES = 80  # of a certificate at most beyond its base64: the digest that names it
KEYRING = "keyring"


@dataclass(frozen=True, slots=True)
class Standing:
    """A record as it stands."""

    version: int
    terminal: str
    base: int
    edit: int
    deleted: bool
    again: bool = False


def judge(
    change: Change, terminal: str, standing: Standing | None, parent: Standing | None, known: Callable[[int], bool] = lambda _: True
) -> str:
    """stored, superseded or conflict, by the rules above. parent: of a template, its person's record; known: whether this database gave a
    version out; an older copy of itself has lost that it did.
    """  # fmt: skip
    if not change.deleted and parent is not None and parent.deleted:
        return "conflict"  # nobody who is deleted gets templates
    if change.again and standing is not None:
        return _judge_again(change, standing, known)
    if standing is None or change.base >= standing.version:  # greater: this database is an older copy, and the author knew what it lost
        return "stored"
    if standing.terminal == terminal and change.base >= standing.base:
        return "stored" if change.edit > standing.edit else "superseded"
    if change.deleted:
        return "superseded" if standing.deleted else "stored"
    if standing.again and (change.base == standing.base if standing.deleted else change.base >= standing.base):
        return "stored"  # what stands is only what its author knew
    return "conflict"


def _judge_again(change: Change, standing: Standing, known: Callable[[int], bool]) -> str:
    """Nothing has changed, so whatever was changed since stands against it; but a deletion, where its author may not have known of that."""
    if change.base == standing.version or (change.deleted and standing.deleted):
        return "superseded"
    if change.base > standing.version:
        return "stored"
    if known(change.base) or change.base == standing.base:
        return "conflict"
    if change.deleted:
        return "stored"
    before = not standing.deleted and not known(standing.base) and change.base > standing.base
    return "stored" if before else "conflict"  # before: what stands was brought by somebody who knew less


class Registry:
    """Statements; the transactions are the caller's."""

    def __init__(self, connections: Connections, seconds: Callable[[], int]) -> None:
        """seconds: since 1970, however wrong."""
        self._connections = connections
        self._seconds = seconds
        self._mark = connections.mark
        self._locking = connections.locking

    def take(self, cursor: Cursor, verified: VerifiedChanges) -> tuple[list[Settled], int, int]:
        """Take changes in, in their order. Returns what became of each, and the registry's version before and now."""
        org = verified.org
        began, admin = self._locked(cursor, org)
        version, begun = began, False
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
            state = judge(change, verified.terminal, standings.get(change.id), parent, lambda base: self._knows(cursor, org, base))
            text = json.dumps(change.to_json(), separators=(",", ":"))
            if state == "stored":
                version = _beyond(version if begun else self._begin(cursor, org, version), change.base) + 1
                begun = True
                standings[change.id] = Standing(version, verified.terminal, change.base, change.edit, change.deleted, change.again)
                records[change.id] = (
                    *(org, change.id, change.type, version, verified.terminal, change.base, change.edit, change.deleted, text),
                    *(verified.digest, change.again),
                )
                if change.id == KEYRING and change.open is not None:
                    admin = _admin_of(change.open)
                    cursor.execute(self._sql("UPDATE organisations SET admin = ? WHERE org = ?"), (admin, org))
            at = standings[change.id].version if change.id in standings else version
            before[change.id, change.signature] = (state, at)
            history.append((org, change.id, change.signature, verified.terminal, state, at, text, verified.digest))
            answers.append(Settled(change.id, change.edit, state, at))
        self._write(cursor, records.values(), history)
        self._advance(cursor, org, version, [standings[record].version for record in records])
        return answers, began, version

    def page(self, cursor: Cursor, org: str, since: int, limit: int, request: str, mark: str | None = None) -> Page:
        """Records that changed after a version, in the order of their versions, as many as fit. mark: see `Pull`."""
        head = self.version(cursor, org)
        if since > head or (mark is not None and mark != self._mark_of(cursor, org, since)):
            common = self._common(cursor, org, since, mark)
            return Page(request, since, common, head, False, {}, (), mark if common else None, lost=True)
        cursor.execute(
            self._sql("SELECT change, terminal, version, certificate FROM registry WHERE org = ? AND version > ? ORDER BY version LIMIT ?"),
            (org, since, min(limit, MOST) + 1),
        )
        rows = cursor.fetchall()
        authors = self._certificates(cursor, org, sorted({row[3] for row in rows}))
        changes: list[PagedChange] = []
        certificates: dict[str, bytes] = {}
        size = 0
        for text, terminal, version, digest in rows[: min(limit, MOST)]:
            size += len(text) + CHANGE_BYTES
            if digest not in certificates:
                size += len(authors[digest]) * 4 // 3 + CERTIFICATE_BYTES
            if changes and size > MOST_PAGE_BYTES:
                break
            certificates[digest] = authors[digest]
            changes.append(PagedChange(Change.of(json.loads(text)), terminal, int(version), digest))
        more = len(changes) < len(rows)
        head = max(head, *(one.version for one in changes[-1:]), since)  # a change may have come since the head was read
        upto = changes[-1].version if more else head
        return Page(request, since, upto, head, more, certificates, tuple(changes), self._mark_of(cursor, org, upto))

    def version(self, cursor: Cursor, org: str) -> int:
        """The newest one; 0 where there is no registry yet."""
        cursor.execute(self._sql("SELECT version FROM organisations WHERE org = ?"), (org,))
        row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def outrun(self, cursor: Cursor, org: str, version: int) -> None:
        """Somebody knows a version that this database, an older copy, has lost: what comes now is later than all of what was lost."""
        head, _ = self._locked(cursor, org)
        if _beyond(head, version) > head:
            self._advance(cursor, org, version + 1, [version + 1])  # that version itself stays one which this database never gave out

    def _begin(self, cursor: Cursor, org: str, version: int) -> int:
        """The version after which this era's begin: later than any that may have been given out and lost, so that none is given out twice."""
        cursor.execute(self._sql("SELECT 1 FROM registry_marks WHERE org = ? AND mark = ? LIMIT 1"), (org, self._connections.era))
        if version == 0 or cursor.fetchone() is not None:
            return version
        return max(version + MOST_LOST, min(self._seconds() * MOST_LOST, GREATEST_JUMP))

    def _advance(self, cursor: Cursor, org: str, version: int, versions: Sequence[int]) -> None:
        """The registry's newest version is this one; each of the new ones gets its mark."""
        if versions:
            mark = self._connections.era
            cursor.execute(self._sql("UPDATE organisations SET version = ? WHERE org = ?"), (version, org))
            cursor.executemany(
                self._sql(
                    "INSERT INTO registry_marks (org, version, mark) VALUES (?, ?, ?) ON CONFLICT (org, version) DO UPDATE SET mark = excluded.mark"
                ),
                [(org, one, mark) for one in versions],
            )

    def _knows(self, cursor: Cursor, org: str, version: int) -> bool:
        return version == 0 or self._mark_of(cursor, org, version) is not None

    def _common(self, cursor: Cursor, org: str, since: int, mark: str | None) -> int:
        """The newest version before `since` that this database knows by a mark; 0: none."""
        cursor.execute(
            self._sql("SELECT max(version) FROM registry_marks WHERE org = ? AND mark = ? AND version < ?"), (org, mark or "", since)
        )
        return int(cursor.fetchone()[0] or 0)

    def _mark_of(self, cursor: Cursor, org: str, version: int) -> str | None:
        cursor.execute(self._sql("SELECT mark FROM registry_marks WHERE org = ? AND version = ?"), (org, version))
        row = cursor.fetchone()
        return None if row is None else str(row[0])

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
                f"SELECT record, version, terminal, base, edit, deleted, again FROM registry WHERE org = ? AND record IN ({_marks(wanted)})"
            ),
            (org, *wanted),
        )
        return {
            record: Standing(int(version), terminal, int(base), int(edit), bool(deleted), bool(again))
            for record, version, terminal, base, edit, deleted, again in cursor.fetchall()
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

    def _write(self, cursor: Cursor, records: Any, history: list[tuple[object, ...]]) -> None:  # noqa: ANN401  rows
        rows = list(records)
        if rows:
            cursor.executemany(
                self._sql(
                    "INSERT INTO registry (org, record, type, version, terminal, base, edit, deleted, change, certificate, again) "
                    f"VALUES ({_marks(rows[0])}) ON CONFLICT (org, record) DO UPDATE SET type = excluded.type, version = excluded.version, "
                    "terminal = excluded.terminal, base = excluded.base, edit = excluded.edit, deleted = excluded.deleted, "
                    "change = excluded.change, certificate = excluded.certificate, again = excluded.again"
                ),
                rows,
            )
        if history:
            cursor.executemany(
                self._sql(
                    "INSERT INTO history (org, record, signature, terminal, state, version, change, certificate) "
                    f"VALUES ({_marks(history[0])}) ON CONFLICT DO NOTHING"
                ),
                history,
            )

    def _certificates(self, cursor: Cursor, org: str, wanted: Sequence[str]) -> Mapping[str, bytes]:
        if not wanted:
            return {}
        cursor.execute(self._sql(f"SELECT digest, der FROM certificates WHERE org = ? AND digest IN ({_marks(wanted)})"), (org, *wanted))
        return {digest: bytes(der) for digest, der in cursor.fetchall()}

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._mark)


def _beyond(version: int, known: int) -> int:
    """The version after which the next one comes: not before one that somebody knows, and that this database may have lost."""
    return known if version < known <= GREATEST_JUMP else version


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
