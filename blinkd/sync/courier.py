"""Brings the book to the relay: batches in the order of the chain, a bounded number at once, and all from where a receipt last stood.

The chain is its own protocol: a receipt tells up to which entry everything is stored, so whatever is lost on the way (a message, a receipt, a
broker's memory, a relay's database) shows as a receipt that stays behind, and what is behind it is sent again. The relay stores an entry
once, however often it comes.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from blinkd.sync.backoff import Backoff
from blinkd.sync.messages import CERTIFICATE, Receipt, Rejected
from blinkd.sync.topics import ATTENDANCE

FIRST_WAIT_S, MOST_WAIT_S = 20.0, 300.0  # for a receipt, before everything behind the last one is sent again
PATIENCE_S = 5.0  # without a receipt, before a relay that comes back is sent everything again
SUSPECT_S = 15.0  # a relay that knows less than it had confirmed must say so for so long: receipts of two relays may overtake each other


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch as it is sent: the message, and the numbers of its first and last entry."""

    first: int
    last: int
    payload: bytes


class Shelf(Protocol):
    """The book, as it is sent."""

    def unsent(self) -> int:
        """The number of the first entry that the relay has not confirmed; one more than the last where it has all."""

    def end(self) -> int:
        """One more than the number of the last entry."""

    def parcel(self, first: int, alone: bool) -> Parcel | None:
        """Entries from a number on, as many as fit, `alone`: only that one; None where there is none. What cannot be sent is set aside."""

    def stored(self, book: str, upto: int, entry_hash: bytes) -> bool:
        """Note that the relay has everything up to an entry; False, and nothing noted, when that is not this book's entry."""

    def lost(self, upto: int) -> None:
        """Note that the relay has nothing after an entry any more."""

    def set_aside(self, seq: int, reason: str, words: str) -> None:
        """Note that the relay does not take an entry: it will be sent without what it holds."""


class Courier:
    """One connection's work. Times are monotonic seconds, handed in; messages are handed out. Nothing here waits."""

    def __init__(self, shelf: Shelf, send: Callable[[bytes], None], window: int, backoff: Backoff | None = None) -> None:
        """window: batches that wait for their receipt at most. send: called with each message."""
        self._shelf = shelf
        self._send = send
        self._window = window
        self._backoff = backoff or Backoff(FIRST_WAIT_S, MOST_WAIT_S, FIRST_WAIT_S)
        self._under_way: deque[tuple[int, int]] = deque()  # first and last entry
        self._next = 0
        self._alone = -1  # entries up to this one go one by one, for a batch with one of them was rejected
        self._deadline: float | None = None
        self._suspect: tuple[int, float] | None = None  # what the relay says it has, and since when
        self._connected = False
        self._moved = 0.0  # when something was sent or confirmed last

    @property
    def under_way(self) -> int:
        """Batches that wait for their receipt."""
        return len(self._under_way)

    def connected(self, now: float) -> None:
        """Begin after the last receipt. The last confirmed entry is sent once more: the answer tells whether the relay still has it."""
        self._connected = True
        self._suspect = None
        self._backoff.reset()
        self._again()
        self._probe(now)
        self.work(now)

    def relay_is_back(self, now: float) -> None:
        """A relay has announced itself: what has waited for some seconds may have been dropped while there was none."""
        if self._under_way and self._deadline is not None and now - self._moved > PATIENCE_S:
            self._again()
            self.work(now)

    def disconnected(self) -> None:
        """Nothing is sent until the next connection."""
        self._connected = False
        self._under_way.clear()
        self._deadline = None

    def work(self, now: float) -> None:
        """Send what may be sent: call it after new entries, receipts, and when `due` has come."""
        if not self._connected:
            return
        if self._suspect is not None and now - self._suspect[1] >= SUSPECT_S:
            self._shelf.lost(self._suspect[0])
            self._suspect = None
            self._again()
        if self._deadline is not None and now >= self._deadline:
            self._again()
            self._probe(now)
        # one at a time where a message was refused whole, so that it is known which
        while len(self._under_way) < (1 if self._next <= self._alone else self._window):
            parcel = self._shelf.parcel(self._next, self._next <= self._alone)
            if parcel is None:
                break
            self._under_way.append((parcel.first, parcel.last))
            self._next = parcel.last + 1
            self._wait(now)
            self._moved = now
            self._send(parcel.payload)

    def due(self) -> float | None:
        """When `work` must be called at the latest; None: nothing is awaited."""
        times = [] if self._deadline is None else [self._deadline]
        if self._suspect is not None:
            times.append(self._suspect[1] + SUSPECT_S)
        return min(times, default=None)

    def receipt(self, receipt: Receipt, now: float) -> None:
        """Heed the relay's answer."""
        for rejected in receipt.rejected:
            self._rejected(rejected)
        stored, before = receipt.attendance, self._shelf.unsent()
        upto = -1 if stored is None else stored.upto
        if stored is not None and upto >= before - 1:
            if self._shelf.stored(stored.book, upto, stored.hash):
                self._suspect = None
                self._moved = now
                self._next = max(self._next, upto + 1)
                while self._under_way and self._under_way[0][1] <= upto:
                    self._under_way.popleft()
                if upto >= before:
                    self._backoff.reset()
                self._deadline = None
                if self._under_way:
                    self._wait(now)
        elif receipt.chain is not None and receipt.chain.state == "gap" and (self._suspect is None or upto > self._suspect[0]):
            self._suspect = (upto, now if self._suspect is None else self._suspect[1])
        self.work(now)

    def _rejected(self, rejected: Rejected) -> None:
        """One entry is named, or a whole message is refused: then its entries go one by one, and the one that is refused alone is set aside."""
        if rejected.topic != ATTENDANCE or rejected.reason == CERTIFICATE:
            return  # the certificate is no entry's fault: all is sent again when the wait is over
        if rejected.seq is not None:
            self._shelf.set_aside(rejected.seq, rejected.reason, rejected.words)
            self._next = min(self._next, rejected.seq)
        elif self._under_way:
            first, last = self._under_way[0]
            if first == last and len(self._under_way) == 1:
                self._shelf.set_aside(first, rejected.reason, rejected.words)
            self._alone = max(self._alone, self._under_way[-1][1])
            self._next = min(self._next, first)
        self._under_way = deque(one for one in self._under_way if one[1] < self._next)

    def _again(self) -> None:
        self._under_way.clear()
        self._next = self._shelf.unsent()
        self._deadline = None

    def _probe(self, now: float) -> None:
        """The answer to an entry that the relay should have tells whether it has."""
        last = self._shelf.unsent() - 1
        if last >= 0 and (parcel := self._shelf.parcel(last, alone=True)) is not None:
            self._wait(now)
            self._send(parcel.payload)

    def _wait(self, now: float) -> None:
        if self._deadline is None:
            self._deadline = now + self._backoff.next_s()
