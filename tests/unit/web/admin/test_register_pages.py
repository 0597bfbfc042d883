"""Register, as far as no network is needed: whose registration it is, what is kept of it, and what is refused."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest

from blinkd.settings import WebSettings
from tests.unit.web.admin.desks import Browser, Office, office

IDLE_S = WebSettings().session_idle_min * 60.0
NASTY = "<script>alert(1)</script>'\"&"
TYPED = {"name": NASTY, "person_id": "E-9", "groups": NASTY, "consent": NASTY, "label": NASTY}
SCRIPT = {"Accept": "application/json", "X-Blinkd-Background": "1"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path / "state") as opened:
        with opened.context.store() as store:
            store.people.enrol("E-1", NASTY, [])
        yield opened
        opened.desk.close()


def begun(place: Office, name: str = "Ada") -> Browser:
    browser = place.signed_in("supervisor", name=name)
    browser.get("/admin/register")
    assert browser.post("/admin/register/begin", {"mode": "new", "by": "pictures"}).status_code == 303
    browser.get("/admin/register")
    return browser


def test_consent_is_explained_before_anything_is_looked_at(place: Office) -> None:
    page = place.signed_in("supervisor").get("/admin/register").text
    assert "It keeps no picture." in page
    assert "Use the camera" in page


def test_what_was_typed_is_there_after_the_session_has_ended_and_somebody_logged_in_anew(place: Office) -> None:
    browser = begun(place)
    assert browser.post("/admin/register/draft", TYPED).status_code == 303
    for _ in range(3):  # the page asks by itself, and that keeps nobody logged in
        place.clock.wait(seconds=IDLE_S / 3 + 1)
        answer = browser.get("/admin/register/progress", headers=SCRIPT)
    assert answer.status_code == 401
    assert browser.log_in("Ada").status_code == 303
    page = browser.get("/admin/register").text
    for value in TYPED.values():
        assert escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert "<script>alert" not in page


def test_a_form_that_is_sent_after_the_session_has_ended_is_shown_again(place: Office) -> None:
    browser = begun(place)
    place.clock.wait(seconds=IDLE_S + 1)
    assert browser.post("/admin/register/finish", TYPED | {"decision": ""}).status_code == 303
    assert browser.log_in("Ada").headers["location"] == "/admin/again"
    again = browser.get("/admin/again").text
    assert "E-9" in again
    assert "<script>alert" not in again


def test_registrations_of_two_operators_do_not_mix(place: Office) -> None:
    ada = begun(place)
    ada.post("/admin/register/draft", {"name": "Robin"})
    bob = place.signed_in("supervisor", name="Bob")
    assert "Robin" not in bob.get("/admin/register").text
    assert bob.get("/admin/register/progress", headers=SCRIPT).status_code == 410
    assert bob.get("/admin/register/picture", headers=SCRIPT).status_code == 404
    assert bob.post("/admin/register/end").status_code == 303
    assert "Robin" in ada.get("/admin/register").text


def test_nobody_is_registered_before_anybody_was_seen(place: Office) -> None:
    browser = begun(place)
    answer = browser.post("/admin/register/finish", {"mode": "new", "name": "Robin", "decision": "allow"})
    assert answer.status_code == 422
    assert "Nobody has been seen well enough" in answer.text
    assert 'value="Robin"' in answer.text
    with place.context.store() as store:
        assert [person.id for person in store.people.all()] == ["E-1"]
    assert ("people.new", "", "refused", "no_face") in place.acts()


def test_more_views_are_for_somebody_who_is_known(place: Office) -> None:
    browser = place.signed_in("supervisor")
    page = browser.get("/admin/register?person=E-1&mode=add").text
    assert "More views of" in page
    assert "<script>alert" not in page
    assert browser.get("/admin/register?person=E-99&mode=add").status_code == 404
    assert browser.post("/admin/register/begin", {"mode": "refresh", "person_id": "E-99", "by": "pictures"}).status_code == 404
    assert browser.post("/admin/register/begin", {"mode": "refresh", "person_id": "E-1", "by": "pictures"}).status_code == 303
    assert "New views of" in browser.get("/admin/register").text


def test_what_is_no_picture_is_refused_and_one_that_is_too_large_is_not_read(place: Office) -> None:
    browser = begun(place)
    nothing = browser.post("/admin/register/pictures", {}, files={"picture": ("a.jpg", b"", "image/jpeg")})
    assert (nothing.status_code, "Choose a picture first" in nothing.text) == (422, True)
    large = browser.post("/admin/register/pictures", {}, files={"picture": ("a.jpg", b"x" * (11 * 2**20), "image/jpeg")})
    assert large.status_code == 413
    two = [("picture", ("a.jpg", b"x", "image/jpeg")), ("picture", ("b.jpg", b"x", "image/jpeg"))]
    assert browser.post("/admin/register/pictures", {}, files=two).status_code == 422


def test_ending_forgets_everything(place: Office) -> None:
    browser = begun(place)
    browser.post("/admin/register/draft", {"name": "Robin"})
    assert browser.post("/admin/register/end").status_code == 303
    page = browser.get("/admin/register").text
    assert "Robin" not in page
    assert "Use the camera" in page
    gone = browser.post("/admin/register/anew")
    assert gone.status_code == 410


def test_who_says_no_is_added_without_a_face(place: Office) -> None:
    browser = place.signed_in("supervisor")
    browser.get("/admin/register")
    for fields, said in (
        ({"name": "", "person_id": "E-3"}, "The name is empty"),
        ({"name": "Robin", "person_id": ""}, "use up to 64 letters"),
        ({"name": "Robin", "person_id": "E-1"}, "belongs to somebody already"),
        ({"name": "Robin", "person_id": "E-3", "groups": "x" * 61}, "shorten it to 60"),
    ):
        answer = browser.post("/admin/register/faceless", fields)
        assert (answer.status_code, said in answer.text) == (422, True), said
    done = browser.post("/admin/register/faceless", {"name": "Robin", "person_id": "E-3", "groups": "night"})
    assert done.headers["location"] == "/admin/people/E-3"
    page = browser.get("/admin/people/E-3").text
    assert "Give them a PIN or a badge below" in page
    assert "No face is kept" in page
    with place.context.store() as store:
        assert store.people.get("E-3").groups == ("night",)
    assert [one for one in place.acts() if one[0] == "people.add"] == [("people.add", "E-3", "done", "")]


def test_hr_registers_nobody(place: Office) -> None:
    browser = place.signed_in("hr")
    assert browser.get("/admin/register").status_code == 403
    for path in ("begin", "draft", "finish", "pictures", "leave-out", "anew", "end", "camera", "faceless"):
        assert browser.post(f"/admin/register/{path}").status_code == 403
