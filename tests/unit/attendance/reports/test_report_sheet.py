"""Spreadsheets show what is exported and never run it; payroll gets the columns it asks for."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.attendance.reports.payroll import DEFAULT, HourForm, columns, hours, layout
from blinkd.attendance.reports.sheet import RUNS, defused, table


def parsed(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "  =1",
        '=HYPERLINK("//x","y")',
        "=cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
    ],
)
def test_text_that_a_spreadsheet_would_run_is_only_shown(text: str) -> None:
    assert defused(text) == f"'{text}"
    assert parsed(table(["name"], [[text]]))[1] == [f"'{text}"]


@pytest.mark.parametrize("text", ["", "Ann", "a=b", "O'Neill", "1-2", "Zoë", "李 小龍", "'quoted'"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert defused(text) == text


def test_titles_are_defused_too_and_numbers_are_not() -> None:
    assert parsed(table(["=x"], [[-1], [0.5], [None]])) == [["'=x"], ["-1"], ["0.5"], [""]]


def test_the_byte_order_mark_is_there_when_asked_for_only() -> None:
    assert table(["é"], [], bom=True) == "\ufeffé\r\n".encode()
    assert table(["é"], []) == "é\r\n".encode()


printable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(st.lists(printable, min_size=2, max_size=2), max_size=6))
def test_a_table_read_back_is_what_was_written_and_nothing_in_it_runs(rows: list[list[str]]) -> None:
    back = parsed(table(["a", "b"], rows))
    assert back == [["a", "b"], *([defused(cell) for cell in row] for row in rows)]
    assert not any(cell.lstrip(" ").startswith(RUNS) for row in back for cell in row)


def test_a_layout_has_the_columns_in_order_with_their_titles() -> None:
    found = layout("Personnel no=person_id, hours ,Wage type = status")
    assert found.titles == ("Personnel no", "hours", "Wage type")
    assert [column.means for column in found.columns] == [columns()[name].means for name in ("person_id", "hours", "status")]


def test_the_default_layout_exists() -> None:
    assert layout(DEFAULT).titles == tuple(DEFAULT.split(","))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person_id,hous", "no column 'hous'; did you mean 'hours'?"),
        ("Hours=HOURS", "no column 'HOURS'; did you mean 'hours'?"),
        ("zzzzzz", "no column 'zzzzzz'; there are: person_id, name"),
        ("hours,,date", "a column without a name"),
        ("=hours", "no title before '=hours'"),
        ("a=hours,a=date", "two columns are titled 'a'"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        layout(text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("seconds", "form", "shown"),
    [
        (27_900, "decimal", 7.75),
        (27_900, "hhmm", "7:45"),
        (0, "decimal", 0.0),
        (0, "hhmm", "0:00"),
        (17, "decimal", 0.0),
        (18, "decimal", 0.01),
        (29, "hhmm", "0:00"),
        (30, "hhmm", "0:01"),
        (360_000, "hhmm", "100:00"),
    ],
)
def test_hours_are_rounded_to_the_nearest(seconds: int, form: HourForm, shown: object) -> None:
    assert hours(seconds, form) == shown


def test_every_column_says_what_it_means() -> None:
    assert all(column.means for column in columns().values())
