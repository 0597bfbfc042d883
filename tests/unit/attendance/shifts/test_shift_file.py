from datetime import time
from pathlib import Path

import pytest

from blinkd.attendance.shifts.shift import EVERY_DAY, Break
from blinkd.attendance.shifts.shift_file import load_shifts
from blinkd.errors import ConfigError

EXAMPLE = Path(__file__).parents[4] / "config" / "shifts.toml"
GOOD = "start = 09:00:00\nend = 17:00:00\n"


def load(folder: Path, text: str) -> object:
    path = folder / "shifts.toml"
    path.write_text(text, encoding="utf-8")
    return load_shifts(path)


def test_the_example_is_a_good_file_and_shows_every_key() -> None:
    shifts = load_shifts(EXAMPLE)
    assert list(shifts) == ["day", "night", "half-day"]
    day, night = shifts["day"], shifts["night"]
    assert (day.weekdays, day.breaks, day.late_grace_min) == (frozenset(range(5)), (Break(time(13), time(13, 30)),), 10)
    assert (night.overnight, day.overnight, night.hours, shifts["half-day"].weekdays) == (True, False, "every_pair", EVERY_DAY)
    assert shifts["half-day"].check_in_until == time(9, 30)
    text = EXAMPLE.read_text(encoding="utf-8")
    keys = {name for name in type(day).__slots__ if name not in ("name",)}
    assert {key for key in keys if f"\n{key} = " not in text} == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no shift in it"),
        ("[a\n", "not valid TOML"),
        ("a = 1\n", "at 'a': a shift is a table"),
        ("['a b']\n" + GOOD, "at 'a b': call a shift by letters"),
        ("['']\n" + GOOD, "at '': call a shift by letters"),
        ("[a]\nend = 17:00:00\n", "at 'a.start': missing"),
        ("[a]\nstart = 9\nend = 17:00:00\n", "at 'a.start': 9 is no time of day; write it like 09:00:00"),
        ("[a]\nstart = '9'\nend = 17:00:00\n", "at 'a.start': '9' is no time of day"),
        ("[a]\nstart = '25:00'\nend = 17:00:00\n", "at 'a.start': '25:00'"),
        ("[a]\n" + GOOD + "brakes = []\n", "at 'a.brakes': no such key; did you mean 'breaks'"),
        ("[a]\n" + GOOD + "weekdays = ['monday']\n", r"at 'a.weekdays\[0\]': 'monday'"),
        ("[a]\n" + GOOD + "weekdays = []\n", "at 'a.weekdays'"),
        ("[a]\n" + GOOD + "late_grace_min = -1\n", "at 'a.late_grace_min': -1"),
        ("[a]\n" + GOOD + "determine = 'guess'\n", "at 'a.determine': 'guess'"),
        ("[a]\n" + GOOD + "breaks = [['13:00']]\n", r"at 'a.breaks\[0\]"),
        ("[a]\n" + GOOD + "breaks = [['13:00', '13:00']]\n", r"at 'a.breaks\[0\]': 13:00 to 13:00 is empty"),
        ("[a]\n" + GOOD + "breaks = [['08:30', '09:30']]\n", r"at 'a.breaks\[0\]': 08:30 to 09:30 is empty or not within"),
        ("[a]\n" + GOOD + "breaks = [['16:30', '17:30']]\n", r"at 'a.breaks\[0\]': 16:30 to 17:30"),
        ("[a]\n" + GOOD + "breaks = [['12:00', '13:00'], ['12:30', '13:30']]\n", r"at 'a.breaks\[1\]': .* overlaps another break"),
        ("[a]\nstart = 09:00:00\nend = 09:00:00\n", "at 'a.end': the same as start, so the shift is empty"),
        ("[a]\n" + GOOD + "check_in_until = 18:00:00\n", "at 'a.check_in_until': 18:00 is not within"),
        ("[a]\n" + GOOD + "half_day_below_h = 9\n", "at 'a.half_day_below_h': longer than the shift"),
        ("[a]\n" + GOOD + "half_day_below_h = 2\nabsent_below_h = 3\n", "at 'a.absent_below_h': more than half_day_below_h"),
        ("[a]\n" + GOOD + "check_out_after_min = 1000\n", "at 'a.check_out_after_min': the windows of two days overlap"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "shifts.toml") in str(caught.value)


def test_every_problem_of_every_shift_is_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "[a]\nstart = 9\nend = 10\n[b]\nstart = 09:00:00\nend = 09:00:00\n")
    assert [place in str(caught.value) for place in ("a.start", "a.end", "b.end")] == [True] * 3


def test_a_window_may_be_wide_where_no_next_day_follows(tmp_path: Path) -> None:
    assert load(tmp_path, "[a]\n" + GOOD + "weekdays = ['mon']\ncheck_out_after_min = 1000\n")


def test_a_missing_file_and_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read.*shifts_file"):
        load_shifts(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"[a]\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.toml: not UTF-8"):
        load_shifts(tmp_path / "latin.toml")
