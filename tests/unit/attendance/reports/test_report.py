"""Sums of a report agree with each other, whatever was punched."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from blinkd.attendance.reports.period import Period
from blinkd.attendance.reports.report import Report, Site, make, span
from blinkd.attendance.reports.roster import Roster, distinct
from blinkd.attendance.reports.span import span_of
from blinkd.attendance.reports.totals import Totals
from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.rota import Assignment, Rota
from blinkd.clock import Instant, microseconds
from tests.unit.attendance.reports.golden import MADRID, NIGHT, OFFICE
from tests.unit.attendance.reports.standing import Punches

FIRST, LAST = date(2026, 3, 23), date(2026, 3, 29)  # the week in which the clocks go forward
START, MINUTES = datetime(2026, 3, 21, 0, tzinfo=UTC), 10 * 24 * 60
NOW = Instant(datetime(2026, 4, 2, tzinfo=UTC), 1.0, "boot", "synced")
NONE = (Period("day", FIRST, FIRST), Totals())
ROTA = Rota(
    {"office": OFFICE, "night": NIGHT}, "office", [Assignment(3, "night", FIRST, None)], Holidays({date(2026, 3, 25): "holiday"}), MADRID
)

rows = st.lists(st.tuples(st.integers(1, 4), st.integers(0, MINUTES), st.booleans()), max_size=40)


def report(punched: list[tuple[int, int, bool]], first: date, last: date, only: list[int] | None = None) -> Report:
    period = Period("week", first, last)
    since, until = span(period, ROTA)
    moments = [(seq, who, START + timedelta(minutes=minute), entering) for seq, (who, minute, entering) in enumerate(punched, start=1)]
    inside = sorted((one for one in moments if since <= microseconds(one[2]) < until), key=lambda one: one[2])
    three = np.array([1, 2, 3], np.int64)  # the fourth is no employee any more
    roster = Roster(three, np.full(3, first.toordinal(), np.int32), np.full(3, last.toordinal(), np.int32))
    chosen = None if only is None else np.array(only, np.int64)
    return make(period, Punches(inside), roster, Site("door-1", [], ROTA), {}, NOW, NONE, chosen)


def total(sums: list[Totals]) -> Totals:
    return sum(sums, Totals())


@settings(max_examples=60)
@given(rows)
def test_people_and_days_both_add_up_to_the_site(punched: list[tuple[int, int, bool]]) -> None:
    found = report(punched, FIRST, LAST)
    assert total([one.totals for one in found.people]) == found.site
    assert total([totals for _, totals in found.days]) == found.site


@settings(max_examples=60)
@given(rows)
def test_a_week_is_the_sum_of_its_days_reported_alone(punched: list[tuple[int, int, bool]]) -> None:
    week = report(punched, FIRST, LAST)
    alone = [report(punched, FIRST + timedelta(days=number), FIRST + timedelta(days=number)) for number in range(7)]
    assert [totals for _, totals in week.days] == [one.site for one in alone]


@settings(max_examples=40)
@given(rows, st.sets(st.integers(1, 4), min_size=1, max_size=3))
def test_a_group_has_the_same_sums_alone_as_among_all(punched: list[tuple[int, int, bool]], group: set[int]) -> None:
    everybody = {one.subject: one.totals for one in report(punched, FIRST, LAST).people}
    alone = {one.subject: one.totals for one in report(punched, FIRST, LAST, sorted(group)).people}
    assert alone == {subject: totals for subject, totals in everybody.items() if subject in group}


def test_somebody_who_is_not_on_the_roster_appears_with_what_they_worked_and_is_never_absent() -> None:
    noon = (datetime(2026, 3, 24, 12, tzinfo=UTC) - START) // timedelta(minutes=1)
    found = {one.subject: one.totals for one in report([(4, noon, True), (4, noon + 240, False)], FIRST, LAST).people}
    assert (found[4].worked_s, found[4].absent, found[4].holiday) == (4 * 3600, 0, 0)
    assert found[1].absent == 4  # five weekdays, of which one is a holiday


def test_the_span_of_a_date_reaches_as_far_as_its_night_shift_and_knows_short_days() -> None:
    monday, saturday, sunday = (span_of(ROTA, date(2026, 3, day)) for day in (23, 28, 29))
    assert (monday.since, monday.until) == (datetime(2026, 3, 22, 23, tzinfo=UTC), datetime(2026, 3, 24, 6, tzinfo=UTC))
    assert (saturday.until, sunday.since) == (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC))
    assert sunday.until - sunday.since == timedelta(hours=23)


@given(st.lists(st.integers(-9, 9), max_size=12))
def test_distinct_is_each_number_once_in_order(values: list[int]) -> None:
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))
