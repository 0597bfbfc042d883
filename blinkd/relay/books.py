"""The terminals' chains as the relay keeps them: every signed entry once, and up to which one nothing is missing."""

from dataclasses import dataclass
from datetime import date

from blinkd.crypto.chain import NO_HASH
from blinkd.relay.connections import Connections, Cursor
from blinkd.relay.verification import VerifiedBatch
from blinkd.sync.messages import ChainState, Stored

PORTION = 1000  # entries looked at in one go when a gap closes
NOTHING = -1  # the number before the first

ENTRY = {  # columns and their types
    "book_id": "bigint",
    "seq": "bigint",
    "hash": "bytea",
    "prev": "bytea",
    "commitment": "bytea",
    "signature": "bytea",
    "kid": "text",
    "iv": "bytea",
    "tag": "bytea",
    "ciphertext": "bytea",
    "missing": "text",
    "connected": "boolean",
}
# the first envelope stays, whatever is sent again, unless only its place was there
FIRST_STAYS = (
    "ON CONFLICT (book_id, seq, hash) DO UPDATE SET signature = excluded.signature, kid = excluded.kid, iv = excluded.iv, tag = excluded.tag, "
    "ciphertext = excluded.ciphertext, missing = excluded.missing WHERE entries.missing IS NOT NULL AND excluded.missing IS NULL"
)


@dataclass(frozen=True, slots=True)
class Tip:
    """An entry up to which a branch is connected. hash: 32 bytes."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Book:
    """A row of books. head: of the branch that was connected first; stored: the greatest number that is there at all."""

    id: int
    head: Tip
    stored: int
    state: str
    detail: str


class Books:
    """Statements; the transactions are the caller's, who takes books in one order, so that two relays never wait for each other in a circle."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._mark = connections.mark
        self._locking = connections.locking

    def take(self, cursor: Cursor, verified: VerifiedBatch, today: date) -> tuple[Stored | None, ChainState]:
        """Store a batch. Returns up to where the chain is connected on the batch's branch, and how it looks."""
        batch = verified.batch
        book = self._locked(cursor, batch.org, batch.terminal, batch.book, today)
        first, last = batch.entries[0].seq, batch.entries[-1].seq
        before = Tip(first - 1, batch.prev)
        tip = self._reach(before, verified) if self._is_connected(cursor, book, before) else None
        known = first <= book.stored
        self._insert(cursor, book.id, verified, tip, again=known)
        stored = max([book.stored, *(entry.seq for entry, good in zip(batch.entries, verified.good, strict=True) if good)])
        on_main = tip is not None and self._continues(book, tip, before, verified)
        forked = book.state == "fork" or (known and self._two_at_once(cursor, book.id, first, last))
        if tip is not None and tip.seq < stored and (forked or tip.seq >= book.head.seq):
            tip = self._follow(cursor, book.id, tip, forked=forked)
        head = tip if tip is not None and on_main and tip.seq > book.head.seq else book.head
        state, detail = self._judge(book, head, stored, first, last, forked=forked)
        if (head, stored, state, detail) != (book.head, book.stored, book.state, book.detail):
            cursor.execute(
                self._sql("UPDATE books SET head_seq = ?, head_hash = ?, stored_seq = ?, state = ?, detail = ? WHERE id = ?"),
                (head.seq, head.hash, stored, state, detail, book.id),
            )
        reached = tip if forked and tip is not None else None if forked else head
        answer = None if reached is None or reached.seq == NOTHING else Stored(batch.book, reached.seq, reached.hash)
        return answer, ChainState("gap" if forked and tip is None else state, detail)

    def _locked(self, cursor: Cursor, org: str, terminal: str, book: str, today: date) -> Book:
        key = (org, terminal, book)
        sql = self._sql(
            f"SELECT id, head_seq, head_hash, stored_seq, state, detail FROM books WHERE org = ? AND terminal = ? AND book = ?{self._locking}"
        )
        cursor.execute(sql, key)
        if (row := cursor.fetchone()) is None:
            cursor.execute(
                self._sql("INSERT INTO books (org, terminal, book, begun_on) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"),
                (*key, today.isoformat()),
            )
            cursor.execute(sql, key)
            row = cursor.fetchone()
        id_, head_seq, head_hash, stored, state, detail = row
        return Book(int(id_), Tip(int(head_seq), NO_HASH if head_hash is None else bytes(head_hash)), int(stored), state, detail)

    def _is_connected(self, cursor: Cursor, book: Book, tip: Tip) -> bool:
        if tip == book.head:  # the beginning too: nothing, and a hash of zeros
            return True
        if tip.seq == NOTHING:
            return tip.hash == NO_HASH
        if tip.seq > book.stored:
            return False
        cursor.execute(self._sql("SELECT connected FROM entries WHERE book_id = ? AND seq = ? AND hash = ?"), (book.id, tip.seq, tip.hash))
        row = cursor.fetchone()
        return row is not None and bool(row[0])

    def _reach(self, before: Tip, verified: VerifiedBatch) -> Tip:
        """The last entry of a batch before the first bad one."""
        tip = before
        for entry, entry_hash, good in zip(verified.batch.entries, verified.hashes, verified.good, strict=True):
            if not good:
                break
            tip = Tip(entry.seq, entry_hash)
        return tip

    def _insert(self, cursor: Cursor, book_id: int, verified: VerifiedBatch, tip: Tip | None, *, again: bool) -> None:
        reached = NOTHING - 1 if tip is None else tip.seq
        rows = []
        prev = verified.batch.prev
        for entry, entry_hash, good in zip(verified.batch.entries, verified.hashes, verified.good, strict=True):
            envelope = entry.envelope
            if good:
                sealed = (None,) * 4 if envelope is None else (envelope.kid, envelope.iv, envelope.tag, envelope.ciphertext)
                rows.append(
                    (book_id, entry.seq, entry_hash, prev, entry.commitment, entry.signature, *sealed, entry.missing, entry.seq <= reached)
                )
            prev = entry_hash
        self._connections.insert(cursor, "entries", ENTRY, rows, FIRST_STAYS)
        if again and tip is not None:
            self._connect(cursor, book_id, [(row[1], row[2]) for row in rows if row[1] <= reached])

    def _continues(self, book: Book, tip: Tip, before: Tip, verified: VerifiedBatch) -> bool:
        """Whether a connected branch that reaches `tip` goes through the book's head."""
        if book.head.seq == NOTHING or before == book.head:
            return True
        place = book.head.seq - verified.batch.entries[0].seq
        return 0 <= place < len(verified.hashes) and book.head.seq <= tip.seq and verified.hashes[place] == book.head.hash

    def _follow(self, cursor: Cursor, book_id: int, tip: Tip, *, forked: bool) -> Tip:
        """What was there already and hangs on to an entry that has just been connected."""
        while True:
            cursor.execute(
                self._sql("SELECT seq, hash, prev, connected FROM entries WHERE book_id = ? AND seq > ? ORDER BY seq LIMIT ?"),
                (book_id, tip.seq, PORTION),
            )
            rows, began, hanging = cursor.fetchall(), tip, list[tuple[int, bytes]]()
            for seq, value, prev, connected in rows:
                if (int(seq), bytes(prev)) == (tip.seq + 1, tip.hash):
                    tip = Tip(int(seq), bytes(value))
                    if not connected:
                        hanging.append((tip.seq, tip.hash))
            if hanging and not forked:  # every number is there once
                cursor.execute(
                    self._sql("UPDATE entries SET connected = ? WHERE book_id = ? AND seq BETWEEN ? AND ? AND NOT connected"),
                    (True, book_id, hanging[0][0], hanging[-1][0]),
                )
            else:
                self._connect(cursor, book_id, hanging)
            if tip == began or len(rows) < PORTION:
                return tip

    def _connect(self, cursor: Cursor, book_id: int, entries: list[tuple[int, bytes]]) -> None:
        if entries:
            cursor.executemany(
                self._sql("UPDATE entries SET connected = ? WHERE book_id = ? AND seq = ? AND hash = ? AND NOT connected"),
                [(True, book_id, seq, value) for seq, value in entries],
            )

    def _two_at_once(self, cursor: Cursor, book_id: int, first: int, last: int) -> bool:
        cursor.execute(
            self._sql("SELECT seq FROM entries WHERE book_id = ? AND seq BETWEEN ? AND ? GROUP BY seq HAVING count(*) > 1 LIMIT 1"),
            (book_id, first, last),
        )
        return cursor.fetchone() is not None

    def _judge(self, book: Book, head: Tip, stored: int, first: int, last: int, *, forked: bool) -> tuple[str, str]:
        if forked:
            words = f"two entries with one number between {first} and {last}: a card was copied, or an older backup put back"
            return "fork", book.detail if book.state == "fork" else words
        if stored > head.seq:
            return "gap", f"entry {head.seq + 1} is missing; {stored} is here"
        return "ok", ""

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._mark)
