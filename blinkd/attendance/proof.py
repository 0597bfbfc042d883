"""Proves that nothing in the book was edited, dropped, reordered or cut off, and names the first entry that shows otherwise."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blinkd.crypto.chain import NO_HASH, Link, commitment_of, hash_of, note_digest
from blinkd.crypto.signing import Verifier

KEY = re.compile(r"[0-9a-f]{64}")  # as the first entry names it


@dataclass(frozen=True, slots=True)
class Entry:
    """A link with what stands in the other tables. content: None when nothing does; note: the words and their salt, where there are any;
    link: None for content without a place in the chain.
    """  # fmt: skip

    seq: int
    link: Link | None
    content: Mapping[str, Any] | None
    note: tuple[str, bytes] | None


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where else the head was written down. source: in words; book: its id, empty where that is not known; hash: 32 bytes."""

    source: str
    book: str
    seq: int
    hash: bytes


@dataclass(slots=True)
class Proof:
    """first_bad: number and reason; head: of the last entry that was read; erased: entries whose content is gone by a signed entry's word;
    adopted: entries that an older version recorded unsigned, proved only since they were taken in; anchors: those that agree.
    """  # fmt: skip

    entries: int = 0
    punches: int = 0
    erased: int = 0
    adopted: int = 0
    book: str | None = None
    key: str | None = None
    head: tuple[int, bytes] | None = None
    first_bad: tuple[int, str] | None = None
    anchors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything that can be proved is so."""
        return self.first_bad is None


def prove(entries: Iterable[Entry], anchors: Iterable[Anchor], key: bytes | None, progress: Any = None) -> Proof:  # noqa: ANN401  a callable
    """Walk the book from its first entry to the last.

    entries: by number, content without a link where it would stand; anchors: heads that were written down elsewhere; key: the terminal's
    public key, 32 bytes, from its key file; without it only that the book agrees with itself is shown, and a warning says so. progress:
    called with the number of entries read so far, now and then.
    """
    anchors = list(anchors)
    walk = _Walk(key, {anchor.seq for anchor in anchors})
    for entry in entries:
        walk.take(entry)
        if progress is not None and walk.proof.entries % PROGRESS_EVERY == 0:
            progress(walk.proof.entries)
        if walk.proof.first_bad is not None:
            return walk.proof
    _against(walk.proof, walk.hashes, anchors)
    if walk.proof.first_bad is None:  # an end that was cut off may have held the entries that would excuse the rest
        walk.end()
    return walk.proof


PROGRESS_EVERY = 1000


class _Walk:
    """State of one pass. What only a later entry can excuse (content that is gone, a missing signature) waits for it."""

    def __init__(self, key: bytes | None, wanted: set[int]) -> None:
        self.proof = Proof()
        self.hashes: dict[int, bytes] = {}  # of the wanted entries
        self._wanted = wanted
        self._given = key
        self._verifier = None if key is None else Verifier(key)
        self._before = NO_HASH
        self._empty: list[int] = []  # entries without content
        self._wordless: list[int] = []  # entries whose note is gone
        self._unsigned: list[int] = []
        self._erased: list[tuple[int, int]] = []  # by a signed entry's word
        self._silenced: list[tuple[int, int]] = []  # whose words were erased

    def take(self, entry: Entry) -> None:
        expected = 0 if self.proof.head is None else self.proof.head[0] + 1
        if entry.seq > expected and entry.link is not None:
            self.proof.first_bad = (expected, f"it is missing, and entry {entry.seq} is there: it was dropped")
        elif (reason := self._fault(entry)) is not None:
            self.proof.first_bad = (entry.seq, reason)

    def _fault(self, entry: Entry) -> str | None:
        link, proof = entry.link, self.proof
        if link is None:
            return "it is not in the chain: it was put in from outside"
        if entry.seq == 0 and (reason := self._begin(entry)) is not None:
            return reason
        if link.salt is None or entry.content is None:
            if link.salt is not None:
                return "its content is missing: it was deleted"
            if entry.content is not None:
                return "its salt is missing"
            self._empty.append(entry.seq)
        elif commitment_of(link.salt, entry.content) != link.commitment:
            return "its content was edited"
        if (reason := self._words(entry)) is not None:
            return reason
        if hash_of(proof.book or "", entry.seq, self._before, link.commitment) != link.hash:
            return "its hash does not follow from the entry before: one of the two was edited, exchanged or put in"
        if link.signature is None:
            self._unsigned.append(entry.seq)
        elif self._verifier is None or not self._verifier.holds(link.hash, link.signature):
            return "the signature is not the terminal's: this entry, or the chain before it, was made by somebody else"
        self._heed(entry)
        self._before = link.hash
        if entry.seq in self._wanted:
            self.hashes[entry.seq] = link.hash
        proof.head = (entry.seq, link.hash)
        proof.entries += 1
        return None

    def _begin(self, entry: Entry) -> str | None:
        content = entry.content
        if content is None or content.get("kind") != "genesis":
            return "the book does not begin with it: its beginning was cut off or exchanged"
        self.proof.book, self.proof.key = str(content.get("book")), str(content.get("key"))
        if KEY.fullmatch(self.proof.key) is None:
            return "it names no key: it was edited"
        if self._given is None:
            self._verifier = Verifier(bytes.fromhex(self.proof.key))
            self.proof.warnings.append(
                "the terminal's own key was not at hand: this shows only that the book agrees with itself; give --public-key"
            )
        elif self._given.hex() != self.proof.key:
            return f"the book was begun with another key ({self.proof.key}) than this terminal's ({self._given.hex()})"
        return None

    def _words(self, entry: Entry) -> str | None:
        wanted = None if entry.content is None else entry.content.get("note")
        if wanted is None:
            return None if entry.note is None else "words were added to it"
        if entry.note is None:
            self._wordless.append(entry.seq)
        elif note_digest(entry.note[1], entry.note[0]) != wanted:
            return "its words were edited"
        return None

    def _heed(self, entry: Entry) -> None:
        content, proof = entry.content, self.proof
        kind = None if content is None else content.get("kind")
        proof.punches += kind == "punch"
        if content is None:
            return
        if kind == "erasure":
            self._erased += [(int(first), int(last)) for first, last in content["ranges"]]
            self._silenced += [(int(first), int(last)) for first, last in content["words"]]
        elif kind == "adopted":
            proof.adopted = int(content["count"])
            self._unsigned = [seq for seq in self._unsigned if seq > proof.adopted]

    def end(self) -> None:
        """What no later entry has excused is a fault; the first one counts."""
        proof, faults = self.proof, []
        proof.erased = len(self._empty)
        if (seq := _uncovered(self._empty, self._erased)) is not None:
            faults.append((seq, "its content is gone, and no signed entry says that it was erased"))
        if (seq := _uncovered(self._wordless, self._silenced)) is not None:
            faults.append((seq, "its words are gone, and no signed entry says that they were erased"))
        if self._unsigned:
            faults.append((self._unsigned[0], "it has no signature, and no signed entry says that it came from an older version"))
        proof.first_bad = min(faults, default=None)


def _uncovered(numbers: list[int], runs: list[tuple[int, int]]) -> int | None:
    """The first of some sorted numbers that lies in no run."""
    waiting, reach = sorted(runs, reverse=True), -1
    for number in numbers:
        while waiting and waiting[-1][0] <= number:
            reach = max(reach, waiting.pop()[1])
        if number > reach:
            return number
    return None


def _against(proof: Proof, hashes: Mapping[int, bytes], anchors: Iterable[Anchor]) -> None:
    """Compare with the heads that were written down elsewhere; the earliest contradiction counts."""
    last = -1 if proof.head is None else proof.head[0]
    for anchor in sorted(anchors, key=lambda one: one.seq):
        if anchor.book not in ("", proof.book):
            proof.warnings.append(
                f"{anchor.source} tells of another book ({anchor.book}, entry {anchor.seq}), an earlier one of this terminal"
            )
        elif anchor.seq > last:
            proof.first_bad = (last + 1, f"the book ends before it, and {anchor.source} knows entry {anchor.seq}: the end was cut off")
            return
        elif hashes[anchor.seq] != anchor.hash:
            proof.first_bad = (anchor.seq, f"it is not the one that {anchor.source} knows: the book was written anew")
            return
        else:
            proof.anchors.append(f"{anchor.source}: entry {anchor.seq}")


def in_order(links: Iterator[Entry], strays: Iterable[int]) -> Iterator[Entry]:
    """The entries of the chain, with content that has no link in its place."""
    waiting = iter(sorted(strays))
    stray = next(waiting, None)
    for entry in links:
        while stray is not None and stray < entry.seq:
            yield Entry(stray, None, None, None)
            stray = next(waiting, None)
        yield entry
    while stray is not None:
        yield Entry(stray, None, None, None)
        stray = next(waiting, None)
