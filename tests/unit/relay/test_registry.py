"""The registry's rules: what stands, what is a conflict, in which order pages come."""

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blinkd.crypto.signing import Signer
from blinkd.relay.connections import OpenConnections
from blinkd.relay.core import Core
from blinkd.relay.registry import Standing, judge
from blinkd.sync.messages import CERTIFICATE, Change, Page, Pull, Rejected, Settled, change_signed, entry_signed
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, Sender, checker, keyring
from tests.unit.relay.test_books import rows


def settled(core: Core, sender: Sender, *changes: Change) -> list[tuple[str, int]]:
    receipt = core.people(sender.changes(*changes))
    assert {(one.id, one.edit) for one in receipt.people} == {(change.id, change.edit) for change in changes}
    return [(one.state, one.version) for one in receipt.people]


def standing(page: Page) -> dict[str, tuple[int, str, bool]]:
    return {one.change.id: (one.version, one.terminal, one.change.deleted) for one in page.changes}


@pytest.mark.parametrize(
    ("current", "change", "state"),
    [
        (None, (0, 1, False), "stored"),
        (None, (0, 1, True), "stored"),  # nothing to delete, but nobody may bring it afterwards
        ((5, "a", 0, 1, False), (5, 1, False), "stored"),  # b knew what stands
        ((5, "a", 0, 1, False), (7, 1, False), "stored"),  # and what this database, an older copy, has lost
        ((5, "a", 0, 1, False), (3, 9, False), "conflict"),
        ((5, "a", 0, 1, False), (3, 1, True), "stored"),  # a deletion is done whatever it did not know of
        ((5, "a", 0, 1, True), (3, 9, False), "conflict"),  # and stands against what did not know of it
        ((5, "a", 0, 1, True), (5, 1, False), "stored"),  # enrolled again by who knew
        ((5, "a", 0, 1, True), (3, 1, True), "superseded"),
        ((5, "b", 3, 1, False), (3, 2, False), "stored"),  # b goes on before its own receipt has come
        ((5, "b", 3, 4, False), (3, 2, False), "superseded"),  # and is overtaken by itself
        ((5, "b", 3, 4, True), (3, 5, False), "stored"),
        ((5, "b", 3, 4, False), (2, 5, False), "conflict"),  # b after its card was put back from a backup
    ],
)
def test_which_change_stands(current: tuple[Any, ...] | None, change: tuple[int, int, bool], state: str) -> None:
    base, edit, deleted = change
    envelope: Any = None if deleted else object()
    change_ = Change("r", "person", base, edit, envelope, None, b"")
    assert judge(change_, "b", None if current is None else Standing(*current), None) == state


def test_a_later_version_is_never_given_twice_and_pages_come_in_order(core: Core, authority: Authority) -> None:
    a, b = Sender(authority, "a"), Sender(authority, "b")
    assert settled(core, a, *(a.change(f"{n:032x}", 0, 1) for n in range(7))) == [("stored", n) for n in range(1, 8)]
    assert settled(core, b, b.change(f"{3:032x}", 4, 1)) == [("stored", 8)]
    seen, since = [], 0
    while True:
        page = core.page(ORG, since, 3, "ab")
        assert page.since == since
        seen += [(one.version, one.change.id, one.terminal) for one in page.changes]
        since = page.upto
        assert page.head == 8
        if not page.more:
            break
    assert since == 8
    assert seen == [(n + 1, f"{n:032x}", "a") for n in (0, 1, 2, 4, 5, 6)] + [(8, f"{3:032x}", "b")]
    assert core.page(ORG, 8, 3, "ab").changes == ()
    assert set(core.page(ORG, 0, 500, "ab").certificates.values()) == {a.credentials.der, b.credentials.der}


def test_a_page_is_whole_though_another_relay_adds_a_change_while_it_is_read(
    core: Core, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = Sender(authority, "a")
    settled(core, a, a.change("r1", 0, 1), a.change("r2", 0, 1))
    monkeypatch.setattr(core._registry, "version", lambda *_: 1)  # as it was a moment ago
    page = Page.parse(core.page(ORG, 0, 10, "ab").to_bytes())
    assert (page.upto, page.head, [one.version for one in page.changes]) == (2, 2, [1, 2])


def test_envelopes_that_another_terminal_has_sealed_are_refused_whoever_signs(core: Core, authority: Authority) -> None:
    a, b = Sender(authority, "a").write(1), Sender(authority, "b")
    theirs = a.change("r", 0, 1)
    moved = replace(theirs, signature=b.signer.sign(change_signed(ORG, "b", theirs)))
    receipt = core.people(b.changes(moved, b.change("s", 0, 1)))
    assert {(one.id, one.state, one.reason) for one in receipt.people} == {("r", "rejected", "foreign"), ("s", "stored", None)}
    entry = a.entries[0]
    signature = b.signer.sign(entry_signed(ORG, "b", replace(a.batch(0, 0), terminal="b").hashes()[0], entry.digest()))
    batch = replace(a.batch(0, 0), terminal="b", certificate=b.credentials.der, entries=(replace(entry, signature=signature),))
    assert [(one.seq, one.reason) for one in core.attendance(batch).rejected] == [(0, "foreign")]


def test_pages_are_for_terminals_that_are_not_revoked(core: Core, authority: Authority) -> None:
    a, admin = Sender(authority, "a"), Signer(os.urandom(32))
    early = core.asked(Pull(ORG, "never-seen", 0, 10, "ab"))
    assert isinstance(early, Page)
    settled(core, a, a.change("keyring", 0, 1, kind="keyring", opened=keyring(admin), admin=admin))
    assert isinstance(core.asked(Pull(ORG, "a", 0, 10, "ab")), Page)
    serial = {"serial": f"{a.credentials.certificate.serial_number:x}", "terminal": "a"}
    settled(core, a, a.change("revocation.1", 0, 1, kind="revocation", opened=serial, admin=admin))
    refused = core.asked(Pull(ORG, "a", 0, 10, "ab"))
    assert isinstance(refused, Rejected)
    assert (refused.topic, refused.reason) == ("pull", CERTIFICATE)


def test_the_same_message_again_gets_the_same_answer_and_changes_nothing(
    core: Core, connections: OpenConnections, authority: Authority
) -> None:
    a, b = Sender(authority, "a"), Sender(authority, "b")
    first, second = a.change("r", 0, 1), a.change("r", 0, 2)
    lost = b.change("r", 0, 1)
    answers = settled(core, a, first, second) + settled(core, b, lost)
    assert answers == [("stored", 1), ("stored", 2), ("conflict", 2)]
    before = rows(connections, "SELECT * FROM registry") + rows(connections, "SELECT * FROM history ORDER BY signature")
    assert settled(core, a, first, second) + settled(core, b, lost) == answers
    assert rows(connections, "SELECT * FROM registry") + rows(connections, "SELECT * FROM history ORDER BY signature") == before
    assert len(before) == 1 + 3  # what stands, and everything that ever came


def test_nobody_who_was_deleted_gets_templates(core: Core, authority: Authority) -> None:
    a, b = Sender(authority, "a"), Sender(authority, "b")
    person = "ab" * 16
    settled(core, a, a.change(person, 0, 1), a.change(f"{person}.11", 0, 1, kind="template"))
    settled(core, a, a.change(person, 1, 2, deleted=True), a.change(f"{person}.11", 2, 2, kind="template", deleted=True))
    late = b.change(f"{person}.22", 0, 1, kind="template")
    assert settled(core, b, late) == [("conflict", 4)]
    assert settled(core, b, b.change(person, 3, 1), b.change(f"{person}.33", 0, 1, kind="template")) == [("stored", 5), ("stored", 6)]
    assert standing(core.page(ORG, 0, 500, "ab")) == {
        person: (5, "b", False),
        f"{person}.11": (4, "a", True),
        f"{person}.33": (6, "b", False),
    }


def test_keys_and_revocations_need_the_administrator(core: Core, authority: Authority) -> None:
    a, admin, other = Sender(authority, "a"), Signer(os.urandom(32)), Signer(os.urandom(32))
    early = a.change("epoch.e2.a", 0, 1, kind="epoch", opened={"kid": "e2"}, admin=admin)
    assert settled(core, a, early) == [("rejected", 0)]  # nobody is the administrator yet
    assert settled(core, a, a.change("keyring", 0, 1, kind="keyring", opened=keyring(admin), admin=other)) == [("rejected", 0)]
    assert settled(core, a, a.change("keyring", 0, 1, kind="keyring", opened=keyring(admin), admin=admin)) == [("stored", 1)]
    assert settled(core, a, early) == [("stored", 2)]
    taken = a.change("keyring", 1, 2, kind="keyring", opened=keyring(other), admin=other)
    assert settled(core, a, taken) == [("rejected", 0)]
    assert settled(core, a, a.change("keyring", 1, 3, kind="keyring", opened=keyring(other), admin=admin)) == [("stored", 3)]


def test_a_revocation_shuts_the_terminal_out_of_every_relay(core: Core, connections: OpenConnections, authority: Authority) -> None:
    a, lost, admin = Sender(authority, "a"), Sender(authority, "lost").write(2), Signer(os.urandom(32))
    assert core.attendance(lost.batch(0, 0)).rejected == ()
    serial = {"serial": f"{lost.credentials.certificate.serial_number:x}", "terminal": "lost"}
    forged = lost.change("revocation.1", 0, 1, kind="revocation", opened=serial | {"serial": "1"}, admin=Signer(os.urandom(32)))
    assert settled(core, lost, forged) == [("rejected", 0)]
    settled(core, a, a.change("keyring", 0, 1, kind="keyring", opened=keyring(admin), admin=admin))
    settled(core, a, a.change("revocation.2", 0, 1, kind="revocation", opened=serial, admin=admin))
    later = Core(connections, checker(authority))
    later.heed_revocations()
    for relay in (core, later):
        assert [one.reason for one in relay.attendance(lost.batch(0, 1)).rejected] == [CERTIFICATE]
        assert relay.attendance(a.write(1).batch(0, 0)).rejected == ()


def test_a_bad_signature_is_rejected_alone(core: Core, authority: Authority) -> None:
    a = Sender(authority, "a")
    good, moved = a.change("r1", 0, 1), a.change("r2", 0, 1)
    receipt = core.people(a.changes(good, Change("r3", *_rest(moved))))
    assert {(one.id, one.state, one.reason) for one in receipt.people} == {("r1", "stored", None), ("r3", "rejected", "signature")}


def _rest(change: Change) -> tuple[Any, ...]:
    return change.type, change.base, change.edit, change.envelope, change.open, change.signature


class Reference:
    """The rules once more, the slow way: everything that came is walked through from the beginning."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, int, int, bool]] = []

    def take(self, terminal: str, record: str, base: int, edit: int, *, deleted: bool) -> None:
        self.came.append((terminal, record, base, edit, deleted))

    def stands(self) -> dict[str, tuple[int, str, bool]]:
        version, found = 0, dict[str, tuple[int, str, bool]]()
        bases, edits = dict[str, int](), dict[str, int]()
        for terminal, record, base, edit, deleted in self.came:
            if record in found:
                at, who, gone = found[record]
                own_next = who == terminal and base >= bases[record]
                if own_next and base < at and edit <= edits[record]:
                    continue
                if base < at and not own_next and (gone or not deleted):
                    continue
            version += 1
            found[record], bases[record], edits[record] = (version, terminal, deleted), base, edit
        return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["r", "s"]), st.integers(0, 6), st.integers(1, 4), st.booleans()), max_size=14
    )
)
def test_the_rules_are_those_of_a_slow_reference(connections: OpenConnections, authority: Authority, changes: Any) -> None:
    with connections.transaction() as cursor:
        for table in ("registry", "history", "organisations"):
            cursor.execute(f"DELETE FROM {table}")
    reference, senders = Reference(), {name: Sender(authority, name) for name in "abc"}
    relay = Core(connections, checker(authority))
    for mark, (name, record, base, edit, deleted) in enumerate(changes):
        sender = senders[name]
        change = sender.change(record, base, edit, deleted=deleted, mark=mark)
        answer: Settled = relay.people(sender.changes(change)).people[0]
        assert answer.state in ("stored", "superseded", "conflict")
        if (
            not any(one == (name, record, base, edit, deleted) for one in reference.came) or not deleted
        ):  # the same tombstone has one signature
            reference.take(name, record, base, edit, deleted=deleted)
    assert standing(relay.page(ORG, 0, 500, "ab")) == reference.stands()
