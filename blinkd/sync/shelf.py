"""The book as it is sent: entries read from the outbox, sealed and signed, as many in a batch as fit."""

import logging

from blinkd.crypto.sealing import Sealer
from blinkd.crypto.signing import Signer
from blinkd.errors import EnvelopeRejected
from blinkd.store.outbox import Outbox, Parcelled
from blinkd.sync.courier import Parcel
from blinkd.sync.messages import Batch, SealedEntry, entry_signed, record_of
from blinkd.sync.records import ENTRY, EntryContent, pack_entry

MOST_BYTES = 950_000  # of entries in a batch, as they are sent: with certificate and names the message stays below LONGEST_MESSAGE
ENTRY_BYTES = 400  # of an entry at most, as it is sent, beside the ciphertext in base64

log = logging.getLogger(__name__)


class BookShelf:
    """One terminal's book. certificate: DER, goes with each batch, so that any relay can check it without asking another."""

    def __init__(self, outbox: Outbox, sealer: Sealer, signer: Signer, org: str, terminal: str, certificate: bytes, batch: int) -> None:
        self._outbox = outbox
        self._sealer = sealer
        self._signer = signer
        self._org, self._terminal = org, terminal
        self._certificate = certificate
        self._batch = batch
        self._book: str | None = None

    def unsent(self) -> int:
        """The number of the first entry that the relay has not confirmed; one more than the last where it has all."""
        return self._outbox.first()

    def end(self) -> int:
        """One more than the number of the last entry."""
        return self._outbox.end()

    def parcel(self, first: int, alone: bool) -> Parcel | None:
        """Entries from a number on, as many as fit, `alone`: only that one; None where there is none. What cannot be sent is set aside."""
        rows = self._outbox.read(first, 1 if alone else self._batch)
        prev, book = self._outbox.hash_of(first - 1), self._named()
        if not rows or prev is None or book is None:
            return None
        entries: list[SealedEntry] = []
        size = 0
        for row in rows:
            entry = self._sealed(book, row)
            size += ENTRY_BYTES + (0 if entry.envelope is None else len(entry.envelope.ciphertext) * 4 // 3)
            if entries and size > MOST_BYTES:
                break
            entries.append(entry)
        batch = Batch(self._org, self._terminal, book, self._certificate, prev, tuple(entries))
        return Parcel(first, entries[-1].seq, batch.to_bytes())

    def stored(self, book: str, upto: int, entry_hash: bytes) -> bool:
        """Note that the relay has everything up to an entry; False, and nothing noted, when that is not this book's entry."""
        if book != self._named() or self._outbox.hash_of(upto) != entry_hash:
            log.error(
                "the relay confirms entry %d of book %s, which is not this terminal's: its chain was forked, or a card copied", upto, book
            )
            return False
        self._outbox.stored(upto)
        return True

    def lost(self, upto: int) -> None:
        """Note that the relay has nothing after an entry any more."""
        log.warning("the relay has lost what came after entry %d: it is sent again", upto)
        self._outbox.lost(upto)

    def set_aside(self, seq: int, reason: str, words: str) -> None:
        """Note that the relay does not take an entry: it will be sent without what it holds."""
        log.error("entry %d is set aside: %s (%s); `blinkd sync status` lists such entries", seq, reason, words)
        self._outbox.set_aside(seq, reason, words)

    def _named(self) -> str | None:
        if self._book is None:
            self._book = self._outbox.book()
        return self._book

    def _sealed(self, book: str, row: Parcelled) -> SealedEntry:
        envelope, missing = None, row.missing
        if row.content is not None and row.salt is not None:
            note, note_salt = (None, None) if row.note is None else row.note
            content = pack_entry(EntryContent(row.seq, row.content, row.salt, note, note_salt))
            try:
                envelope = self._sealer.seal(ENTRY, record_of(self._terminal, book, row.seq), content)
            except EnvelopeRejected as error:  # longer than the largest envelope
                self.set_aside(row.seq, error.reason, str(error))
                missing = "rejected"
        elif missing == "damaged":
            self.set_aside(row.seq, missing, "what the database holds is not what was signed; `blinkd log verify` says more")
        digest = bytes(32) if envelope is None else envelope.digest()
        signature = self._signer.sign(entry_signed(self._org, self._terminal, row.hash, digest))
        return SealedEntry(row.seq, row.commitment, signature, envelope, missing)
