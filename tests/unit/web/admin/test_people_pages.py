"""People: the list, one person, and what operators may do with them."""

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest

from blinkd.attendance.punch import PersonStatus
from blinkd.attendance.receipt import read
from tests.unit.store.stores import sample
from tests.unit.web.admin.desks import Office, office

NASTY = "<img src=x onerror=alert(1)>'\"&"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path / "state") as opened:
        with opened.context.store() as store:
            store.people.enrol("E-1", "Zoë O'Neill", [sample(1), sample(2)])
            store.people.enrol("E-2", "Bo Sample", [])
        yield opened


def test_the_list_is_searched_and_paged(place: Office) -> None:
    with place.context.store() as store, store.transaction():
        for number in range(120):
            store.people.enrol(f"N-{number}", f"Number {number:03}", [])
    browser = place.signed_in("hr")
    first = browser.get("/admin/people").text
    assert "1 to 50 of 122 people, page 1 of 3" in first
    assert "Number 047" in first
    assert "Number 050" not in first
    last = browser.get("/admin/people?page=3").text
    assert "Zoë O&#39;Neill" in last
    assert "101 to 122 of 122" in last
    assert "101 to 122 of 122" in browser.get("/admin/people?page=99").text
    found = browser.get("/admin/people?q=zoe").text
    assert "Zoë O&#39;Neill" in found
    assert "Bo Sample" not in found
    assert "Nobody is like that" in browser.get("/admin/people?q=nobody&status=ACTIVE").text
    assert browser.get("/admin/people?status=DANCING").status_code == 422


def test_a_technician_sees_no_names(place: Office) -> None:
    browser = place.signed_in("technician")
    for path in ("/admin/people", "/admin/people/E-1", "/admin/logs", "/admin/dashboard", "/admin/register"):
        answer = browser.get(path)
        assert answer.status_code == 403
        assert "Zoë" not in answer.text


def test_an_id_that_nobody_has_is_said(place: Office) -> None:
    answer = place.signed_in("hr").get("/admin/people/E-99")
    assert answer.status_code == 404
    assert "nobody has the id" in answer.text.lower()


def test_a_supervisor_changes_name_dates_and_groups(place: Office) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/people/E-2")
    fields = {"name": "Bo  Example", "valid_from": "2026-03-01", "valid_until": "2026-12-31", "groups": "night, kitchen"}
    assert browser.post("/admin/people/E-2/details", fields).status_code == 303
    with place.context.store() as store:
        person = store.people.get("E-2")
    assert (person.name, str(person.valid_from), person.groups) == ("Bo Example", "2026-03-01", ("kitchen", "night"))
    assert browser.post("/admin/people/E-2/details", fields | {"groups": "night", "valid_from": "", "valid_until": ""}).status_code == 303
    with place.context.store() as store:
        person = store.people.get("E-2")
    assert (person.groups, person.valid_until) == (("night",), None)
    assert [one[:3] for one in place.acts() if one[0] == "people.set"] == [("people.set", "E-2", "done")] * 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "The name is empty"),
        ({"name": "x" * 201}, "shorten it to 200"),
        ({"name": "a\u202eb"}, "invisible character"),
        ({"valid_from": "2026-12-31", "valid_until": "2026-01-01"}, "the end lies before the start"),
        ({"valid_from": "tomorrow"}, "is no date"),
        ({"groups": "x" * 61}, "shorten it to 60"),
    ],
)
def test_what_is_wrong_with_the_details_is_said_and_what_was_typed_stays(place: Office, changed: dict[str, str], said: str) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/people/E-2")
    fields = {"name": "Somebody Else", "valid_from": "", "valid_until": "", "groups": "day"} | changed
    answer = browser.post("/admin/people/E-2/details", fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert "--" not in re.findall(r'role="alert">(.*?)</p>', answer.text, re.DOTALL)[0]
    assert f'value="{escape(fields["groups"])}"' in answer.text
    with place.context.store() as store:
        assert store.people.get("E-2").name == "Bo Sample"


def test_switching_off_and_on(place: Office) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/people/E-1")
    for path, status in (("deactivate", PersonStatus.DEACTIVATED), ("activate", PersonStatus.ACTIVE)):
        assert browser.post(f"/admin/people/E-1/{path}").status_code == 303
        with place.context.store() as store:
            assert store.people.get("E-1").status is status
    assert [one[0] for one in place.acts()][-2:] == ["people.deactivate", "people.activate"]


def test_a_shift_is_assigned_and_ended(place: Office) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/people/E-1")
    assert (
        browser.post("/admin/people/E-1/shift", {"shift": "day", "from": "2026-04-01", "why": "new", "what": "assign"}).status_code == 303
    )
    refused = browser.post("/admin/people/E-1/shift", {"shift": "day", "from": "2026-04-02", "why": "again", "what": "assign"})
    assert refused.status_code == 422
    assert browser.post("/admin/people/E-1/shift", {"shift": "day", "to": "2026-05-01", "why": "ends", "what": "end"}).status_code == 303
    assert "from 2026-04-01 to 2026-05-01 (by <bdi>Ada</bdi>)" in browser.get("/admin/people/E-1").text
    assert "The reason is empty" in browser.post("/admin/people/E-1/shift", {"shift": "day", "from": "2026-06-01", "what": "assign"}).text


def test_a_pin_is_set_taken_away_and_never_shown(place: Office) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/people/E-2")
    assert "The two PINs differ" in browser.post("/admin/people/E-2/pin", {"pin": "739154", "pin_again": "739155"}).text
    weak = browser.post("/admin/people/E-2/pin", {"pin": "111111", "pin_again": "111111"})
    assert weak.status_code == 422
    assert "111111" not in weak.text
    assert browser.post("/admin/people/E-2/pin", {"pin": "739154", "pin_again": "739154"}).status_code == 303
    shown = browser.get("/admin/people/E-2").text
    assert "PIN, since" in shown
    assert "739154" not in shown
    assert browser.post("/admin/people/E-2/revoke", {"kind": "pin"}).status_code == 303
    with place.context.store() as store:
        assert store.credentials.kept("E-2") == []
    assert [one[:2] for one in place.acts() if one[0].startswith("people.pin")] == [("people.pin", "E-2"), ("people.pin.revoke", "E-2")]


def test_a_badge_is_handed_out_once_as_a_picture(place: Office) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/people/E-2")
    answer = browser.post("/admin/people/E-2/badge")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"\x89PNG")
    with place.context.store() as store:
        assert [one["kind"] for one in store.credentials.kept("E-2")] == ["badge"]


def test_only_hr_takes_a_copy_of_all_that_is_held(place: Office) -> None:
    supervisor = place.signed_in("supervisor", name="Boss")
    supervisor.get("/admin/people/E-1")
    assert supervisor.post("/admin/people/E-1/export").status_code == 403
    browser = place.signed_in("hr")
    browser.get("/admin/people/E-1")
    held = json.loads(browser.post("/admin/people/E-1/export").content)
    assert (held["name"], len(held["templates"])) == ("Zoë O'Neill", 2)
    assert "vectors" not in held
    assert "vectors" in json.loads(browser.post("/admin/people/E-1/export", {"templates": "yes"}).content)
    assert ("people.export", "E-1", "done", "") in place.acts()


def test_deletion_wants_the_id_typed_and_gives_a_receipt_that_holds(place: Office, tmp_path: Path) -> None:
    browser = place.signed_in("hr")
    browser.get("/admin/people/E-1")
    refused = browser.post("/admin/people/E-1/delete", {"typed_id": "E-2", "why": "left"})
    assert refused.status_code == 422
    assert "Nothing was deleted" in refused.text
    named = browser.post("/admin/people/E-1/delete", {"typed_id": "E-1", "why": "Zoë left"})
    assert "names the person" in named.text
    done = browser.post("/admin/people/E-1/delete", {"typed_id": "E-1", "why": "left"})
    shown = browser.get(done.headers["location"]).text
    assert "Pseudonym of the hours" in shown
    saved = browser.get(f"{done.headers['location']}/file")
    (tmp_path / "receipt.json").write_bytes(saved.content)
    receipt = read(tmp_path / "receipt.json")
    with place.context.store() as store:
        assert store.people.find("E-1") is None
        assert store.erasure.holds(receipt) is True
    assert receipt.content["by"] == "Ada"
    other = place.signed_in("hr", name="Other")
    assert other.get(done.headers["location"]).status_code == 404
    assert ("people.delete", "E-1", "done", "") in place.acts()
    assert not any("Zoë" in field for act in place.acts() for field in act)


def test_withdrawn_consent_erases_the_views_and_switches_the_person_off(place: Office) -> None:
    browser = place.signed_in("hr")
    browser.get("/admin/people/E-1")
    assert browser.post("/admin/people/E-1/withdraw", {"why": "by letter"}).status_code == 303
    with place.context.store() as store:
        person = store.people.get("E-1")
    assert (person.templates, person.status) == (0, PersonStatus.DEACTIVATED)


def test_hr_may_look_and_may_not_change(place: Office) -> None:
    browser = place.signed_in("hr")
    page = browser.get("/admin/people/E-1").text
    assert "Switch off" not in page
    for path in ("details", "deactivate", "activate", "shift", "pin", "badge", "revoke"):
        assert browser.post(f"/admin/people/E-1/{path}", {"name": "x"}).status_code == 403


def test_markup_in_names_groups_labels_and_consent_stays_text(tmp_path: Path) -> None:
    from blinkd.identity.grounds import Grounds

    with office(tmp_path / "state") as place:
        with place.context.store() as store:
            one = sample(1)
            store.people.enrol("E-1", NASTY, [type(one)(one.vectors, source=NASTY, label=NASTY[:40])], Grounds(consent=NASTY))
            store.people.change("E-1", join=[NASTY])
        browser = place.signed_in("supervisor", "hr")
        for path in ("/admin/people", "/admin/people/E-1", f"/admin/people?q={NASTY}&group={NASTY}", "/admin/people/%3Cscript%3E"):
            text = browser.get(path).text
            assert "<img" not in text
            assert "<script>" not in text
            assert 'onerror=alert(1)>"' not in text
        assert escape(NASTY) in browser.get("/admin/people/E-1").text.replace("&#39;", "&#x27;").replace("&#34;", "&quot;")
