"""The registry's rules: what stands, what is a conflict, in which order pages come."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blinkd.crypto.envelope import TEMPLATE_SIZES, Envelope
from blinkd.crypto.signing import Signer
from blinkd.errors import MessageRejected
from blinkd.relay.connections import Connections, Cursor, OpenConnections
from blinkd.relay.core import Core
from blinkd.relay.registry import GREATEST_JUMP, MOST_LOST, Standing, judge
from blinkd.sync.messages import CERTIFICATE, MOST, Change, Changes, Page, Pull, Rejected, Settled, change_signed, entry_signed
from blinkd.sync.wire import LONGEST_MESSAGE, LONGEST_OPEN
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, Sender, checker, keyring
from tests.unit.relay.test_books import rows

ENVELOPE = Envelope(bytes(TEMPLATE_SIZES[0]), bytes(12), bytes(16), 2, "e1.a")


@dataclass
class BetweenStatements:
    """A database in which something happens after the first statement of a transaction that reads."""

    real: Connections
    hook: Callable[[], object]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    @contextlib.contextmanager
    def transaction(self, *, reading: bool = False) -> Iterator[Cursor]:
        with self.real.transaction(reading=reading) as cursor:
            yield _Hooked(cursor, self.hook) if reading else cursor  # type: ignore[misc]


class _Hooked:
    def __init__(self, cursor: Cursor, hook: Callable[[], object]) -> None:
        self._cursor, self._hook, self._statements = cursor, hook, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, values: Any = ()) -> object:
        self._statements += 1
        if self._statements == 2:
            self._hook()
        return self._cursor.execute(statement, values)


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


LOST = range(6, 10)  # versions that the relay does not know


@pytest.mark.parametrize(
    ("current", "change", "state"),
    [
        (None, (7, False), "stored"),
        ((5, "a", 0, 1, False), (7, False), "stored"),
        ((5, "a", 0, 1, True), (7, False), "stored"),  # it was enrolled again, and then that was lost
        ((5, "a", 0, 1, False), (5, False), "superseded"),  # nothing was lost of it
        ((15, "a", 12, 1, False), (7, False), "conflict"),  # somebody has changed it since
        ((15, "a", 6, 1, False), (7, False), "stored"),  # but did not know so much
        ((15, "a", 7, 1, False, True), (7, False), "conflict"),  # it was brought already
        ((15, "a", 3, 1, True), (7, False), "conflict"),  # nobody who was deleted comes back
        ((15, "a", 3, 1, False), (7, True), "stored"),
        ((15, "a", 12, 1, False), (7, True), "stored"),  # not even where it may be that somebody enrolled them again
        ((15, "a", 7, 1, False), (7, True), "conflict"),  # who certainly did
        ((15, "a", 3, 1, True), (7, True), "superseded"),
    ],
)
def test_what_is_brought_again_stands_against_what_is_older(current: tuple[Any, ...] | None, change: tuple[int, bool], state: str) -> None:
    base, deleted = change
    envelope: Any = None if deleted else object()
    again = Change("r", "person", base, 1, envelope, None, b"", again=True)
    assert judge(again, "b", None if current is None else Standing(*current), None, lambda version: version not in LOST) == state


def test_a_change_stands_against_what_was_only_brought_again() -> None:
    envelope: Any = object()
    for base, deleted, state in (
        (7, False, "stored"),
        (8, False, "stored"),
        (6, False, "conflict"),
        (7, True, "stored"),
        (8, True, "conflict"),
    ):
        change = Change("r", "person", base, 1, envelope, None, b"")
        assert judge(change, "b", Standing(15, "a", 7, 1, deleted, again=True), None) == state


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


def test_an_older_copy_says_so_to_whoever_knows_more_and_gives_no_version_out_twice(
    core: Core, connections: OpenConnections, authority: Authority
) -> None:
    a = Sender(authority, "a")
    settled(core, a, *(a.change(f"{n:032x}", 0, 1) for n in range(3)))
    page = core.answer(Pull(ORG, "a", 0, 500, "ab"))
    assert (page.upto, page.lost) == (3, False)
    assert page.mark is not None
    assert not core.answer(Pull(ORG, "a", 3, 500, "ab", page.mark)).lost
    for since, mark, common in ((3, "00", 0), (9, None, 0), (9, page.mark, 3)):
        lost = core.answer(Pull(ORG, "a", since, 500, "ab", mark))
        assert (lost.lost, lost.changes, lost.upto) == (True, (), common)
        assert lost.mark == (page.mark if common else None)
    connections.era = "ee"  # type: ignore[misc]  # as after the database was away
    (one, two) = settled(core, a, a.change("f" * 32, 0, 1), a.change("e" * 32, 0, 1))
    assert one[1] > 3 + MOST_LOST
    assert two[1] == one[1] + 1
    assert settled(core, a, a.change("d" * 32, two[1] + 7, 1)) == [("stored", two[1] + 8)]  # its author knew a version that is not here
    assert settled(core, a, a.change("c" * 32, GREATEST_JUMP + 1, 1)) == [("stored", two[1] + 9)]  # nobody uses the versions up


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
    early = core.answer(Pull(ORG, "never-seen", 0, 10, "ab"))
    assert isinstance(early, Page)
    settled(core, a, a.change("keyring", 0, 1, kind="keyring", opened=keyring(admin), admin=admin))
    assert isinstance(core.answer(Pull(ORG, "a", 0, 10, "ab")), Page)
    serial = {"serial": f"{a.credentials.certificate.serial_number:x}", "terminal": "a"}
    settled(core, a, a.change("revocation.1", 0, 1, kind="revocation", opened=serial, admin=admin))
    refused = core.answer(Pull(ORG, "a", 0, 10, "ab"))
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


@pytest.mark.parametrize(
    ("record", "kind", "members"),
    [
        ("keyring", "terminal", {"opened": True}),  # names another administrator
        ("keyring", "person", {"deleted": True}),
        ("revocation.2", "terminal", {"opened": True}),
        ("revocation.2", "person", {"deleted": True}),  # relays that start later would not know of it
        ("epoch.1.a", "template", {}),
    ],
)
def test_what_needs_the_administrator_is_not_overwritten_by_a_record_of_another_type(
    core: Core, connections: OpenConnections, authority: Authority, record: str, kind: str, members: dict[str, Any]
) -> None:
    a, thief, admin = Sender(authority, "a"), Sender(authority, "thief"), Signer(os.urandom(32))
    revoked = {"serial": f"{thief.credentials.certificate.serial_number + 1:x}", "terminal": "lost"}
    settled(core, a, a.change("keyring", 0, 1, kind="keyring", opened=keyring(admin), admin=admin))
    settled(core, a, a.change("revocation.2", 0, 1, kind="revocation", opened=revoked, admin=admin))
    before = rows(connections, "SELECT * FROM registry ORDER BY version"), rows(connections, "SELECT * FROM organisations")
    if "opened" in members:
        members = {"opened": keyring(thief.signer)}
    message = thief.changes(thief.change(record, 100, 1, kind=kind, **members)).to_bytes()
    with contextlib.suppress(MessageRejected):
        core.people(Changes.parse(message))
    assert (rows(connections, "SELECT * FROM registry ORDER BY version"), rows(connections, "SELECT * FROM organisations")) == before


def test_a_revocation_shuts_the_terminal_out_of_every_relay(core: Core, connections: OpenConnections, authority: Authority) -> None:
    a, lost, admin = Sender(authority, "a"), Sender(authority, "lost").write(2), Signer(os.urandom(32))
    beside = Core(connections, checker(authority))
    assert core.attendance(lost.batch(0, 0)).rejected == beside.attendance(lost.batch(0, 0)).rejected == ()
    serial = {"serial": f"{lost.credentials.certificate.serial_number:x}", "terminal": "lost"}
    forged = lost.change("revocation.1", 0, 1, kind="revocation", opened=serial | {"serial": "1"}, admin=Signer(os.urandom(32)))
    assert settled(core, lost, forged) == [("rejected", 0)]
    settled(core, a, a.change("keyring", 0, 1, kind="keyring", opened=keyring(admin), admin=admin))
    settled(core, a, a.change("revocation.2", 0, 1, kind="revocation", opened=serial, admin=admin))
    for relay in (core, beside, Core(connections, checker(authority))):
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
            version = max(version, base) + 1
            found[record], bases[record], edits[record] = (version, terminal, deleted), base, edit
        return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["r", "s"]), st.integers(0, 6), st.integers(1, 4), st.booleans()), max_size=14
    )
)
def test_the_rules_are_those_of_a_slow_reference(connections: OpenConnections, authority: Authority, changes: Any) -> None:
    with connections.transaction() as cursor:
        for table in ("registry", "registry_marks", "history", "organisations"):
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


def test_a_page_with_a_hundred_authors_is_no_longer_than_a_message_may_be(core: Core, authority: Authority) -> None:
    """The broker hangs up on a longer one; asked again at every connection, it would keep the relay from all other work."""
    for number in range(110):
        sender = Sender(authority, f"door-{number:03d}-{'x' * 50}")
        templates = [f"{number:030x}{n:02x}.{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}" for n in range(4)]
        changes = [
            replace(sender.change(one, 0, 1, kind="template"), envelope=replace(ENVELOPE, kid=f"e1.{sender.name}")) for one in templates
        ]
        changes = [replace(one, signature=sender.signer.sign(change_signed(ORG, sender.name, one))) for one in changes]
        assert {state for state, _ in settled(core, sender, *changes)} == {"stored"}
    since, seen = 0, 0
    while True:
        page = core.page(ORG, since, MOST, "ab")
        assert len(page.to_bytes()) <= LONGEST_MESSAGE
        assert Page.parse(page.to_bytes()) == page
        since, seen = page.upto, seen + len(page.changes)
        if not page.more:
            break
    assert (since, seen) == (440, 440)


def test_a_page_is_whole_though_a_change_comes_while_it_is_read(connections: OpenConnections, core: Core, authority: Authority) -> None:
    sender, other = Sender(authority, "a"), Sender(authority, "b")
    settled(core, sender, sender.change("r1", 0, 1))
    hooked = BetweenStatements(connections, lambda: settled(Core(connections, checker(authority)), other, other.change("r2", 0, 1)))
    if connections.dialect == "sqlite":
        hooked.hook = lambda: None  # a reader has the one connection to itself
    page = Core(hooked, checker(authority)).page(ORG, 0, MOST, "ab")
    assert Page.parse(page.to_bytes()) == page
    assert len(page.changes) == (2 if connections.dialect == "postgres" else 1)
    assert page.upto == page.head == page.changes[-1].version


def test_no_record_that_the_relay_takes_is_too_long_for_a_page(core: Core, authority: Authority) -> None:
    sender = Sender(authority, "a")

    def message(size: int) -> bytes:
        return sender.changes(sender.change("terminal.a", 0, 1, kind="terminal", opened={"text": "x" * size})).to_bytes()

    for size in (LONGEST_MESSAGE - len(message(0)), LONGEST_OPEN - len('{"text":""}')):
        with contextlib.suppress(MessageRejected):
            core.people(Changes.parse(message(size)))
    page = core.page(ORG, 0, MOST, "ab")
    assert Page.parse(page.to_bytes()) == page
    assert len(page.changes) == 1


def test_two_relays_that_take_the_same_terminals_messages_in_other_orders_do_not_wait_for_each_other_in_a_circle(
    connections: OpenConnections, authority: Authority
) -> None:
    relays = [Core(connections, checker(authority)) for _ in range(2)]

    def take(relay: Core, senders: list[Sender]) -> int:
        return len(relay.take([(one.changes(one.change(f"r{one.name}", 0, 1)), None) for one in senders]).receipts)

    with ThreadPoolExecutor(2) as pool:
        for turn in range(10):
            senders = [Sender(authority, f"door-{turn}-{number}") for number in range(6)]
            both = [pool.submit(take, relays[0], senders), pool.submit(take, relays[1], senders[::-1])]
            assert [one.result() for one in both] == [6, 6]
