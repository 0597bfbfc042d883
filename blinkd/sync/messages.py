"""What travels over MQTT: one immutable value for each kind of message, its JSON, and what is signed of it.

Every `parse` raises MessageRejected for what the other side would not have written.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from blinkd.crypto.chain import canonical, hash_of
from blinkd.crypto.encoding import b64, prefixed
from blinkd.crypto.envelope import Envelope
from blinkd.errors import MessageRejected
from blinkd.sync.topics import FROM_TERMINALS
from blinkd.sync.wire import RECORD_ID, WORD, Reader, dump, load, reject

VERSION = 2
MOST = 500  # entries or changes in a message
LONGEST_CERTIFICATE = 4096  # bytes
HASH_BYTES, SIGNATURE_BYTES = 32, 64
NOTHING = bytes(HASH_BYTES)  # in the place of the digest of what is not there
BOOK = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HEX = re.compile(r"[0-9a-f]{1,64}")
DIGEST = re.compile(r"[0-9a-f]{64}")
MISSING = frozenset({"erased", "damaged", "rejected"})  # why an entry comes without its envelope
OPEN_TYPES = frozenset({"terminal", "epoch", "revocation", "keyring"})  # records that are no secret
ADMIN_TYPES = frozenset({"epoch", "revocation", "keyring"})  # and of these the ones that need the administrator's signature
SEALED_TYPES = frozenset({"person", "template"})
STATES = frozenset({"stored", "superseded", "conflict", "rejected"})
CERTIFICATE = "certificate"
CHAIN_STATES = frozenset({"ok", "gap", "fork"})

_SENDER = frozenset({"v", "org", "terminal"})
_PAGE = frozenset({"v", "request", "since", "upto", "head", "more", "certificates", "changes", "mark", "lost"})


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
        read = Reader(load(data), "attendance", _SENDER | {"book", "certificate", "prev", "entries"})
        read.version(VERSION)
        entries = tuple(SealedEntry.of(one) for one in read.items("entries", 1, MOST))
        if any(entry.seq != entries[0].seq + number for number, entry in enumerate(entries)):
            reject("attendance: the numbers of the entries have a gap")
        certificate = _certificate(read)
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


@dataclass(frozen=True, slots=True)
class Change:
    """A new state of one record. base: the relay's version that its author knew, 0 for none; edit: counts the author's changes of it;
    envelope and open both None: the record is deleted. signature: of `change_signed`; admin: of `admin_signed`, where the type needs it;
    again: nothing has changed, it is what version `base` was, for a relay that has lost that.
    """  # fmt: skip

    id: str
    type: str
    base: int
    edit: int
    envelope: Envelope | None
    open: Mapping[str, Any] | None
    signature: bytes
    admin: bytes | None = None
    again: bool = False

    @property
    def deleted(self) -> bool:
        """Whether it is a tombstone."""
        return self.envelope is None and self.open is None

    def to_json(self) -> dict[str, Any]:
        """Its JSON."""
        return {
            "id": self.id,
            "type": self.type,
            "base": self.base,
            "edit": self.edit,
            "envelope": None if self.envelope is None else self.envelope.to_json(),
            "open": self.open,
            "admin": None if self.admin is None else b64(self.admin),
            "signature": b64(self.signature),
            **({"again": True} if self.again else {}),
        }

    @classmethod
    def of(cls, value: object) -> "Change":
        """Read it."""
        return cls._of(Reader(value, "change", CHANGE_MEMBERS, AGAIN))

    @classmethod
    def _of(cls, read: Reader) -> "Change":
        kind, record = read.one_of("type", OPEN_TYPES | SEALED_TYPES), read.matching("id", RECORD_ID)
        # an open record's name begins with its type, and no other's does: else a record of a type that anybody may change could take the
        # place of one that needs the administrator
        named = record.partition(".")[0]
        if named != kind and (named in OPEN_TYPES or kind in OPEN_TYPES):
            reject(f"change: {record} is no name of a record of type {kind}")
        envelope, plain, admin = read.envelope("envelope"), read.plain("open"), read.some_binary("admin", SIGNATURE_BYTES)
        if (envelope if kind in OPEN_TYPES else plain) is not None:
            reject(f"change: a record of type {kind} is {'open' if kind in OPEN_TYPES else 'sealed'}")
        if kind in ADMIN_TYPES and admin is None:
            raise MessageRejected("unsigned", f"change: a record of type {kind} needs the administrator's signature")
        return cls(
            record,
            kind,
            read.number("base"),
            read.number("edit", least=1),
            envelope,
            plain,
            read.binary("signature", SIGNATURE_BYTES),
            admin,
            "again" in read and read.flag("again"),
        )

    def digest(self) -> bytes:
        """Of what it holds, 32 bytes."""
        if self.envelope is not None:
            return self.envelope.digest()
        return NOTHING if self.open is None else hashlib.sha256(canonical(self.open)).digest()


CHANGE_MEMBERS = frozenset({"id", "type", "base", "edit", "envelope", "open", "admin", "signature"})
AGAIN = frozenset({"again"})


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of the registry by one terminal. certificate: DER."""

    org: str
    terminal: str
    certificate: bytes
    changes: tuple[Change, ...]

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "org": self.org, "terminal": self.terminal, "certificate": b64(self.certificate)}
            | {"changes": [change.to_json() for change in self.changes]}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Changes":
        """Read a message."""
        read = Reader(load(data), "people", _SENDER | {"certificate", "changes"})
        read.version(VERSION)
        changes = tuple(Change.of(one) for one in read.items("changes", 1, MOST))
        return cls(read.name("org"), read.name("terminal"), _certificate(read), changes)


@dataclass(frozen=True, slots=True)
class Pull:
    """Asks for the registry's changes after version `since`. request: hexadecimal, comes back in the page; mark: the word by which the page
    that ended there named it, None at the beginning.
    """  # fmt: skip

    org: str
    terminal: str
    since: int
    limit: int
    request: str
    mark: str | None = None

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "org": self.org, "terminal": self.terminal, "since": self.since, "limit": self.limit, "request": self.request}
            | {"mark": self.mark}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Pull":
        """Read a message."""
        read = Reader(load(data), "pull", _SENDER | {"since", "limit", "request", "mark"})
        read.version(VERSION)
        return cls(
            read.name("org"),
            read.name("terminal"),
            read.number("since"),
            read.number("limit", 1, MOST),
            read.matching("request", HEX),
            _mark(read),
        )


@dataclass(frozen=True, slots=True)
class PagedChange:
    """A record as it stands at the relay. terminal: who made the change; certificate: SHA-256 of the author's, in hexadecimal."""

    change: Change
    terminal: str
    version: int
    certificate: str

    def to_json(self) -> dict[str, Any]:
        """Its JSON."""
        return self.change.to_json() | {"terminal": self.terminal, "version": self.version, "certificate": self.certificate}

    @classmethod
    def of(cls, value: object) -> "PagedChange":
        """Read it."""
        read = Reader(value, "change", CHANGE_MEMBERS | {"terminal", "version", "certificate"}, AGAIN)
        return cls(Change._of(read), read.name("terminal"), read.number("version", least=1), read.matching("certificate", DIGEST))


@dataclass(frozen=True, slots=True)
class Page:
    """Records by version, after `since` and up to `upto`; head: the registry's newest version. certificates: DER by SHA-256; mark: the word
    for `upto`, None where there is none; lost: the relay does not know the version asked for by its mark, and nothing is in the page: up to
    `upto` it knows versions by that mark.
    """  # fmt: skip

    request: str
    since: int
    upto: int
    head: int
    more: bool
    certificates: Mapping[str, bytes]
    changes: tuple[PagedChange, ...]
    mark: str | None = None
    lost: bool = False

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "request": self.request, "since": self.since, "upto": self.upto, "head": self.head, "more": self.more}
            | {"certificates": {digest: b64(der) for digest, der in self.certificates.items()}}
            | {"changes": [change.to_json() for change in self.changes], "mark": self.mark, "lost": self.lost}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Page":
        """Read a message. The digests of the certificates hold."""
        read = Reader(load(data), "page", _PAGE)
        read.version(VERSION)
        changes = tuple(PagedChange.of(one) for one in read.items("changes", 0, MOST))
        names = read.member("certificates")
        if not isinstance(names, dict) or len(names) > MOST or not all(DIGEST.fullmatch(digest) for digest in names):
            reject("page: certificates are not named by their digests")
        held = Reader(names, "page: certificates", frozenset(names))
        certificates = {digest: held.binary(digest) for digest in names}
        if any(hashlib.sha256(der).hexdigest() != digest for digest, der in certificates.items()):
            reject("page: a certificate has not the digest by which it is named")
        if any(one.certificate not in certificates for one in changes):
            reject("page: a certificate is missing")
        since, upto, head = read.number("since"), read.number("upto"), read.number("head")
        versions = [since, *(one.version for one in changes)]
        lost = read.flag("lost")
        if any(later <= earlier for earlier, later in pairwise(versions)) or not (lost or versions[-1] <= upto):
            reject("page: the versions are not in order")
        if lost and (changes or upto > since):
            reject("page: what was lost holds nothing")
        return cls(read.matching("request", HEX), since, upto, head, read.flag("more"), certificates, changes, _mark(read), lost)


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything of a book up to entry `upto`, whose hash is given, is committed at the relay."""

    book: str
    upto: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a change. state: one of STATES; version: the record's at the relay, 0 where there is none; reason: a word where rejected."""

    id: str
    edit: int
    state: str
    version: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """What the relay does not take. topic: of the message, its last part; seq: of an entry, None for a whole message; reason: a word,
    CERTIFICATE where the sender's is refused.
    """  # fmt: skip

    topic: str
    seq: int | None
    reason: str
    words: str


@dataclass(frozen=True, slots=True)
class ChainState:
    """How the terminal's chain looks to the relay: ok, gap or fork."""

    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The relay's answer, after its commit."""

    attendance: Stored | None = None
    people: tuple[Settled, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    chain: ChainState | None = None

    def to_bytes(self) -> bytes:
        """The message."""
        stored, chain = self.attendance, self.chain
        return dump(
            {
                "v": VERSION,
                "attendance": None if stored is None else {"book": stored.book, "upto": stored.upto, "hash": b64(stored.hash)},
                "people": [
                    {"id": one.id, "edit": one.edit, "state": one.state, "version": one.version, "reason": one.reason}
                    for one in self.people
                ],
                "rejected": [{"topic": one.topic, "seq": one.seq, "reason": one.reason, "words": one.words} for one in self.rejected],
                "chain": None if chain is None else {"state": chain.state, "detail": chain.detail},
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "Receipt":
        """Read a message."""
        read = Reader(load(data), "receipt", frozenset({"v", "attendance", "people", "rejected", "chain"}))
        read.version(VERSION)
        stored = chain = None
        if (value := read.member("attendance")) is not None:
            part = Reader(value, "receipt: attendance", frozenset({"book", "upto", "hash"}))
            stored = Stored(part.matching("book", BOOK), part.number("upto"), part.binary("hash", HASH_BYTES))
        if (value := read.member("chain")) is not None:
            part = Reader(value, "receipt: chain", frozenset({"state", "detail"}))
            chain = ChainState(part.one_of("state", CHAIN_STATES), part.words("detail"))
        people = tuple(_settled(one) for one in read.items("people", 0, MOST))
        return cls(stored, people, tuple(_rejected(one) for one in read.items("rejected", 0, MOST)), chain)


@dataclass(frozen=True, slots=True)
class RegistryHead:
    """The registry's newest version."""

    version: int

    def to_bytes(self) -> bytes:
        """The message."""
        return dump({"v": VERSION, "version": self.version})

    @classmethod
    def parse(cls, data: bytes) -> "RegistryHead":
        """Read a message."""
        read = Reader(load(data), "head", frozenset({"v", "version"}))
        read.version(VERSION)
        return cls(read.number("version"))


@dataclass(frozen=True, slots=True)
class Status:
    """A terminal's state. version: of its blinkd; health: short words and numbers, never a name or a time of day."""

    org: str
    terminal: str
    online: bool
    version: str
    health: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "org": self.org, "terminal": self.terminal, "online": self.online, "version": self.version}
            | {"health": dict(self.health)}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Status":
        """Read a message."""
        read = Reader(load(data), "status", _SENDER | {"online", "version", "health"})
        read.version(VERSION)
        return cls(read.name("org"), read.name("terminal"), read.flag("online"), read.words("version", 40), read.plain("health") or {})


def entry_signed(org: str, terminal: str, entry_hash: bytes, digest: bytes) -> bytes:
    """What a terminal signs of an entry: its place in the chain and the envelope that carries it. digest: 32 bytes."""
    return b"blinkd entry 2\n" + prefixed(org, terminal) + entry_hash + digest


def change_signed(org: str, terminal: str, change: Change) -> bytes:
    """What a terminal signs of a change."""
    head = (b"blinkd change again 2\n" if change.again else b"blinkd change 2\n") + prefixed(org, terminal, change.type, change.id)
    return head + change.base.to_bytes(8, "big") + change.edit.to_bytes(8, "big") + change.digest()


def admin_signed(org: str, change: Change) -> bytes:
    """What the administrator signs of a change: what it says, whoever sends it and when."""
    return b"blinkd admin 2\n" + prefixed(org, change.type, change.id) + change.digest()


def record_of(terminal: str, book: str, seq: int) -> str:
    """The record id of an entry, to which its envelope is bound."""
    return f"{terminal}:{book}:{seq}"


def _mark(read: Reader) -> str | None:
    return None if read.member("mark") is None else read.matching("mark", HEX)


def _certificate(read: Reader) -> bytes:
    certificate = read.binary("certificate")
    if not 0 < len(certificate) <= LONGEST_CERTIFICATE:
        reject(f"certificate of {len(certificate)} bytes")
    return certificate


def _settled(value: object) -> Settled:
    read = Reader(value, "receipt: people", frozenset({"id", "edit", "state", "version", "reason"}))
    reason = None if read.member("reason") is None else read.matching("reason", WORD)
    return Settled(read.matching("id", RECORD_ID), read.number("edit"), read.one_of("state", STATES), read.number("version"), reason)


def _rejected(value: object) -> Rejected:
    read = Reader(value, "receipt: rejected", frozenset({"topic", "seq", "reason", "words"}))
    seq = None if read.member("seq") is None else read.number("seq")
    return Rejected(read.one_of("topic", FROM_TERMINALS), seq, read.matching("reason", WORD), read.words("words"))
