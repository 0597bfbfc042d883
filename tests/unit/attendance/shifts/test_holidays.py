from datetime import date
from pathlib import Path

import pytest

from blinkd.attendance.shifts.holidays import Holidays
from blinkd.errors import ConfigError

EVENT = "BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n"


def of(folder: Path, text: str | bytes, name: str = "holidays.csv") -> Holidays:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Holidays.load(path, "", "")


def calendar(*events: str) -> str:
    return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + "".join(EVENT.format(event) for event in events) + "END:VCALENDAR\r\n"


def test_days_come_from_the_file_and_from_the_country(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text('﻿date,name\n2026-05-15,"San Isidro, patron"\n\n2026-01-06,Kings\n', encoding="utf-8")
    days = Holidays.load(path, "es", "MD")
    assert days.name(date(2026, 5, 15)) == "San Isidro, patron"
    assert days.name(date(2026, 1, 6)) == "Kings"  # the site's own word
    assert days.name(date(2026, 12, 25)) is not None
    assert days.name(date(2026, 12, 24)) is None
    assert Holidays.load(None, "", "").name(date(2026, 12, 25)) is None


def test_an_icalendar_gives_whole_days_spans_and_yearly_ones(tmp_path: Path) -> None:
    text = calendar(
        "DTSTART;VALUE=DATE:20200229\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Leap feast",
        "DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:Christmas",
    )
    days = of(tmp_path, text, "h.ics")
    assert [days.name(date(2026, 12, number)) for number in (23, 24, 26, 27)] == [None, "Christmas", "Christmas", None]
    assert [days.name(date(year, 2, 28)) or days.name(date(year, 2, 29)) for year in (2024,)] == ["Leap feast"]
    assert days.name(date(2026, 2, 28)) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1: the header is ''"),
        ("day,name\n", "row 1: the header is 'day,name'"),
        ("date,name\n2026-02-30,x\n", "row 2, column date: '2026-02-30' is no date"),
        ("date,name\n25.12.2026,x\n", "row 2, column date: '25.12.2026' is no date; write it like"),
        ("date,name\n1969-12-31,x\n", "row 2, column date: 1969-12-31 lies before 1970"),
        ("date,name\n2100-01-01,x\n", "row 2, column date: 2100-01-01 lies before 1970 or after 2099"),
        ("date,name\n2026-01-01,\n", "row 2, column name: empty"),
        ("date,name\n2026-01-01,a\n2026-01-01,b\n", "row 3, column date: 2026-01-01 is 'a' already"),
        ("date,name\n2026-01-01,a,b\n", "row 2: 3 cells instead of 2"),
        ('date,name\n2026-01-01,"a\n', "row [23]: .*CSV"),
        (b"date,name\n2026-01-01,a\n2026-01-06,d\xeda\n", "row 3: not UTF-8"),
    ],
)
def test_what_is_wrong_in_a_csv_is_named_by_row_and_column(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        of(tmp_path, text)
    assert "holidays.csv" in str(caught.value)


def test_all_problems_are_listed_and_a_long_list_is_cut(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        of(tmp_path, "date,name\n" + "never,x\n" * 30)
    assert str(caught.value).count("is no date") == 20
    assert "and 10 more" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("milk", "no iCalendar file"),
        (calendar("DTSTART:20261225T080000Z\r\nSUMMARY:Party"), r"event 1 \(Party\), DTSTART: no whole day"),
        (calendar("SUMMARY:Party"), r"event 1 \(Party\), DTSTART: no whole day"),
        (calendar("DTSTART;VALUE=DATE:20261225"), r"event 1 \(without SUMMARY\), column name: empty"),
        (calendar("DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261225\r\nSUMMARY:x"), "DTEND: not after DTSTART"),
        (calendar("DTSTART;VALUE=DATE:21011225\r\nSUMMARY:x"), "2101-12-25 lies before 1970 or after 2099"),
    ],
)
def test_what_is_wrong_in_an_icalendar_is_named_by_its_event(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        of(tmp_path, text, "h.ics")


@pytest.mark.parametrize(
    ("country", "subdivision", "said"),
    [
        ("XX", "", "holidays_country is 'XX'; known are"),
        ("ES", "ZZ", "holidays_subdivision is 'ZZ'; ES has .*MD"),
        ("", "MD", "without a country"),
    ],
)
def test_an_unknown_country_or_part_is_named_with_the_known_ones(country: str, subdivision: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Holidays.load(None, country, subdivision)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv: cannot be read.*holidays_file"):
        Holidays.load(tmp_path / "none.csv", "", "")
