"""What the relay holds of one organisation, read for a browser: chains, sealed entries, sealed people, and the keyring behind its password.

Nothing is written, and only what is verified and connected is given: an entry with a gap before it waits until the gap is closed.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from blinkd.crypto.encoding import b64
from blinkd.crypto.envelope import VERSION, Envelope
from blinkd.relay.connections import Connections, Cursor
from blinkd.sync.messages import SealedEntry

MOST_ENTRIES, MOST_PEOPLE = 500, 500  # in a page
MOST_PAGE_BYTES = 1_000_000  # of ciphertexts, or of people's records as they came; a browser shows its progress page by page
KEYRING, PERSON = "keyring", "person"
SEALED = "e.seq, e.prev, e.commitment, e.signature, e.kid, e.iv, e.tag, e.ciphertext, e.missing"


@dataclass(frozen=True, slots=True)
class Page:
    """items: JSON texts, in their order; following: what the next page begins after, None on the last."""

    items: tuple[str, ...]
    following: int | None


class Readings:
    """Every method raises StoreError when the database is away."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def keyring(self, org: str) -> str | None:
        """The keyring's record as its terminal sent it, JSON; None where no terminal has sent one yet."""
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute(
                self._sql("SELECT change, terminal, version FROM registry WHERE org = ? AND record = ? AND NOT deleted"), (org, KEYRING)
            )
            row = cursor.fetchone()
        return None if row is None else _record(*row)

    def people(self, org: str, since: int, limit: int) -> Page:
        """Records of people that changed after a version, deletions among them and templates not."""
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute(
                self._sql(
                    "SELECT change, terminal, version FROM registry WHERE org = ? AND type = ? AND version > ? ORDER BY version LIMIT ?"
                ),
                (org, PERSON, since, limit + 1),
            )
            rows = cursor.fetchall()
        kept = _fitting((len(row[0]) for row in rows[:limit]), MOST_PAGE_BYTES)
        return Page(tuple(_record(*row) for row in rows[:kept]), int(rows[kept - 1][2]) if kept < len(rows) else None)

    def books(self, org: str) -> list[dict[str, Any]]:
        """Every chain: which terminal's, up to where it is connected, how it looks, and its first entry, which names the key that signs it.

        A terminal that has sent no entry yet is there without a book. No time of day is known here, only dates.
        """
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute(
                self._sql(
                    "SELECT t.terminal, t.online, t.seen_on, t.status, b.id, b.book, b.head_seq, b.head_hash, b.stored_seq, b.state, b.detail, "
                    "b.begun_on FROM terminals t LEFT JOIN books b ON b.org = t.org AND b.terminal = t.terminal WHERE t.org = ? "
                    "ORDER BY t.terminal, b.id"
                ),
                (org,),
            )
            rows = cursor.fetchall()
            return [_terminal(row) | {"book": None if row[4] is None else self._book(cursor, row[4:])} for row in rows]

    def entries(self, org: str, terminal: str, book: str, before: int | None, limit: int) -> Page | None:
        """Connected entries, newest first, those with smaller numbers than `before`; None for a book that is not here."""
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute(
                self._sql("SELECT id, head_seq FROM books WHERE org = ? AND terminal = ? AND book = ?"),
                (org, terminal, book),
            )
            if (row := cursor.fetchone()) is None:
                return None
            book_id, last = int(row[0]), int(row[1])
            wanted = (book_id, last + 1 if before is None else before, True)
            # sizes first: some hundred entries of the greatest size would not fit into memory together
            cursor.execute(
                self._sql(
                    "SELECT e.seq, coalesce(length(e.ciphertext), 0) FROM entries e WHERE e.book_id = ? AND e.seq < ? AND e.connected = ? "
                    "ORDER BY e.seq DESC LIMIT ?"
                ),
                (*wanted, limit + 1),
            )
            sizes = cursor.fetchall()
            kept = _fitting((int(size) for _, size in sizes[:limit]), MOST_PAGE_BYTES)
            if kept == 0:
                return Page((), None)
            least = int(sizes[kept - 1][0])
            cursor.execute(
                self._sql(
                    f"SELECT {SEALED} FROM entries e WHERE e.book_id = ? AND e.seq < ? AND e.connected = ? AND e.seq >= ? "
                    "ORDER BY e.seq DESC, e.hash"  # of a fork both branches
                ),
                (*wanted, least),
            )
            found = tuple(json.dumps(_entry(one), separators=(",", ":")) for one in cursor.fetchall())
        return Page(found, least if least > 0 else None)

    def _book(self, cursor: Cursor, row: Any) -> dict[str, Any]:  # noqa: ANN401  a row's columns
        id_, book, head_seq, head_hash, stored, state, detail, begun_on = row
        cursor.execute(
            self._sql(f"SELECT {SEALED} FROM entries e WHERE e.book_id = ? AND e.seq = 0 AND e.connected = ? ORDER BY e.hash LIMIT 1"),
            (id_, True),
        )
        first = cursor.fetchone()
        return {
            "id": book,
            "head": None if head_hash is None else {"seq": int(head_seq), "hash": b64(bytes(head_hash))},
            "stored": int(stored),
            "state": state,
            "detail": detail,
            "begun_on": begun_on,
            "first": None if first is None else _entry(first),
        }

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._connections.mark)


def _terminal(row: Any) -> dict[str, Any]:  # noqa: ANN401  a row of the database
    said = json.loads(row[3])
    return {"terminal": row[0], "online": bool(row[1]), "seen_on": row[2], "version": said.get("version")}


def _entry(row: Any) -> dict[str, Any]:  # noqa: ANN401  a row of SEALED
    seq, prev, commitment, signature, kid, iv, tag, ciphertext, missing = row
    envelope = None if ciphertext is None else Envelope(bytes(ciphertext), bytes(iv), bytes(tag), VERSION, kid)
    return SealedEntry(int(seq), bytes(commitment), bytes(signature), envelope, missing).to_json() | {"prev": b64(bytes(prev))}


def _record(change: str, terminal: str, version: int) -> str:
    """A record's JSON, as it came, with its author and version. The text is not taken apart: twenty thousand of them take no time so."""
    return f'{change[:-1]},"terminal":{json.dumps(terminal)},"version":{int(version)}}}'


def _fitting(sizes: Iterable[int], most: int) -> int:
    """How many of the first ones fit; one at least where there is any."""
    total = count = 0
    for size in sizes:
        total += size
        if count and total > most:
            break
        count += 1
    return count
