"""Who is expected when, who a pseudonym stands for, and who is in a group."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from blinkd.attendance.punch import PersonStatus, pseudonym
from blinkd.errors import ReportRefused
from blinkd.store.database import Store
from tests.unit.store.stores import open_store

AUCKLAND = ZoneInfo("Pacific/Auckland")
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 8)


def put(store: Store, person_id: str, enrolled: datetime, valid_from: date | None = None, valid_until: date | None = None) -> int:
    store.people.enrol(person_id, person_id, [])
    store._database.execute_sql(
        "UPDATE people SET enrolled_at = ?, valid_from = ?, valid_until = ? WHERE id = ?",
        (enrolled.isoformat(), *(None if day is None else day.isoformat() for day in (valid_from, valid_until)), person_id),
    )
    return store.people.get(person_id).subject


def expected(store: Store) -> dict[int, tuple[date, date]]:
    roster = store.rosters.roster(FIRST, LAST, AUCKLAND)
    assert roster.subject.tolist() == sorted(roster.subject.tolist())
    days = zip(roster.subject.tolist(), roster.first.tolist(), roster.last.tolist(), strict=True)
    return {subject: (date.fromordinal(first), date.fromordinal(last)) for subject, first, last in days}


def test_people_are_expected_from_their_enrolment_or_valid_from_until_valid_until(tmp_path: Path) -> None:
    long_ago = datetime(2026, 1, 5, tzinfo=UTC)
    with open_store(tmp_path) as store:
        always = put(store, "always", long_ago)
        leaver = put(store, "leaver", long_ago, valid_until=date(2026, 3, 4))
        joiner = put(store, "joiner", datetime(2026, 3, 4, 12, tzinfo=UTC))  # the fifth in Auckland
        ahead = put(store, "ahead", long_ago, valid_from=date(2026, 3, 6))
        late = put(store, "late", datetime(2026, 3, 30, tzinfo=UTC), valid_from=date(2026, 1, 1))
        put(store, "off", long_ago)
        store.people.set_status("off", PersonStatus.DEACTIVATED)
        assert expected(store) == {
            always: (FIRST, LAST),
            leaver: (FIRST, date(2026, 3, 4)),
            joiner: (date(2026, 3, 5), LAST),
            ahead: (date(2026, 3, 6), LAST),
            late: (FIRST, LAST),
        }


def test_nobody_is_expected_where_nobody_is_enrolled(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert expected(store) == {}


@pytest.mark.parametrize("others", [0, 2_500])
def test_a_pseudonym_stands_for_a_person_a_former_one_or_nobody(tmp_path: Path, others: int) -> None:
    with open_store(tmp_path) as store:
        ann, bo = (put(store, name, datetime(2026, 1, 5, tzinfo=UTC)) for name in ("ann", "bo"))
        store.people.erase("bo", keep_id=True)
        known = store.rosters.known([ann, bo, 77, *range(1_000, 1_000 + others)])
        assert (known[ann].person_id, known[ann].name, known[ann].known) == ("ann", "ann", True)
        assert (known[bo].name, known[77].person_id, known[77].name, known[77].known) == (None, pseudonym(77), None, False)


def test_a_group_has_its_members_and_one_that_does_not_exist_is_refused_with_a_near_name(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        ann, bo = (put(store, name, datetime(2026, 1, 5, tzinfo=UTC)) for name in ("ann", "bo"))
        with pytest.raises(ReportRefused, match="nobody is in group 'kitchen'; there are: none"):
            store.rosters.group("kitchen")
        rows = [("ann", "kitchen"), ("bo", "kitchen"), ("bo", "bar")]
        for row in rows:
            store._database.execute_sql("INSERT INTO memberships VALUES (?, ?)", row)
        assert store.rosters.group("kitchen").tolist() == sorted([ann, bo])
        assert store.rosters.groups() == {ann: ("kitchen",), bo: ("bar", "kitchen")}
        with pytest.raises(ReportRefused, match=r"did you mean 'kitchen'[?]"):
            store.rosters.group("kitchn")
