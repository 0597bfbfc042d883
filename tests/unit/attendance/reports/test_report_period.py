"""The days that a report is about, and what its trend is measured against."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.attendance.reports.period import FIRST_DATE, LAST_DATE, Kind, Period, period_of

TODAY = date(2026, 3, 18)  # a Wednesday
KINDS: list[Kind] = ["day", "week", "month"]


@pytest.mark.parametrize(
    ("kind", "text", "first", "last"),
    [
        ("day", "2026-03-31", date(2026, 3, 31), date(2026, 3, 31)),
        ("week", "2026-01-01", date(2025, 12, 29), date(2026, 1, 4)),  # the ISO week of a Thursday
        ("week", "2026-03-08", date(2026, 3, 2), date(2026, 3, 8)),  # of a Sunday
        ("month", "2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        ("month", "2026-12-31", date(2026, 12, 1), date(2026, 12, 31)),
        ("month", None, date(2026, 3, 1), date(2026, 3, 31)),
    ],
)
def test_a_period_is_the_day_week_or_month_of_its_date(kind: Kind, text: str | None, first: date, last: date) -> None:
    assert period_of(kind, text, TODAY) == Period(kind, first, last)


@pytest.mark.parametrize("text", ["2026-02-30", "03/31/2026", "", "soon", "2026-3", "2026-W10-1x"])
def test_what_is_no_date_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no date; write it like 2026-03 or 2026-03-31"):
        period_of("month", text, TODAY)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("day", "1969-12-31"),
        ("day", "2100-01-01"),
        ("week", "1970-01-01"),
        ("month", "2100-01"),
        ("week", "9999-12-31"),
        ("month", "9999-12"),
    ],
)
def test_years_before_1970_and_after_2099_are_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match="reports go from 1970 to 2099"):
        period_of(kind, text, TODAY)


def test_a_running_week_is_measured_by_as_many_days_of_the_one_before() -> None:
    running = Period("week", date(2026, 3, 16), date(2026, 3, 22))
    assert running.before(TODAY) == Period("week", date(2026, 3, 9), date(2026, 3, 11))
    assert running.before(date(2026, 4, 1)) == Period("week", date(2026, 3, 9), date(2026, 3, 15))


def test_a_month_that_is_over_is_measured_by_the_whole_month_before() -> None:
    assert period_of("month", "2026-02", TODAY).before(TODAY) == Period("month", date(2026, 1, 1), date(2026, 1, 31))
    assert period_of("month", "2026-03", date(2026, 3, 31)).before(date(2026, 3, 31)).last == date(2026, 2, 28)


@given(st.sampled_from(KINDS), st.dates(FIRST_DATE + timedelta(days=40), LAST_DATE - timedelta(days=40)), st.dates())
def test_the_period_holds_its_date_and_the_one_before_ends_before_it(kind: Kind, day: date, today: date) -> None:
    period = period_of(kind, day.isoformat(), today)
    before = period.before(today)
    assert period.first <= day <= period.last
    assert before.first <= before.last < period.first
    assert next(period.days()) == period.first
    assert [*period.days()][-1] == period.last
