"""Operators, their sessions, and the audit, which only grows."""

import sqlite3
from pathlib import Path

import pytest

from blinkd.errors import OperatorRefused, StoreError, UnknownOperator
from blinkd.store.operators import LONGEST_NAME, Role
from blinkd.store.web_sessions import MOST_PER_OPERATOR
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import open_store, rows

ALL: tuple[Role, ...] = ("supervisor", "hr", "technician")


def test_a_name_is_found_however_it_is_typed_and_taken_once(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        made = store.operators.add("Zoë  Ann", ["hr", "technician"], "hash", clock.utc, temporary=True)
        assert (made.name, made.roles, made.temporary, made.disabled) == ("Zoë Ann", {"hr", "technician"}, True, False)
        for typed in ("Zoë Ann", "ZOË ANN", " zoë ann ", "Zoe\u0308 Ann"):
            found = store.operators.find(typed)
            assert found is not None
            assert (found[0].id, found[1]) == (made.id, "hash")
            with pytest.raises(OperatorRefused, match="already"):
                store.operators.add(typed, ["hr"], "other", clock.utc, temporary=True)
        assert store.operators.find("Zoe Ann") is None
        with pytest.raises(UnknownOperator, match="operators list"):
            store.operators.named("nobody")


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * (LONGEST_NAME + 1)])
def test_a_name_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with open_store(tmp_path) as store, pytest.raises(OperatorRefused, match="name"):
        store.operators.add(name, ["hr"], "hash", SetClock().utc, temporary=True)


def test_an_operator_has_a_role_and_only_one_that_there_is(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for roles in ([], ["root"]):
            with pytest.raises(OperatorRefused, match="role"):
                store.operators.add("Ann", roles, "hash", SetClock().utc, temporary=True)  # type: ignore[arg-type]
        assert not store.operators.any()


def test_the_first_one_is_made_once(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        store.operators.add("Ann", ALL, "hash", clock.utc, temporary=False, first=True)
        with pytest.raises(OperatorRefused, match="operator already"):
            store.operators.add("Bob", ALL, "hash", clock.utc, temporary=False, first=True)


def test_the_last_supervisor_stays_one(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        ann = store.operators.add("Ann", ["supervisor"], "hash", clock.utc, temporary=False)
        bob = store.operators.add("Bob", ["supervisor"], "hash", clock.utc, temporary=False)
        store.operators.set_disabled(bob.id, True)
        for last in (lambda: store.operators.set_disabled(ann.id, True), lambda: store.operators.set_roles(ann.id, ["hr"])):
            with pytest.raises(OperatorRefused, match="no supervisor would be left"):
                last()
        assert store.operators.named("Ann") == ann
        store.operators.set_disabled(bob.id, False)
        store.operators.set_roles(ann.id, ["hr"])


def test_sessions_end_with_a_change_of_password_roles_or_right(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        ann = store.operators.add("Ann", ["supervisor"], "hash", clock.utc, temporary=False)
        bob = store.operators.add("Bob", ["supervisor"], "hash", clock.utc, temporary=False)
        for change in (
            lambda: store.operators.set_password(ann.id, "new", temporary=False),
            lambda: store.operators.set_roles(ann.id, ["supervisor", "hr"]),
            lambda: store.operators.set_disabled(ann.id, False),
        ):
            store.sessions.begin(b"a" * 32, ann.id, clock.now())
            store.sessions.begin(b"b" * 32, bob.id, clock.now())
            change()
            assert store.sessions.find(b"a" * 32, clock.now()) is None
            assert store.sessions.find(b"b" * 32, clock.now()) is not None
            store.sessions.end(b"b" * 32)
        store.sessions.begin(b"a" * 32, ann.id, clock.now())
        store.operators.rehash(ann.id, "new", "newer")
        store.operators.rehash(ann.id, "new", "too late")
        assert store.sessions.find(b"a" * 32, clock.now()) is not None
        found = store.operators.find("Ann")
        assert found is not None
        assert found[1] == "newer"


def test_sessions_are_of_one_boot_and_bounded(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        ann = store.operators.add("Ann", ["hr"], "hash", clock.utc, temporary=False)
        for number in range(MOST_PER_OPERATOR + 3):
            clock.wait(seconds=1)
            store.sessions.begin(bytes([number]) * 32, ann.id, clock.now())
        assert rows(tmp_path, "SELECT count(*) FROM web_sessions") == [(MOST_PER_OPERATOR,)]
        assert store.sessions.find(b"\x00" * 32, clock.now()) is None
        newest = bytes([MOST_PER_OPERATOR + 2]) * 32
        assert store.sessions.find(newest, clock.now()) is not None
        clock.reboot()
        assert store.sessions.find(newest, clock.now()) is None
        store.sessions.begin(b"z" * 32, ann.id, clock.now())
        assert rows(tmp_path, "SELECT count(*) FROM web_sessions") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit",
        "UPDATE audit SET action = 'other'",
        "INSERT OR REPLACE INTO audit VALUES (1, 0, 0, '', '', NULL, '', 'other', '', 'done', '')",
        "DELETE FROM operators",
    ],
)
def test_neither_the_audit_nor_an_operator_can_be_taken_away(tmp_path: Path, statement: str) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        ann = store.operators.add("Ann", ["hr"], "hash", clock.utc, temporary=False)
        store.audit.append(clock.now(), ann.id, ann.roles, "people.view", "E-1")
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|never deleted"):
            store.connection().execute(statement)
        assert [act.action for act in store.audit.newest(9)] == ["people.view"]
        assert store.alterations() == []


def test_what_somebody_typed_makes_no_line_of_its_own_in_the_audit(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.audit.append(SetClock().now(), None, (), "register.begin", "E-1\n2026-03-02  Ann  logout\x1b[2J", "refused", "a\r\u202eb é")
        (act,) = store.audit.newest(9)
    assert act.target == "E-1\ufffd2026-03-02  Ann  logout\ufffd[2J"
    assert act.reason == "a\ufffd\ufffdb é"


def test_the_audit_tells_who_what_and_when_newest_first(tmp_path: Path) -> None:
    clock = SetClock(confidence="unsynced")
    with open_store(tmp_path) as store:
        ann = store.operators.add("Ann", ["hr", "supervisor"], "hash", clock.utc, temporary=False)
        store.audit.append(clock.now(), ann.id, ann.roles, "people.delete", "E-1")
        store.audit.append(clock.now(), None, (), "login", "", "refused", "x" * 999)
        refused, done = store.audit.newest(9)
        assert (done.name, done.roles, done.action, done.target, done.outcome) == (
            "Ann",
            ("hr", "supervisor"),
            "people.delete",
            "E-1",
            "done",
        )
        assert (done.utc, done.clock) == (clock.utc, "unsynced")
        assert (refused.operator, refused.outcome, len(refused.reason)) == (None, "refused", 200)
        assert store.audit.count() == 2
        assert [act.seq for act in store.audit.newest(1, skip=1)] == [1]


def test_an_act_that_is_not_recorded_is_not_done(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        store.connection().execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END")
        with pytest.raises(StoreError), store.transaction():
            store.preferences.set("a", "b")
            store.audit.append(clock.now(), None, (), "x")
        assert store.preferences.get("a") is None
