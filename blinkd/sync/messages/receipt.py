"""What the relay answers, after its commit."""

from dataclasses import dataclass

from blinkd.crypto.encoding import b64
from blinkd.sync.messages.common import BOOK, HASH_BYTES, MOST, VERSION
from blinkd.sync.topics import FROM_TERMINALS
from blinkd.sync.wire import RECORD_ID, WORD, Reader, dump, load

STATES = frozenset({"stored", "superseded", "conflict", "rejected"})
CERTIFICATE = "certificate"
CHAIN_STATES = frozenset({"ok", "gap", "fork"})


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

    def is_covered_by(self, later: "Receipt") -> bool:
        """Whether a later one says all that this one does: up to where a book is stored, and no more."""
        if self.people or self.rejected or self.attendance is None or later.attendance is None or later.chain is None:
            return False
        return self.attendance.book == later.attendance.book and self.attendance.upto <= later.attendance.upto

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


def _settled(value: object) -> Settled:
    read = Reader(value, "receipt: people", frozenset({"id", "edit", "state", "version", "reason"}))
    reason = None if read.member("reason") is None else read.matching("reason", WORD)
    return Settled(read.matching("id", RECORD_ID), read.number("edit"), read.one_of("state", STATES), read.number("version"), reason)


def _rejected(value: object) -> Rejected:
    read = Reader(value, "receipt: rejected", frozenset({"topic", "seq", "reason", "words"}))
    seq = None if read.member("seq") is None else read.number("seq")
    return Rejected(read.one_of("topic", FROM_TERMINALS), seq, read.matching("reason", WORD), read.words("words"))
