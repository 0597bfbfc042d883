"""Check-ins for Frappe HR: the wall clock's time, who and which way; the hour that comes twice is said."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from blinkd.attendance.reports.frappe import Checkins, checkins, twice
from tests.unit.attendance.reports.standing import Doubtful, Punches

MADRID = ZoneInfo("Europe/Madrid")


@dataclass(frozen=True)
class Person:
    person_id: str
    name: str | None = None


KNOWN = {1: Person("E-1"), 2: Person("p-2")}


def exported(punches: Punches, first: date, last: date) -> Checkins:
    return checkins(punches, KNOWN, {1: True, 2: False}, "door-1", {9: "door-2"}, MADRID, first, last)


def test_rows_are_local_naive_times_by_time_with_the_terminal_of_each() -> None:
    rows = [(9, 1, datetime(2026, 3, 2, 16, 0, tzinfo=UTC), False), (4, 1, datetime(2026, 3, 2, 8, 0, 59, 900_000, tzinfo=UTC), True)]
    found = exported(Punches(rows), date(2026, 3, 2), date(2026, 3, 2))
    assert found.rows == [("E-1", "2026-03-02 09:00:59", "IN", "door-1"), ("E-1", "2026-03-02 17:00:00", "OUT", "door-2")]


def test_only_punches_of_the_local_dates_are_written() -> None:
    rows = [(seq, 1, datetime(2026, 3, day, 23, 30, tzinfo=UTC), True) for seq, day in ((1, 1), (2, 2))]
    found = exported(Punches(rows), date(2026, 3, 2), date(2026, 3, 2))
    assert [row[1] for row in found.rows] == ["2026-03-02 00:30:00"]


def test_doubtful_disowned_and_erased_ones_are_left_out_and_named() -> None:
    rows = [(seq, 2 if seq == 4 else 1, datetime(2026, 3, 2, seq, tzinfo=UTC), True) for seq in (1, 2, 3, 4)]
    found = exported(Punches(rows, (Doubtful(1), Doubtful(7)), (2,)), date(2026, 3, 2), date(2026, 3, 2))
    assert [row[1] for row in found.rows] == ["2026-03-02 04:00:00"]
    assert (found.uncertain, found.disowned, found.erased, found.doubled) == ([1, 7], [2], [4], [])


def test_both_hours_of_the_autumn_night_are_written_as_the_wall_showed_them_and_named() -> None:
    rows = [(seq, 1, datetime(2026, 10, 25, hour, 30, tzinfo=UTC), True) for seq, hour in ((1, 0), (2, 1), (3, 2))]
    found = exported(Punches(rows), date(2026, 10, 25), date(2026, 10, 25))
    assert [row[1] for row in found.rows] == ["2026-10-25 02:30:00", "2026-10-25 02:30:00", "2026-10-25 03:30:00"]
    assert found.doubled == [1, 2]


@pytest.mark.parametrize(
    ("moment", "doubled"),
    [
        (datetime(2026, 10, 25, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 10, 25, 1, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), False),
    ],
)
def test_an_hour_comes_twice_only_when_the_clocks_go_back(moment: datetime, doubled: bool) -> None:
    assert twice(moment.astimezone(MADRID)) is doubled
