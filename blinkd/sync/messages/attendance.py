"""Entries of a terminal's book."""

from dataclasses import dataclass
from typing import Any

from blinkd.crypto.chain import hash_of
from blinkd.crypto.encoding import b64, prefixed
from blinkd.crypto.envelope import Envelope
from blinkd.sync.messages.common import BOOK, HASH_BYTES, MOST, NOTHING, SENDER, SIGNATURE_BYTES, VERSION, certificate_of
from blinkd.sync.wire import Reader, dump, load, reject

MISSING = frozenset({"erased", "damaged", "rejected"})  # why an entry comes without its envelope


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """One entry of a book. commitment: 32 bytes; signature: 64 bytes, of `entry_signed`; envelope: None where `missing` says why."""

    seq: int
    commitment: bytes
    signature: bytes
    envelope: Envelope | None
    missing: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Its JSON."""
        members: dict[str, Any] = {"seq": self.seq, "commitment": b64(self.commitment), "signature": b64(self.signature)}
        members["envelope"] = None if self.envelope is None else self.envelope.to_json()
        return members if self.missing is None else members | {"missing": self.missing}

    @classmethod
    def of(cls, value: object) -> "SealedEntry":
        """Read it."""
        read = Reader(value, "entry", frozenset({"seq", "commitment", "signature", "envelope"}), frozenset({"missing"}))
        envelope = read.envelope("envelope")
        missing = None if read.member("missing") is None else read.one_of("missing", MISSING)
        if (envelope is None) is (missing is None):
            reject("entry: an envelope, or why it is missing")
        return cls(read.number("seq"), read.binary("commitment", HASH_BYTES), read.binary("signature", SIGNATURE_BYTES), envelope, missing)

    def digest(self) -> bytes:
        """Of its envelope."""
        return NOTHING if self.envelope is None else self.envelope.digest()


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries of one book, one after the other. certificate: DER; prev: hash of the entry before the first."""

    org: str
    terminal: str
    book: str
    certificate: bytes
    prev: bytes
    entries: tuple[SealedEntry, ...]

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "org": self.org, "terminal": self.terminal, "book": self.book}
            | {"certificate": b64(self.certificate), "prev": b64(self.prev), "entries": [entry.to_json() for entry in self.entries]}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Batch":
        """Read a message."""
        read = Reader(load(data), "attendance", SENDER | {"book", "certificate", "prev", "entries"})
        read.version(VERSION)
        entries = tuple(SealedEntry.of(one) for one in read.items("entries", 1, MOST))
        if any(entry.seq != entries[0].seq + number for number, entry in enumerate(entries)):
            reject("attendance: the numbers of the entries have a gap")
        certificate = certificate_of(read)
        return cls(
            read.name("org"), read.name("terminal"), read.matching("book", BOOK), certificate, read.binary("prev", HASH_BYTES), entries
        )

    def hashes(self) -> list[bytes]:
        """Of each entry, 32 bytes, as they follow from prev and the commitments."""
        found, before = [], self.prev
        for entry in self.entries:
            before = hash_of(self.book, entry.seq, before, entry.commitment)
            found.append(before)
        return found


def entry_signed(org: str, terminal: str, entry_hash: bytes, digest: bytes) -> bytes:
    """What a terminal signs of an entry: its place in the chain and the envelope that carries it. digest: 32 bytes."""
    return b"blinkd entry 2\n" + prefixed(org, terminal) + entry_hash + digest


def record_of(terminal: str, book: str, seq: int) -> str:
    """The record id of an entry, to which its envelope is bound."""
    return f"{terminal}:{book}:{seq}"
