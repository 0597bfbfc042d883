"""Takes messages in: verifies, stores them in one transaction, and only then answers."""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from blinkd.errors import CertificateRefused, StoreError
from blinkd.relay.books import Books
from blinkd.relay.connections import Connections, Cursor
from blinkd.relay.registry import Registry
from blinkd.relay.verification import Checker, Verification, VerifiedBatch, VerifiedChanges
from blinkd.sync.messages import CERTIFICATE, Batch, Change, Changes, Page, Pull, Receipt, Rejected, Status
from blinkd.sync.topics import PULL, Topic

Verified = VerifiedBatch | VerifiedChanges | Rejected
GROUP = "group"  # secret: the relays' name at the broker
GROUP_BYTES = 16

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one transaction. receipts: in the order of the messages; heads: organisations whose registry has a new version, and which."""

    receipts: tuple[Receipt, ...]
    heads: dict[str, int]


class Core:
    """One relay process's way to the database. Threads take turns."""

    def __init__(self, connections: Connections, checker: Checker, today: Callable[[], date] | None = None) -> None:
        """today: for the columns that keep a date; never a time of day."""
        self._connections = connections
        self._checker = checker
        self._verification = Verification(checker)
        self._books = Books(connections)
        self._registry = Registry(connections, lambda: int(datetime.now(UTC).timestamp()))
        self._turn = threading.Lock()
        self._today = today or (lambda: datetime.now(UTC).date())
        self._heeded: dict[str, int] = {}  # by organisation: the version up to which revocations are heeded
        self._seen: dict[tuple[str, str], tuple[bytes, str]] = {}  # what the table of terminals has already

    def group(self) -> str:
        """The name of the relays' group at the broker, drawn once for each database. Raises StoreError."""
        with self._connections.transaction() as cursor:
            cursor.execute(
                self._sql("INSERT INTO relay_secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"),
                (GROUP, secrets.token_hex(GROUP_BYTES)),
            )
            cursor.execute(self._sql("SELECT value FROM relay_secrets WHERE name = ?"), (GROUP,))
            return str(cursor.fetchone()[0])

    def heads(self) -> dict[str, int]:
        """The newest version of every organisation's registry. Raises StoreError."""
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute("SELECT org, version FROM organisations")
            return {org: int(version) for org, version in cursor.fetchall()}

    def take(self, messages: Sequence[tuple[Batch | Changes, Topic | None]]) -> Outcome:
        """Verify and store. Raises StoreError when the database is away; then nothing is stored, and all of it may come again."""
        with self._turn:
            return self._take(messages)

    def _take(self, messages: Sequence[tuple[Batch | Changes, Topic | None]]) -> Outcome:
        self._heed_revocations({message.org for message, _ in messages})
        verified = [
            self._verification.batch(message, topic) if isinstance(message, Batch) else self._verification.changes(message, topic)
            for message, topic in messages
        ]
        try:
            with self._connections.transaction() as cursor:
                receipts, heads = self._store(cursor, messages, verified)
        except StoreError:
            self._seen.clear()  # what was noted there may not have come to the table
            raise
        return Outcome(tuple(receipts), heads)

    def _store(
        self, cursor: Cursor, messages: Sequence[tuple[Batch | Changes, Topic | None]], verified: Sequence[Verified]
    ) -> tuple[list[Receipt], dict[str, int]]:
        receipts = [Receipt()] * len(messages)
        heads: dict[str, int] = {}
        # in one order, books before registries, so that two relays never wait for each other in a circle
        for place in sorted(range(len(verified)), key=lambda place: _order(verified[place], place)):
            one = verified[place]
            if isinstance(one, Rejected):
                receipts[place] = Receipt(rejected=(one,))
                continue
            if isinstance(one, VerifiedBatch):
                stored, chain = self._books.take(cursor, one, self._today())
                receipts[place] = Receipt(stored, (), one.rejected, chain)
            else:
                answers, before, version = self._registry.take(cursor, one)  # from here on the organisation's registry is locked
                cursor.execute(
                    self._sql("INSERT INTO certificates (org, digest, der) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"),
                    (one.org, one.digest, one.sender.der),
                )
                if version > before:
                    heads[one.org] = version
                receipts[place] = Receipt(None, tuple(answers))
        for org, terminal, certificate in sorted(
            {(m.org, m.terminal, m.certificate) for (m, _), one in zip(messages, verified, strict=True) if not isinstance(one, Rejected)}
        ):
            self._see(cursor, org, terminal, certificate)
        return receipts, heads

    def attendance(self, batch: Batch) -> Receipt:
        """Take in one batch. Raises StoreError."""
        return self.take([(batch, None)]).receipts[0]

    def people(self, changes: Changes) -> Receipt:
        """Take in one message of changes. Raises StoreError."""
        return self.take([(changes, None)]).receipts[0]

    def page(self, org: str, since: int, limit: int, request: str = "0", mark: str | None = None) -> Page:
        """The registry's records that changed after a version. Raises StoreError."""
        with self._connections.transaction(reading=True) as cursor:
            return self._registry.page(cursor, org, since, limit, request, mark)

    def answer(self, pull: Pull) -> Page | Rejected:
        """The page that a terminal asks for; or that the certificate by which it sends was revoked: a pull carries none. Raises StoreError."""
        self._heed_revocations({pull.org})
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute(self._sql("SELECT certificate FROM terminals WHERE org = ? AND terminal = ?"), (pull.org, pull.terminal))
            row = cursor.fetchone()
        if row is not None and row[0]:  # who never sent anything has nothing to be revoked by here; the broker knows its certificate
            try:
                self._checker.check(bytes(row[0]), pull.org, pull.terminal)
            except CertificateRefused as error:
                return Rejected(PULL, None, CERTIFICATE, str(error)[:500])
        page = self.page(pull.org, pull.since, pull.limit, pull.request, pull.mark)
        if page.lost:
            with self._connections.transaction() as cursor:
                self._registry.outrun(cursor, pull.org, pull.since)
        return page

    def status(self, status: Status) -> None:
        """Remember what a terminal says of itself, its certificate unknown until it has sent anything. Raises StoreError."""
        with self._connections.transaction() as cursor:
            cursor.execute(
                self._sql(
                    "INSERT INTO terminals (org, terminal, certificate, online, status, seen_on) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT "
                    "(org, terminal) DO UPDATE SET online = excluded.online, status = excluded.status, seen_on = excluded.seen_on"
                ),
                (status.org, status.terminal, b"", status.online, status.to_bytes().decode(), self._today().isoformat()),
            )

    def _see(self, cursor: Cursor, org: str, terminal: str, certificate: bytes) -> None:
        now = (certificate, self._today().isoformat())
        if self._seen.get((org, terminal)) == now:
            return
        cursor.execute(
            self._sql(
                "INSERT INTO terminals (org, terminal, certificate, seen_on) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (org, terminal) DO UPDATE SET certificate = excluded.certificate, seen_on = excluded.seen_on"
            ),
            (org, terminal, *now),
        )
        self._seen[org, terminal] = now

    def _heed_revocations(self, organisations: set[str]) -> None:
        """Those that the registry has taken since the last time, from whichever relay, hold from now on."""
        with self._connections.transaction(reading=True) as cursor:
            for org in sorted(organisations):
                version, known = self._registry.version(cursor, org), self._heeded.get(org, 0)
                if version == known:
                    continue
                since = known if version > known else 0  # less: this database is an older copy
                cursor.execute(
                    self._sql("SELECT change FROM registry WHERE org = ? AND version > ? AND type = 'revocation'"),
                    (org, since),
                )
                for (text,) in cursor.fetchall():
                    self._heed(Change.of(json.loads(text)))
                self._heeded[org] = version

    def _heed(self, change: Change) -> None:
        if change.type == "revocation" and change.open is not None:
            try:
                self._checker.revoke(change.open)
            except CertificateRefused as error:
                log.error("%s: %s", change.id, error)

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._connections.mark)


def _order(verified: Verified, place: int) -> tuple[object, ...]:
    if isinstance(verified, VerifiedBatch):
        batch = verified.batch
        return 0, batch.org, batch.terminal, batch.book, batch.entries[0].seq, place
    return (1, verified.org, place) if isinstance(verified, VerifiedChanges) else (2, place)
