"""Logs, corrections, files and the dashboard, over a real book."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from blinkd.attendance.punch import Direction
from blinkd.clock import Instant
from blinkd.settings import Settings, TerminalSettings
from blinkd.store.transcript import transcript
from tests.unit.attendance.clocks import NINE_IN_MADRID
from tests.unit.store.stores import punch
from tests.unit.web.admin.desks import Office, office

NASTY = "<script>alert(1)</script>'\"&"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Office]:
    settings = Settings(terminal=TerminalSettings(id="t-1", timezone="Europe/Madrid"))
    with office(tmp_path / "state", settings=settings) as opened:
        with opened.context.store() as store:
            for person_id, name in (("E-1", "Zoë O'Neill"), ("E-2", NASTY)):
                store.people.enrol(person_id, name, [])
            store.book.begin()
            for seq, person_id, hours, status in (
                (1, "E-1", -1.0, "CHECK_IN"),
                (2, "E-2", -0.5, "CHECK_IN"),
                (3, "E-1", -0.1, "CHECK_OUT"),
            ):
                subject = store.people.get(person_id).subject
                when = NINE_IN_MADRID + timedelta(hours=hours)
                store.book.append_punch(replace(punch(seq), subject=subject, utc=when, status=Direction(status)))
            at = Instant(NINE_IN_MADRID, 100.0, "boot-1", "synced")
            store.scans.append(at, "refused", "not_live", store.people.get("E-2").subject, 0.41, {"blinks": 0, "live": False})
            store.scans.append(at, "refused", "unknown_face", None, None, {})
        yield opened


def test_punches_are_found_by_person_day_and_state(place: Office) -> None:
    browser = place.signed_in("hr")
    everything = browser.get("/admin/logs").text
    assert everything.index('href="/admin/logs/3"') < everything.index('href="/admin/logs/1"')
    zoe = browser.get("/admin/logs?q=zoe&from=2026-03-02&to=2026-03-02").text
    assert "/admin/logs/1" in zoe
    assert "/admin/logs/2" not in zoe
    assert "no punches of this kind" in browser.get("/admin/logs?from=2026-03-03").text
    assert "no punches of this kind" in browser.get("/admin/logs?sync=SYNCED").text
    assert "waits for the relay" in browser.get("/admin/logs?sync=PENDING").text
    assert browser.get("/admin/logs?state=dancing").status_code == 422
    assert "is no date" in browser.get("/admin/logs?from=yesterday").text


def test_scan_attempts_say_why(place: Office) -> None:
    browser = place.signed_in("supervisor")
    text = browser.get("/admin/logs/scans?reason=not_live").text
    assert "did not look alive" in text
    assert "blinks 0, live no" in text
    assert "0.41" in text
    assert "face is not known" not in text.partition("<tbody>")[2]
    assert browser.get("/admin/logs/scans?reason=dancing").status_code == 422


def test_a_correction_has_the_operators_name_and_leaves_what_was_recorded(place: Office) -> None:
    browser = place.signed_in("supervisor", name="Ada")
    browser.get("/admin/logs/2")
    done = browser.post("/admin/logs/2/correct", {"what": "amend", "time": "2026-03-02T08:15", "status": "CHECK_OUT", "why": NASTY})
    assert done.status_code == 303
    page = browser.get("/admin/logs/2").text
    assert "2026-03-02 08:15:00" in page
    assert "2026-03-02 08:30:00, In" in page, "what was recorded"
    assert "<script>alert" not in page
    with place.context.store() as store:
        line = next(line for line in transcript(store.book, "t-1") if line["seq"] == 2)
    assert (line["state"], line["status"]) == ("amended", "CHECK_OUT")
    assert (line["corrections"][0]["by"], line["corrections"][0]["why"]) == ("Ada", NASTY)
    assert browser.post("/admin/logs/2/correct", {"what": "void", "why": "twice"}).status_code == 303
    assert browser.post("/admin/logs/2/correct", {"what": "uphold", "why": "after all"}).status_code == 303
    assert [one[0] for one in place.acts()][-3:] == ["log.amend", "log.void", "log.uphold"]
    assert NASTY not in str(place.acts())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"what": "void", "why": ""}, "The reason is empty"),
        ({"what": "amend", "why": "x"}, "Nothing to amend"),
        ({"what": "amend", "why": "x", "time": "2027-03-02T09:15"}, "lies in the future"),
        ({"what": "amend", "why": "x", "time": "noon"}, "is no time"),
        ({"what": "amend", "why": "x", "time": "2026-03-29T02:30"}, "does not come that night"),
        ({"what": "dance", "why": "x"}, "Choose what to do"),
    ],
)
def test_what_is_wrong_with_a_correction_is_said_and_nothing_is_written(place: Office, fields: dict[str, str], said: str) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/logs/2")
    answer = browser.post("/admin/logs/2/correct", fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert "--" not in answer.text.partition('role="alert"')[2].partition("</p>")[0]
    with place.context.store() as store:
        assert list(store.book.entries("correction")) == []
    assert [one for one in place.acts() if one[0].startswith("log.")] == []


def test_a_punch_that_was_forgotten_is_added(place: Office) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/logs/add")
    fields = {"person": "E-1", "time": "2026-03-01T17:00", "status": "CHECK_OUT", "why": "the power was off"}
    done = browser.post("/admin/logs/add", fields)
    assert "added by hand" in browser.get(done.headers["location"]).text
    assert "has added just this already" in browser.post("/admin/logs/add", fields).text
    assert "Nobody has the id" in browser.post("/admin/logs/add", fields | {"person": "E-99"}).text


def test_hr_may_not_correct_and_numbers_that_are_no_punch_are_said(place: Office) -> None:
    browser = place.signed_in("hr")
    assert "Correct it" not in browser.get("/admin/logs/1").text
    assert browser.post("/admin/logs/1/correct", {"what": "void", "why": "x"}).status_code == 403
    for path in ("/admin/logs/99", "/admin/logs/0", "/admin/logs/9223372036854775807", f"/admin/logs/{10**30}"):
        assert browser.get(path).status_code == 404


def test_provisional_days_are_refused_and_given_when_asked_for(place: Office) -> None:
    browser = place.signed_in("hr")
    browser.get("/admin/logs/export")
    fields = {"from": "2026-03-02", "to": "2026-03-02", "columns": "Personnel no=person_id,name,date,final"}
    refused = browser.post("/admin/logs/export", fields)
    assert refused.status_code == 422
    assert "provisional and may still change" in refused.text
    made = browser.post("/admin/logs/export", fields | {"provisional": "yes"})
    assert made.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(made.content.decode("utf-8-sig"))))
    assert rows[0] == ["Personnel no", "name", "date", "final"]
    assert ["E-1", "Zoë O'Neill", "2026-03-02", "0"] in rows
    assert [one[:2] for one in place.acts() if one[0] == "export.payroll"] == [("export.payroll", "2026-03-02 to 2026-03-02")]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"columns": "nme"}, "did you mean"),
        ({"from": "2026-03-03", "to": "2026-03-01"}, "swap them"),
        ({"from": "2020-01-01"}, "at most 400 days"),
        ({"group": "nobody"}, "obody is in group"),
        ({"person": "E-99"}, "obody has the id"),
        ({"person": "E-1", "group": "x"}, "not both"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(place: Office, changed: dict[str, str], said: str) -> None:
    browser = place.signed_in("hr")
    browser.get("/admin/logs/export")
    answer = browser.post("/admin/logs/export", {"from": "2026-03-02", "to": "2026-03-02"} | changed)
    assert answer.status_code == 422
    assert said in answer.text


def test_punches_as_a_table_hold_corrections_and_no_formulas(place: Office) -> None:
    browser = place.signed_in("hr", "supervisor")
    browser.get("/admin/logs/1")
    browser.post("/admin/logs/1/correct", {"what": "void", "why": "=1+1"})
    made = browser.post("/admin/logs/export/punches", {"from": "2026-03-02", "to": "2026-03-02"})
    rows = list(csv.DictReader(io.StringIO(made.content.decode("utf-8-sig"))))
    assert [(row["seq"], row["state"]) for row in rows] == [("1", "voided"), ("2", "valid"), ("3", "valid")]
    assert rows[0]["corrections"] == "void by Ada: =1+1"
    supervisor = place.signed_in("supervisor", name="Boss")
    supervisor.get("/admin/logs/export")
    assert supervisor.post("/admin/logs/export/punches", {"from": "2026-03-02", "to": "2026-03-02"}).status_code == 403


def test_the_dashboard_counts_today_and_says_why_it_is_provisional(place: Office) -> None:
    text = place.signed_in("hr").get("/admin/dashboard").text
    assert '<dd id="came">2</dd>' in text
    assert '<dd id="in-now">1</dd>' in text
    assert "Provisional" in text
    inside = text.partition('id="inside"')[2].partition("</section>")[0]
    assert "&lt;script&gt;alert" in inside
    assert "Zoë" not in inside, "has left"
    assert "<script>alert" not in text
    assert text.count('<tr><th scope="row">') >= 30 + 24
