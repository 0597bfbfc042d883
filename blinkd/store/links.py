"""The chain of the book: begins it, adds to it, and keeps its head where a shortened book is noticed."""

import contextlib
import json
import logging
import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.punch import Punch, SyncState
from blinkd.crypto.chain import NO_HASH, Link, canonical, commitment_of, hash_of, new_salt
from blinkd.crypto.signing import Signer
from blinkd.errors import KeyMissing
from blinkd.store.faults import DATABASE_ERRORS

HEAD_FILE = "book.head"  # in the state folder

log = logging.getLogger("blinkd.book")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry. hash: 32 bytes."""

    book: str
    seq: int
    hash: bytes


class ChainWriter:
    """Adds links; each call belongs into a transaction of the caller's, and what was added counts only when that has ended well."""

    def __init__(self, database: SqliteDatabase, tables: Any, signer: Callable[[bool], Signer], folder: Path) -> None:  # noqa: ANN401
        self._database = database
        self._tables = tables
        self._signer = signer  # called with whether a missing key may be made
        self._folder = folder
        self._book: str | None = None
        self._key: Signer | None = None
        self._added: Head | None = None

    def head(self) -> Head | None:
        """The newest entry; None when the book has not begun."""
        row = self._database.execute_sql("SELECT seq, hash FROM chain WHERE seq = (SELECT max(seq) FROM chain)").fetchone()
        return None if row is None else Head(self._name(), int(row[0]), bytes(row[1]))

    def append(self, seq: int, content: Mapping[str, Any]) -> None:
        """Add the link of an entry. Raises KeyMissing when the key is not the one that the book began with."""
        head = self.begin()
        if seq != head.seq + 1:
            raise ValueError(f"entry {seq} after {head.seq}")
        self._add(head, content)

    def sign(self, message: bytes) -> bytes:
        """By the book's key, which is made where there is neither book nor key. Raises KeyMissing."""
        head = self.head()
        return (self._signer(True) if head is None else self._signing(head)).sign(message)

    def begin(
        self, unsigned: Callable[[], Iterable[Punch]] | None = None, older: Callable[[], Iterable[Mapping[str, Any]]] | None = None
    ) -> Head:
        """Return the head of a book that has begun, beginning it when it has not.

        unsigned: what an older version recorded, by number; it is taken into the chain, and one signature covers it. older: contents of
        further entries on what that version left.
        """
        if (head := self.head()) is not None:
            self._signing(head)
            return head
        signer = self._signer(True)
        self._book, self._key = str(uuid.uuid4()), signer
        head = self._write(Head(self._book, -1, NO_HASH), {"kind": "genesis", "book": self._book, "key": signer.public.hex()})
        adopted = 0
        for punch in unsigned() if unsigned is not None else ():
            head = self._link(head, punch.seq, punch.content(), signed=False, sync=punch.sync)
            adopted += 1
        if adopted:
            head = self._write(head, {"kind": "adopted", "count": adopted})
        for content in older() if older is not None else ():
            head = self._write(head, content)
        self._added = head
        return head

    def told(self) -> None:
        """The transaction has ended well: write the head down outside of the database too, for whoever later wants to know the book's length.

        Nothing at the door waits for that file, and no error of it counts.
        """
        if (added := self._added) is None:
            return
        self._added = None
        log.info("book %s: entry %d, head %s", added.book, added.seq, added.hash.hex())
        if (noted := self._contradicted(added.book)) is not None:
            log.error(
                "%s tells of another entry %d than the book holds: it was cut off or exchanged; see blinkd log verify", HEAD_FILE, noted
            )
            return
        self._keep_other(added.book)
        signature = self._signing(added).sign(added.hash)
        text = json.dumps({"book": added.book, "seq": added.seq, "hash": added.hash.hex(), "signature": signature.hex()})
        partial = self._folder / f".{HEAD_FILE}.{secrets.token_hex(8)}"
        with contextlib.suppress(OSError):
            try:
                partial.touch(mode=0o600)
                partial.write_text(text + "\n", encoding="ascii")
                partial.replace(self._folder / HEAD_FILE)
            finally:
                partial.unlink(missing_ok=True)

    def _contradicted(self, book: str) -> int | None:
        """The number in the file of the head when the book holds another entry there, or none.

        What grows behind an end that was cut off must not overwrite the one witness of it.
        """
        try:
            content = json.loads((self._folder / HEAD_FILE).read_text(encoding="ascii"))
            noted, seq, value = str(content["book"]), int(content["seq"]), bytes.fromhex(content["hash"])
            row = self._database.execute_sql("SELECT hash FROM chain WHERE seq = ?", (seq,)).fetchone()
        except (OSError, ValueError, KeyError, TypeError, OverflowError, *DATABASE_ERRORS):
            return None  # there is none, or a torn one, and the entry is on disk whatever happens here
        return seq if noted == book and (row is None or row[0] != value) else None

    def _keep_other(self, book: str) -> None:
        """A head of another book is all that is left of one that was thrown away: it gets a name of its own."""
        path = self._folder / HEAD_FILE
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            noted = uuid.UUID(str(json.loads(path.read_text(encoding="ascii"))["book"]))
            if str(noted) != book:
                path.rename(path.with_name(f"{HEAD_FILE}.{noted}"))

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._added = None
        self._book = self._key = None  # it may have been the one that began the book

    def _add(self, head: Head, content: Mapping[str, Any]) -> None:
        self._added = self._link(head, head.seq + 1, content, signed=True)

    def _write(self, head: Head, content: Mapping[str, Any]) -> Head:
        """An entry whose content stands in the table of entries."""
        self._tables.entries.create(force_insert=True, seq=head.seq + 1, content=canonical(content).decode())
        return self._link(head, head.seq + 1, content, signed=True)

    def _link(self, head: Head, seq: int, content: Mapping[str, Any], *, signed: bool, sync: SyncState = SyncState.PENDING) -> Head:
        salt = new_salt()
        commitment = commitment_of(salt, content)
        value = hash_of(head.book, seq, head.hash, commitment)
        link = Link(seq, salt, commitment, value, self._signing(head).sign(value) if signed else None)
        self._database.execute_sql(
            "INSERT INTO chain (seq, salt, commitment, hash, signature, sync) VALUES (?, ?, ?, ?, ?, ?)",
            (link.seq, link.salt, link.commitment, link.hash, link.signature, sync.value),
        )
        return Head(head.book, seq, value)

    def _name(self) -> str:
        if self._book is None:
            row = self._database.execute_sql("SELECT content FROM entries WHERE seq = 0").fetchone()
            self._book = "" if row is None else str(json.loads(row[0])["book"])
        return self._book

    def _signing(self, head: Head) -> Signer:
        """The key, checked once against the one that the book began with."""
        if self._key is None:
            signer = self._signer(False)
            row = self._database.execute_sql("SELECT content FROM entries WHERE seq = 0").fetchone()
            if row is None or json.loads(row[0])["key"] != signer.public.hex():
                raise KeyMissing(
                    f"{self._folder}: the signing key is not the one that book {head.book} began with; put the right signing.key back"
                )
            self._key = signer
        return self._key
