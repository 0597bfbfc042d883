"""Chains as the relay keeps them: every entry once, whatever the order, and a gap or a fork is seen."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blinkd.relay.connections import OpenConnections
from blinkd.relay.core import Core
from blinkd.sync.messages import CERTIFICATE, Batch, Receipt, SealedEntry, Stored, entry_signed
from blinkd.sync.topics import Topic
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, Sender, checker


def rows(connections: OpenConnections, sql: str) -> list[tuple[Any, ...]]:
    with connections.transaction() as cursor:
        cursor.execute(sql)
        return [tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in cursor.fetchall()]


def upto(receipt: Receipt) -> int | None:
    return None if receipt.attendance is None else receipt.attendance.upto


def state(receipt: Receipt) -> str | None:
    return None if receipt.chain is None else receipt.chain.state


def test_a_receipt_names_the_last_entry_and_its_hash_and_what_is_stored_is_what_was_sent(
    core: Core, connections: OpenConnections, authority: Authority
) -> None:
    sender = Sender(authority).write(5)
    assert core.attendance(sender.batch(0, 2)).attendance == Stored(sender.book, 2, sender.hashes[2])
    receipt = core.attendance(sender.batch(3, 4))
    assert (receipt.attendance, receipt.rejected, state(receipt)) == (Stored(sender.book, 4, sender.hashes[4]), (), "ok")
    stored = rows(connections, "SELECT seq, hash, commitment, signature, ciphertext, kid FROM entries ORDER BY seq")
    assert stored == [
        (one.seq, value, one.commitment, one.signature, one.envelope.ciphertext, one.envelope.kid)
        for one, value in zip(sender.entries, sender.hashes, strict=True)
        if one.envelope is not None
    ]


def test_sent_again_nothing_is_stored_twice_and_the_first_envelope_stays(
    core: Core, connections: OpenConnections, authority: Authority
) -> None:
    sender = Sender(authority).write(4)
    core.attendance(sender.batch(0, 3))
    before = rows(connections, "SELECT * FROM entries ORDER BY seq")
    again = sender.entries[1]
    assert again.envelope is not None
    other = replace(again.envelope, iv=b"\x01" * 12)
    signature = sender.signer.sign(entry_signed(ORG, sender.name, sender.hashes[1], other.digest()))
    sender.entries[1] = SealedEntry(1, again.commitment, signature, other)
    receipt = core.attendance(sender.batch(0, 2))
    assert (upto(receipt), state(receipt)) == (3, "ok")
    assert rows(connections, "SELECT * FROM entries ORDER BY seq") == before


def test_a_gap_is_told_of_and_closes(core: Core, authority: Authority) -> None:
    sender = Sender(authority).write(9)
    assert upto(core.attendance(sender.batch(0, 1))) == 1
    receipt = core.attendance(sender.batch(4, 6))
    assert (upto(receipt), state(receipt)) == (1, "gap")
    assert receipt.chain is not None
    assert "entry 2 is missing" in receipt.chain.detail
    assert (upto(core.attendance(sender.batch(8, 8))), upto(core.attendance(sender.batch(2, 3)))) == (1, 6)
    receipt = core.attendance(sender.batch(7, 7))
    assert (upto(receipt), state(receipt)) == (8, "ok")


def test_one_bad_signature_holds_up_only_what_hangs_on_it(core: Core, connections: OpenConnections, authority: Authority) -> None:
    sender = Sender(authority).write(5)
    good = sender.entries[2]
    sender.entries[2] = replace(good, signature=bytes(64))
    receipt = core.attendance(sender.batch(0, 4))
    assert (upto(receipt), state(receipt)) == (1, "gap")
    assert [(one.seq, one.reason) for one in receipt.rejected] == [(2, "signature")]
    assert [row[0] for row in rows(connections, "SELECT seq FROM entries ORDER BY seq")] == [0, 1, 3, 4]
    signature = sender.signer.sign(entry_signed(ORG, sender.name, sender.hashes[2], bytes(32)))
    sender.entries[2] = SealedEntry(2, good.commitment, signature, None, "rejected")
    receipt = core.attendance(sender.batch(2, 2))
    assert (upto(receipt), state(receipt)) == (4, "ok")


def test_what_came_as_missing_is_filled_when_it_comes(core: Core, connections: OpenConnections, authority: Authority) -> None:
    sender = Sender(authority).write(2)
    whole = sender.entries[1]
    signature = sender.signer.sign(entry_signed(ORG, sender.name, sender.hashes[1], bytes(32)))
    sender.entries[1] = SealedEntry(1, whole.commitment, signature, None, "rejected")
    core.attendance(sender.batch(0, 1))
    sender.entries[1] = whole
    core.attendance(sender.batch(1, 1))
    assert rows(connections, "SELECT missing FROM entries WHERE seq = 1") == [(None,)]


def test_a_copied_card_is_a_fork_both_branches_are_kept_and_each_gets_its_receipts(
    core: Core, connections: OpenConnections, authority: Authority
) -> None:
    sender = Sender(authority).write(3)
    core.attendance(sender.batch(0, 2))
    copied = sender.copy().write(3, mark=7)
    sender.write(2)
    assert state(core.attendance(sender.batch(3, 4))) == "ok"
    receipt = core.attendance(copied.batch(3, 5))
    assert (receipt.attendance, state(receipt)) == (Stored(copied.book, 5, copied.hashes[5]), "fork")
    receipt = core.attendance(sender.write(1).batch(5, 5))
    assert (receipt.attendance, state(receipt)) == (Stored(sender.book, 5, sender.hashes[5]), "fork")
    assert rows(connections, "SELECT count(*) FROM entries") == [(9,)]
    assert rows(connections, "SELECT state FROM books") == [("fork",)]


def test_a_new_card_begins_a_book_of_its_own(core: Core, connections: OpenConnections, authority: Authority) -> None:
    core.attendance(Sender(authority).write(2).batch(0, 1))
    receipt = core.attendance(Sender(authority).write(1).batch(0, 0))
    assert (upto(receipt), state(receipt)) == (0, "ok")
    assert rows(connections, "SELECT count(*) FROM books") == [(2,)]


def test_nobody_can_send_for_another_terminal_or_with_a_certificate_that_does_not_count(core: Core, authority: Authority) -> None:
    sender, other = Sender(authority).write(1), Sender(authority, "door-2").write(1)
    forged = replace(sender.batch(0, 0), certificate=other.credentials.der)
    stranger = Sender(Authority(ORG)).write(1)
    revoked = Sender(authority, "door-3").write(1)
    authority.revoke(revoked.credentials)
    strict = Core(core._connections, checker(authority))
    for batch in (forged, stranger.batch(0, 0), revoked.batch(0, 0), replace(sender.batch(0, 0), certificate=b"x")):
        receipt = strict.attendance(batch)
        assert [(one.seq, one.reason) for one in receipt.rejected] == [(None, CERTIFICATE)]
        assert receipt.attendance is None
    (told,) = strict.take([(sender.batch(0, 0), Topic(ORG, "door-2", "attendance"))]).receipts
    assert [one.reason for one in told.rejected] == ["topic"]
    moved = replace(other.batch(0, 0), book=sender.book)
    assert [one.reason for one in core.attendance(moved).rejected] == ["signature"]


@pytest.fixture(scope="module")
def written() -> Sender:
    return Sender(Authority(ORG)).write(24)


def _signed_by(core: Core, sender: Sender) -> Core:
    return Core(core._connections, checker(sender.authority))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_loss_and_repetition_followed_by_all_of_it_ends_in_the_same_table(
    core: Core, connections: OpenConnections, written: Sender, data: st.DataObject
) -> None:
    relay = _signed_by(core, written)
    with connections.transaction() as cursor:
        cursor.execute("DELETE FROM entries")
        cursor.execute("DELETE FROM books")
    spans = st.tuples(st.integers(0, 23), st.integers(0, 23)).map(sorted)
    sent: set[int] = set()
    for first, last in data.draw(st.lists(spans, max_size=12)):
        receipt = relay.attendance(written.batch(first, last))
        sent |= set(range(first, last + 1))
        whole = next(number for number in range(25) if number not in sent)  # the slow way: count from the beginning
        assert upto(receipt) == (None if whole == 0 else whole - 1)
        assert state(receipt) == ("ok" if whole > max(sent) else "gap")
    batches: list[Batch] = [written.batch(first, first + 5) for first in range(0, 24, 6)]
    for batch in data.draw(st.permutations(batches)):
        relay.attendance(batch)
    stored = rows(connections, "SELECT seq, hash, connected FROM entries ORDER BY seq")
    assert [(seq, value) for seq, value, _ in stored] == list(enumerate(written.hashes))
    assert all(connected for *_, connected in stored)
    assert rows(connections, "SELECT head_seq, stored_seq, state FROM books") == [(23, 23, "ok")]


def test_no_column_holds_a_time_of_day(core: Core, connections: OpenConnections, authority: Authority) -> None:
    core.attendance(Sender(authority).write(1).batch(0, 0))
    values = [value for table in ("books", "terminals") for row in rows(connections, f"SELECT * FROM {table}") for value in row]
    assert [value for value in values if isinstance(value, str) and re.search(r"\d:\d", value)] == []
