"""The verbs report, export, stats and watermark on a site whose figures were worked out by hand."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.reports.totals import Totals
from blinkd.parts import Parts
from tests.integration.faces.commands import Answer, blinkd
from tests.unit.attendance.clocks import SetClock
from tests.unit.attendance.reports.golden import EXPECTED, NAMES, NEXT_MONDAY, Golden, enrol, golden_site
from tests.unit.store.stores import open_store

UNCERTAIN, DISOWNED = 13, 23  # numbers in the golden site's book
WEEK = ("week", "2026-03-05")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    """Built once; the tests only read it."""
    return golden_site(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def site(made: Golden, monkeypatch: pytest.MonkeyPatch) -> Golden:
    monkeypatch.setattr(Parts, "clock", SetClock(NEXT_MONDAY.astimezone(UTC)))
    monkeypatch.setattr(Parts, "rota", lambda *_: made.rota, raising=False)
    return made


def run(site: Golden, *arguments: str | Path, **more: str) -> Answer:
    return blinkd(*arguments, state=site.folder, **({"BLINKD_TERMINAL__TIMEZONE": "Europe/Madrid", "COLUMNS": "250"} | more))


def report(site: Golden, *arguments: str, **more: str) -> Any:
    done = run(site, "report", *arguments, "--json", **more)
    assert done.code == 0, done.err
    return json.loads(done.out)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def totals_of(value: dict[str, Any]) -> Totals:
    return Totals(**{name: value[name] for name in Totals().as_dict()})


def test_the_week_of_each_person_is_as_worked_out_by_hand(site: Golden) -> None:
    people = report(site, *WEEK)["people"]
    assert [one["person_id"] for one in people] == list(NAMES)
    assert {one["person_id"]: totals_of(one) for one in people} == EXPECTED


def test_the_site_is_the_sum_of_its_people_and_the_week_the_sum_of_its_days(site: Golden) -> None:
    found = report(site, *WEEK)
    assert totals_of(found["site"]) == sum(EXPECTED.values(), Totals())
    assert sum((totals_of(day) for day in found["days"]), Totals()) == totals_of(found["site"])
    each = [report(site, "day", day["date"]) for day in found["days"]]
    assert [totals_of(day["site"]) for day in each] == [totals_of(day) for day in found["days"]]
    assert found["period"] == {"kind": "week", "first": "2026-03-02", "last": "2026-03-08"}
    assert totals_of(found["before"]["site"]) == Totals()
    assert found["trend"]["present"] == 10
    assert totals_of(report(site, "month", "2026-03")["site"]).worked_s == found["site"]["worked_s"]


def test_a_day_has_a_line_a_person_with_times_in_the_sites_offset(site: Golden) -> None:
    lines = {line["person_id"]: line for line in report(site, "day", "2026-03-02")["attendances"]}
    assert list(lines) == list(NAMES)
    assert (lines["B"]["first_in"], lines["B"]["last_out"], lines["B"]["amended"]) == (
        "2026-03-02T09:00:00+01:00",
        "2026-03-02T17:00:00+01:00",
        1,
    )
    assert (lines["E"]["shift"], lines["E"]["last_out"], lines["E"]["worked_s"]) == ("night", "2026-03-03T06:10:00+01:00", 29_400)
    assert report(site, "day", "2026-03-03")["attendances"][0] | {"late_min": 25} == report(site, "day", "2026-03-03")["attendances"][0]


def test_each_day_is_final_or_says_exactly_why_not(site: Golden) -> None:
    why = {day["date"]: day["why"] for day in report(site, *WEEK)["days"]}
    uncertain = [f"punches whose time is uncertain may belong to it: {UNCERTAIN}"]
    disowned = [f"punches that were disowned wait for a supervisor: {DISOWNED}"]
    assert why == {f"2026-03-0{day}": {3: uncertain, 5: disowned}.get(day, []) for day in range(2, 9)}
    others = {"BLINKD_TERMINAL__OTHERS": "door-2"}
    assert all("door-2: has not reported yet" in day["why"] for day in report(site, *WEEK, **others)["days"])


def test_what_is_uncertain_is_marked_in_every_output(site: Golden) -> None:
    found = report(site, *WEEK)
    (one,) = found["uncertain"]
    assert (one["seq"], one["person_id"], one["counted"]) == (UNCERTAIN, "C", False)
    assert (one["after"], one["before"]) == ("2026-03-03T09:25:00+01:00", "2026-03-03T17:00:00+01:00")
    assert {person["person_id"]: person["uncertain"] for person in found["people"]} == dict.fromkeys("ABDE", 0) | {"C": 1}
    words = run(site, "report", *WEEK).out
    assert f"uncertain: punch {UNCERTAIN} of Cy" in words
    assert "2026-03-03 is provisional: punches whose time is uncertain" in words
    assert "1 uncertain" in words
    table = {row["person_id"]: row for row in rows(run(site, "report", *WEEK, "--csv", "-").out)}
    assert (table["C"]["uncertain"], table["A"]["uncertain"], table["C"]["provisional_days"]) == ("1", "0", "2")
    assert run(site, "stats", "--json").json["uncertain"] == []  # it lies in last week


@pytest.mark.parametrize(("form", "begins"), [("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_the_page_is_one_file_of_its_kind(site: Golden, tmp_path: Path, form: str, begins: bytes) -> None:
    path = tmp_path / f"week.{form}"
    assert run(site, "report", *WEEK, f"--{form}", path).code == 0
    content = path.read_bytes()
    assert content.startswith(begins)
    assert form == "png" or b"/Count 1" in content


def test_one_person_has_a_line_a_day(site: Golden) -> None:
    found = report(site, *WEEK, "--person", "A")
    assert [
        (line["date"][-2:], line["status"], line["late_min"], line["early_min"], line["overtime_min"]) for line in found["attendances"]
    ] == [
        ("02", "PRESENT", 0, 0, 0),
        ("03", "PRESENT", 25, 0, 0),
        ("04", "HALF_DAY", 0, 300, 0),
        ("05", "PRESENT", 0, 0, 30),
        ("06", "HOLIDAY", 0, 0, 0),
    ]
    assert totals_of(found["site"]) == EXPECTED["A"]
    assert found["uncertain"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("report", "day", "2026-02-30"), 2, "'2026-02-30' is no date"),
        (("report", "month", "1969-12"), 2, "1970 to 2099"),
        (("report", "day", "--person", "Z"), 1, "nobody has the id 'Z'"),
        (("report", "day", "--person", "p-00000000000001"), 1, "nobody has the id"),
        (("report", "day", "--group", "Z"), 1, "nobody is in group 'Z'"),
        (("report", "day", "--group", "Z", "--person", "A"), 2, "not both"),
        (("report", "week", "2026-02-05"), 1, "there is nothing to report"),
        (("report", *WEEK, "--csv", "/nonexistent/x.csv"), 1, "/nonexistent/x.csv: cannot be written"),
        (("report", *WEEK, "--png", "/nonexistent/x.png"), 1, "/nonexistent/x.png: cannot be written"),
        (("report", *WEEK, "--json", "--csv", "-"), 2, "standard output"),
        (("export", "--columns", "person_id,hous", "--out", "-"), 2, "did you mean 'hours'?"),
        (("export", "--format", "frappe", "--columns", "hours", "--out", "-"), 2, "columns of its own"),
        (("export", "--since", "2026-03-09", "--until", "2026-03-02", "--out", "-"), 2, "swap them"),
        (("export", "--since", "2101-01-01", "--out", "-"), 2, "1970 to 2099"),
        (("export", "--since", "2026-03-02", "--until", "2026-03-08", "--out", "-"), 1, "2 day(s) are provisional"),
        (("watermark", "set", "door-9", "2026-03-02"), 1, "'door-9' is no other terminal"),
    ],
)
def test_bad_input_is_refused_in_words(site: Golden, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = run(site, *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in " ".join(done.err.replace("│", " ").split())


EXPORT = ("export", "--since", "2026-03-02", "--until", "2026-03-08", "--provisional")


def test_payroll_has_a_row_a_person_and_day_with_the_titles_asked_for(site: Golden, tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    done = run(site, *EXPORT, "--columns", "Personnel no=person_id,date,Hours=hours,final,uncertain", "--bom", "--out", path)
    assert (done.code, done.out) == (0, "")
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text(encoding="utf-8")
    assert text.startswith("\ufeffPersonnel no,date,Hours,final,uncertain\n")
    ann = [tuple(row.values()) for row in rows(text) if row["Personnel no"] == "A"]
    assert ann == [
        ("A", "2026-03-02", "8.17", "1", "0"),
        ("A", "2026-03-03", "7.58", "0", "0"),
        ("A", "2026-03-04", "3.0", "1", "0"),
        ("A", "2026-03-05", "8.5", "0", "0"),
        ("A", "2026-03-06", "0.0", "1", "0"),
    ]


def test_hours_can_be_written_as_hours_and_minutes(site: Golden) -> None:
    done = run(site, *EXPORT, "--person", "A", "--columns", "hours,expected", "--hours", "hhmm", "--out", "-")
    assert [tuple(row.values()) for row in rows(done.out)][:2] == [("8:10", "8:00"), ("7:35", "8:00")]


def test_frappe_gets_local_times_and_what_cannot_be_trusted_is_left_out_and_said(site: Golden) -> None:
    done = run(site, *EXPORT, "--format", "frappe", "--out", "-")
    found = rows(done.out)
    assert list(found[0]) == ["Employee", "Time", "Log Type", "Location / Device ID"]
    assert tuple(found[0].values()) == ("A", "2026-03-02 08:55:00", "IN", "terminal-1")
    bo = [(row["Time"], row["Log Type"]) for row in found if row["Employee"] == "B"]
    assert bo == [("2026-03-02 09:00:00", "IN"), ("2026-03-02 17:00:00", "OUT")]
    assert len(found) == 25 - 4  # two voided, one uncertain, one disowned
    assert "1 punch(es) left out, for their time is uncertain" in done.err
    assert f": {UNCERTAIN}" in done.err
    assert "1 punch(es) left out, for they were disowned" in done.err
    assert f": {DISOWNED}" in done.err


def test_an_export_that_is_refused_leaves_the_old_file(site: Golden, tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    path.write_text("old")
    done = run(site, *EXPORT[:-1], "--out", path)
    assert (done.code, path.read_text()) == (1, "old")
    assert "2026-03-03: punches whose time is uncertain may belong to it: 13" in done.err


def test_stats_tell_of_today(site: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parts, "clock", SetClock(datetime(2026, 3, 3, 11, tzinfo=UTC)))  # noon on Tuesday
    found = run(site, "stats", "--json").json
    today = found["today"]
    assert found["date"] == "2026-03-03"
    assert today["late_arrivals"] == [{"person_id": "A", "name": "Ann", "time": "2026-03-03T09:25:00+01:00", "minutes": 25}]
    counts = {"expected": 4, "came": 1, "in_now": 1, "absent_so_far": 2, "late": 1, "early": 0}  # the night shift has not begun
    assert {name: today[name] for name in counts} == counts
    assert today["why"][0].startswith("the day is not over; its last shift window ends 2026-03-04 07:00+01:00")
    assert [day["present"] for day in found["days"]][-1] == 5
    assert found["trends"]["7"]["present"] == round(5 / 7, 2)
    words = run(site, "stats").out
    assert "09:25  Ann, 25 min" in words


def test_a_watermark_makes_days_final_and_never_goes_back(site: Golden, tmp_path: Path) -> None:
    other = golden_site(tmp_path / "own")
    others = {"BLINKD_TERMINAL__OTHERS": "door-2"}
    set_ = ("watermark", "set", "door-2")
    assert run(replace(site, folder=other.folder), *set_, "2026-03-03T07:00", **others).code == 0
    days = report(replace(site, folder=other.folder), *WEEK, **others)["days"]
    assert [day["final"] for day in days][:2] == [True, False]
    assert "door-2: has reported up to 2026-03-03 07:00+01:00, entry 0" in days[1]["why"]
    assert run(replace(site, folder=other.folder), *set_, "2026-03-02", "--seq", "9", **others).code == 0
    listed = run(replace(site, folder=other.folder), "watermark", "list", "--json", **others).json
    assert listed[1] == {"terminal": "door-2", "until": "2026-03-03T06:00:00+00:00", "seq": 9}
    assert "future" in run(replace(site, folder=other.folder), *set_, "2027-01-01", **others).err


def test_nobody_at_all_is_said(site: Golden, tmp_path: Path) -> None:
    open_store(tmp_path).close()
    done = run(replace(site, folder=tmp_path), "report", "day")
    assert (done.code, done.out) == (1, "")
    assert "nobody was enrolled and nobody punched" in done.err
    assert run(replace(site, folder=tmp_path), "stats", "--json").json["today"]["expected"] == 0


def test_names_that_a_spreadsheet_would_run_are_only_shown(site: Golden, tmp_path: Path) -> None:
    names = {"F": '=HYPERLINK("//x","y")', "G": "@SUM(A1)", "H": 'Ng, "Al"', "I": "-2+3"}
    with open_store(tmp_path) as store:
        for person_id, name in names.items():
            enrol(store, person_id, name)
    own = replace(site, folder=tmp_path)
    shown = {"F": "'" + names["F"], "G": "'" + names["G"], "H": names["H"], "I": "'" + names["I"]}
    for arguments in (("report", *WEEK, "--csv", "-"), ("report", "day", "2026-03-02", "--csv", "-"), (*EXPORT, "--out", "-")):
        assert {row["person_id"]: row["name"] for row in rows(run(own, *arguments).out)} == shown


def test_what_is_still_to_come_is_in_no_payroll(site: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parts, "clock", SetClock(datetime(2026, 3, 4, 11, tzinfo=UTC)))  # noon on Wednesday
    done = run(site, *EXPORT, "--person", "B", "--columns", "date,status", "--out", "-")
    assert [tuple(row.values()) for row in rows(done.out)] == [
        ("2026-03-02", "PRESENT"),
        ("2026-03-03", "ABSENT"),
        ("2026-03-06", "HOLIDAY"),
    ]
