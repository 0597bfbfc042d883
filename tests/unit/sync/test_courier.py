"""The courier against a relay that forgets and a network that drops, repeats and reorders: in the end everything is there."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blinkd.sync.backoff import Backoff
from blinkd.sync.courier import SUSPECT_S, Courier, Parcel
from blinkd.sync.messages import ChainState, Receipt, Rejected, Stored

BOOK = "00000000-0000-0000-0000-000000000001"
BATCH, WINDOW = 4, 3


def hash_of(seq: int) -> bytes:
    return seq.to_bytes(32, "big")


@dataclass
class Book:
    """A terminal's entries by number. confirmed: up to which the relay is known to have all; aside: those it does not take."""

    count: int
    confirmed: int = -1
    aside: dict[int, str] = field(default_factory=dict)

    def unsent(self) -> int:
        return self.confirmed + 1

    def end(self) -> int:
        return self.count

    def parcel(self, first: int, alone: bool) -> Parcel | None:
        if first >= self.count:
            return None
        last = first if alone else min(first + BATCH, self.count) - 1
        return Parcel(first, last, f"{first} {last} {' '.join(str(seq) for seq in self.aside if first <= seq <= last)}".encode())

    def stored(self, book: str, upto: int, entry_hash: bytes) -> bool:
        if book != BOOK or entry_hash != hash_of(upto):
            return False
        self.confirmed = max(self.confirmed, upto)
        return True

    def lost(self, upto: int) -> None:
        self.confirmed = min(self.confirmed, upto)

    def set_aside(self, seq: int, reason: str, words: str) -> None:  # noqa: ARG002
        self.aside[seq] = reason


@dataclass
class Relay:
    """Stores numbers. bad: entries whose content it does not take; whole: refuses a message as a whole where one of these is in it."""

    bad: frozenset[int] = frozenset()
    whole: bool = False
    stored: set[int] = field(default_factory=set)

    def take(self, payload: bytes) -> Receipt:
        first, last, *missing = (int(word) for word in payload.split())
        there = set(range(first, last + 1))
        refused = (self.bad & there) - set(missing)
        if refused and self.whole:
            return Receipt(rejected=(Rejected("attendance", None, "too_large", "too large"),))
        self.stored |= there - refused
        upto = next(number for number in range(len(self.stored) + 1) if number not in self.stored) - 1
        gap = any(number > upto for number in self.stored)
        return Receipt(
            None if upto < 0 else Stored(BOOK, upto, hash_of(upto)),
            (),
            tuple(Rejected("attendance", seq, "signature", "does not hold") for seq in sorted(refused)),
            ChainState("gap" if gap else "ok", ""),
        )


class World:
    """Time, and messages under way in both directions."""

    def __init__(self, count: int, relay: Relay | None = None) -> None:
        self.now = 0.0
        self.book, self.relay = Book(count), relay or Relay()
        self.up: list[bytes] = []
        self.down: list[Receipt] = []
        self.courier = Courier(self.book, self.up.append, WINDOW, Backoff(20, 300, 20, random.Random(1)))

    def fair(self) -> None:
        """A network that works, until nothing is left to say."""
        for _ in range(200):
            while self.up or self.down:
                if self.up:
                    self.down.append(self.relay.take(self.up.pop(0)))
                if self.down:
                    self.courier.receipt(self.down.pop(0), self.now)
            if self.courier.due() is None:
                return
            self.now = max(self.now, self.courier.due() or 0.0)
            self.courier.work(self.now)
        raise AssertionError("it never comes to rest")


STEPS = st.lists(
    st.sampled_from(
        ["deliver", "answer", "drop", "drop answer", "repeat", "shuffle", "wait", "break", "connect", "punch", "forget", "back"]
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(steps=STEPS, seed=st.integers(0, 2**16))
@example(steps=["connect", "deliver", "answer", "forget", "break", "connect"], seed=1)
def test_whatever_the_network_and_the_relay_lose_everything_arrives_in_the_end(steps: list[str], seed: int) -> None:
    chance, world = random.Random(seed), World(11)
    for step in steps:
        up, down = world.up, world.down
        if step == "deliver" and up:
            down.append(world.relay.take(up.pop(0)))
        elif step == "answer" and down:
            world.courier.receipt(down.pop(0), world.now)
        elif step == "drop" and up:
            up.pop(chance.randrange(len(up)))
        elif step == "drop answer" and down:
            down.pop(chance.randrange(len(down)))
        elif step == "repeat" and up:
            up.append(chance.choice(up))
        elif step == "shuffle":
            chance.shuffle(up)
            chance.shuffle(down)
        elif step == "wait":
            world.now += chance.choice([1, 10, 30, 400])
            world.courier.work(world.now)
        elif step == "break":
            world.courier.disconnected()
            up.clear()
        elif step == "connect":
            world.courier.disconnected()
            world.courier.connected(world.now)
        elif step == "punch":
            world.book.count += chance.randrange(1, 9)
            world.courier.work(world.now)
        elif step == "forget":
            world.relay.stored = {number for number in world.relay.stored if number < chance.randrange(12)}
        elif step == "back":
            world.courier.relay_is_back(world.now)
    # what the relay forgot is told of by a connection that lasts
    world.courier.disconnected()
    world.up.clear()
    world.courier.connected(world.now)
    world.fair()
    assert world.relay.stored == set(range(world.book.count))
    assert world.book.unsent() == world.book.count


def test_no_more_than_the_window_is_under_way() -> None:
    world = World(100)
    world.courier.connected(0)
    assert (len(world.up), world.courier.under_way) == (WINDOW, WINDOW)
    world.courier.receipt(world.relay.take(world.up.pop(0)), 0)
    assert world.courier.under_way == WINDOW


@pytest.mark.parametrize("whole", [False, True])
def test_what_the_relay_does_not_take_is_set_aside_and_the_rest_goes_on(whole: bool) -> None:
    world = World(20, Relay(frozenset({6, 7}), whole))
    world.courier.connected(0)
    world.fair()
    assert set(world.book.aside) == {6, 7}
    assert world.relay.stored == set(range(20))
    assert world.book.unsent() == 20


def test_a_refused_certificate_sets_nothing_aside() -> None:
    world = World(6)
    world.courier.connected(0)
    for _ in range(5):
        world.up.clear()
        world.courier.receipt(Receipt(rejected=(Rejected("attendance", None, "certificate", "revoked"),)), world.now)
    assert world.book.aside == {}
    assert world.courier.due() is not None  # all is sent again when the wait is over


def test_another_terminals_confirmation_is_not_taken_for_ones_own() -> None:
    world = World(6)
    world.courier.connected(0)
    world.courier.receipt(Receipt(Stored(BOOK, 5, hash_of(4))), 0)
    assert world.book.confirmed == -1


def test_a_receipt_that_was_overtaken_sends_nothing_again() -> None:
    world = World(8)
    world.courier.connected(0)
    first, second = (world.relay.take(payload) for payload in world.up[:2])
    world.up.clear()
    world.courier.receipt(second, 0)
    world.courier.receipt(first, 0)
    world.now = SUSPECT_S * 2
    world.courier.work(world.now)
    assert world.up == []
    assert world.book.confirmed == 7
