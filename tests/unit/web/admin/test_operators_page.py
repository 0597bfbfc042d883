"""Operators are taken in, changed and shut out by supervisors; everybody changes their own password."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.web.admin.desks import PASSWORD, Office, office

OTHER = "eleven quiet green teapots"
LIST = "/admin/operators"
TWICE = {"password_new": OTHER, "password_again": OTHER}


def told(place: Office) -> list[tuple[str, str, str, str]]:
    return [act for act in place.acts() if act[0] not in ("login", "logout")]


def test_somebody_is_taken_in_and_must_choose_a_password(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        browser = place.signed_in("supervisor")
        browser.get(LIST)
        assert browser.post(LIST, {"name": "Bob", "role": ["hr", "technician"], **TWICE}).status_code == 303
        assert "must choose a password" in browser.get(LIST).text
        assert told(place) == [("operators.add", "operator 2", "done", "hr technician")]
        bob = place.another()
        assert bob.log_in("Bob", OTHER).status_code == 303
        for path in ("/admin/settings", "/admin/system", "/admin/audit"):
            assert bob.get(path).headers["location"] == "/admin/account"
        page = bob.get("/admin/account").text
        assert "Somebody else chose your password" in page
        new = {"password_old": OTHER, "password_new": PASSWORD, "password_again": PASSWORD}
        assert bob.post("/admin/account", new).headers["location"] == "/admin/dashboard"
        assert bob.get("/admin/settings").status_code == 200
        assert place.another().log_in("Bob", OTHER).status_code == 401


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "", "role": "hr", **TWICE}, "Give the name"),
        ({"name": "Bob", **TWICE}, "Tick one role at least"),
        ({"name": "ADA", "role": "hr", **TWICE}, "already"),
        ({"name": "a\x00b", "role": "hr", **TWICE}, "does not show"),
        ({"name": "Bob", "role": "root", **TWICE}, "needs a role"),
        ({"name": "Bob", "role": "hr", "password_new": "short", "password_again": "short"}, "5 characters"),
        ({"name": "Bob", "role": "hr", "password_new": "password1234", "password_again": "password1234"}, "would be guessed"),
        ({"name": "Bob", "role": "hr", "password_new": "Bob Bob Bob Bob", "password_again": "Bob Bob Bob Bob"}, "would be guessed"),
        ({"name": "Bob", "role": "hr", "password_new": OTHER, "password_again": PASSWORD}, "not the same"),
    ],
)
def test_what_is_wrong_is_said_and_nobody_is_taken_in(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    with office(tmp_path) as place:
        browser = place.signed_in("supervisor")
        answer = browser.post(LIST, fields)
        assert answer.status_code == 422
        assert said in answer.text
        assert told(place) == []
        with place.context.store() as store:
            assert len(store.operators.all()) == 1


def test_roles_passwords_and_rights_are_changed_and_sessions_end_with_them(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        browser = place.signed_in("supervisor")
        bob = place.signed_in("technician", name="Bob")
        page = f"{LIST}/2"
        for action, fields in (
            ("roles", {"role": ["technician", "hr"]}),
            ("password", TWICE),
            ("state", {"disabled": "yes"}),
        ):
            assert bob.get("/admin/account").status_code == 200
            browser.get(page)
            assert browser.post(f"{page}/{action}", fields).status_code == 303
            assert bob.get("/admin/account").status_code == 303
            bob.log_in("Bob", OTHER if action == "password" else PASSWORD)
        assert place.another().log_in("Bob", OTHER).status_code == 401
        browser.post(f"{page}/state")
        assert place.another().log_in("Bob", OTHER).status_code == 303
        assert told(place) == [
            ("operators.roles", "operator 2", "done", "hr technician"),
            ("operators.reset", "operator 2", "done", ""),
            ("operators.disable", "operator 2", "done", ""),
            ("operators.enable", "operator 2", "done", ""),
        ]


@pytest.mark.parametrize(("action", "fields"), [("roles", {"role": "hr"}), ("state", {"disabled": "yes"})])
def test_the_last_supervisor_cannot_shut_everybody_out(tmp_path: Path, action: str, fields: dict[str, Any]) -> None:
    with office(tmp_path) as place:
        browser = place.signed_in("supervisor")
        browser.get(f"{LIST}/1")
        answer = browser.post(f"{LIST}/1/{action}", fields)
        assert answer.status_code == 422
        assert "No supervisor would be left" in answer.text
        assert told(place) == []
        assert browser.get(LIST).status_code == 200


@pytest.mark.parametrize("role", ["hr", "technician"])
def test_others_do_not_come_in(tmp_path: Path, role: Any) -> None:
    with office(tmp_path) as place:
        browser = place.signed_in(role)
        for path in (LIST, f"{LIST}/1"):
            assert browser.get(path).status_code == 403
        for path in (LIST, f"{LIST}/1/roles", f"{LIST}/1/password", f"{LIST}/1/state"):
            assert browser.post(path, {"role": "supervisor", **TWICE}).status_code == 403
        with place.context.store() as store:
            assert [one.roles for one in store.operators.all()] == [{role}]


def test_ones_own_password_needs_the_old_one_and_ends_other_sessions_only(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        browser, elsewhere = place.signed_in("supervisor"), place.another()
        elsewhere.log_in()
        answer = browser.post("/admin/account", {"password_old": "wrong", **TWICE})
        assert (answer.status_code, "not your present password" in answer.text) == (422, True)
        answer = browser.post("/admin/account", {"password_old": PASSWORD, "password_new": PASSWORD, "password_again": PASSWORD})
        assert (answer.status_code, "the password that you have" in answer.text) == (422, True)
        assert browser.post("/admin/account", {"password_old": PASSWORD, **TWICE}).status_code == 303
        assert browser.get("/admin/operators").status_code == 200
        assert elsewhere.get("/admin/operators").status_code == 303
        assert told(place) == [("account.password", "operator 1", "done", "")]


def test_the_old_password_can_not_be_guessed_there(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        browser = place.signed_in("supervisor")
        answers = [browser.post("/admin/account", {"password_old": f"guess {number}", **TWICE}).text for number in range(9)]
        assert "Too many wrong tries" in answers[-1]


def test_the_audit_names_operators_for_supervisors_only(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        supervisor, technician = place.signed_in("supervisor", name="Zoë"), place.signed_in("technician", name="Bob")
        assert "Zoë (1)" in supervisor.get("/admin/audit").text
        page = technician.get("/admin/audit").text
        assert "operator 1" in page
        assert "Zoë" not in page


def test_markup_in_a_name_stays_text(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>'\"&"
    with office(tmp_path) as place:
        browser = place.signed_in("supervisor", name=name)
        for path in (LIST, f"{LIST}/1", "/admin/account", "/admin/audit"):
            page = browser.get(path).text
            assert "<img src=x" not in page
            assert "&lt;img src=x onerror=alert(1)&gt;" in page
