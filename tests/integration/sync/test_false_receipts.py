"""Receipts that no relay gave, and old messages that come again: nothing is lost for ever, nothing undone."""

import pytest

from blinkd.sync.messages import Receipt, Rejected, Settled, Stored
from tests.integration.sync.hostile import GREATEST, asked, erase, offered, settled
from tests.unit.store.stores import MODEL, sample
from tests.unit.sync.doors import Door, Organisation


def test_an_old_message_that_comes_to_the_relay_again_undoes_nothing(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, b = doors
    seen: list[tuple[str, bytes]] = []

    def heard(suffix: str, payload: bytes) -> bool:
        seen.append((suffix, payload))
        return True

    a.store.people.change("E-1", name="Ann A")
    a.sync(heard)
    a.store.people.change("E-1", name="Ann kept back")
    a.sync(lambda suffix, payload: heard(suffix, payload) and suffix != "people")
    a.store.people.change("E-1", name="Ann A again")
    a.sync(heard)
    b.sync()
    erase(b, "E-1")
    b.sync()
    before = organisation.rows("SELECT * FROM registry ORDER BY version")
    for suffix, payload in seen:
        if suffix != "pull":
            a._answered(suffix, payload)
    assert organisation.rows("SELECT * FROM registry ORDER BY version") == before
    settled(a, b)
    assert (a.people(), b.people()) == ({}, {})


@pytest.mark.parametrize("version", [1, 4, 99, GREATEST])
def test_a_false_receipt_for_people_keeps_nobody_from_the_other_doors(doors: tuple[Door, Door], version: int) -> None:
    """Whoever is the broker, or has a relay's certificate, swallows the changes and says that they are stored."""
    a, b = doors
    a.store.people.enrol("E-2", "Bo", [sample(2)])
    a.store.people.change("E-1", name="Ann A")
    offered(a)
    waiting = a.store.registry.waiting(100)
    assert len(waiting) == 3
    a.registrar.settled(tuple(Settled(one.record, one.edit, "stored", version) for one in waiting), a.now)
    a.sent.clear()
    settled(a, b)
    assert (a.people(), b.people()) == ({"E-1": "Ann A", "E-2": "Bo"}, {"E-1": "Ann A", "E-2": "Bo"})
    assert len(list(b.store.people.templates(MODEL))) == 2
    b.store.people.change("E-1", name="Ann B")
    settled(b, a)
    assert (a.people(), a.store.registry.conflicts()) == ({"E-1": "Ann B", "E-2": "Bo"}, [])


def test_a_change_made_while_the_receipt_of_the_one_before_is_lost_is_not_undone_by_the_page(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.change("E-1", name="Ann A")
    offered(a)
    held, sent = a.registrar.settled, [one for one in a.sent if one[0] == "people"]
    a.registrar.settled = lambda *_: None  # type: ignore[method-assign]  # the receipt is lost
    a._answered(*sent[0])
    a.registrar.settled = held  # type: ignore[method-assign]
    a.sent.clear()
    a.store.people.change("E-1", name="Ann B")
    settled(a, b)
    assert (a.people(), b.people()) == ({"E-1": "Ann B"}, {"E-1": "Ann B"})


def test_a_false_refusal_of_people_is_shown_and_offered_again(doors: tuple[Door, Door]) -> None:
    a, b = doors
    a.store.people.enrol("E-2", "Bo", [])
    offered(a)
    (one,) = a.store.registry.waiting(100)
    a.registrar.settled((Settled(one.record, one.edit, "rejected", 0, "signature"),), a.now)
    assert a.store.registry.counts()["FAILED"] == 1
    a.store.registry.try_again()  # as the sync process does when it starts
    settled(a, b)
    assert b.people() == {"E-1": "Ann", "E-2": "Bo"}


def test_a_false_receipt_for_entries_is_found_out_by_the_next_true_one(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, _ = doors
    for _ in range(25):
        a.clerk.attend("E-1", 0.7, {})
    asked(a)
    last, book = a.store.outbox.end() - 1, a.store.outbox.book()
    value = a.store.outbox.hash_of(last)  # which anybody can compute who has seen the messages
    assert book is not None and value is not None
    a.courier.receipt(Receipt(Stored(book, last, value)), a.now)
    assert a.store.outbox.first() == a.store.outbox.end()
    a.sync()
    a.stay(20)
    assert organisation.rows("SELECT max(head_seq), count(*) FROM books, entries WHERE terminal = 'a' AND book_id = books.id") == [
        (last, last + 1)
    ]
    assert organisation.rows("SELECT count(*) FROM entries WHERE missing IS NOT NULL") == [(0,)]


@pytest.mark.parametrize("upto", [0, 5, GREATEST])
def test_a_receipt_for_another_book_or_another_hash_confirms_nothing(doors: tuple[Door, Door], upto: int) -> None:
    a, b = doors
    a.clerk.attend("E-1", 0.7, {})
    asked(a)
    before = a.store.outbox.first()
    for book in (a.store.outbox.book(), b.store.outbox.book()):
        assert book is not None
        a.courier.receipt(Receipt(Stored(book, upto, bytes(32))), a.now)
    assert a.store.outbox.first() == before < a.store.outbox.end()


def test_a_false_refusal_of_entries_is_shown_and_what_they_held_comes_later(organisation: Organisation, doors: tuple[Door, Door]) -> None:
    a, _ = doors
    for _ in range(5):
        a.clerk.attend("E-1", 0.7, {})
    asked(a)
    a.sent.clear()  # nothing of it arrives
    first = a.store.outbox.first()
    a.courier.receipt(Receipt(rejected=(Rejected("attendance", first + 1, "signature", "forged"),)), a.now)
    a.sync()
    assert [one.seq for one in a.store.outbox.aside()] == [first + 1]
    assert organisation.rows("SELECT seq FROM entries WHERE missing IS NOT NULL") == [(first + 1,)]
    a.store.outbox.try_again()  # as the sync process does when it starts
    a.sync()
    assert organisation.rows("SELECT seq FROM entries WHERE missing IS NOT NULL") == []
