"""Every address of the desk, whoever adds it: who may ask for it, and that nothing is done without the session's token."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from blinkd.store.operators import ROLES, Role
from tests.unit.web.admin.desks import Browser, Office, office

FOR_ANYBODY = {
    ("GET", "/admin"),
    ("GET", "/admin/"),
    *((method, f"/admin/{name}") for method in ("GET", "POST") for name in ("login", "setup")),
}
FOR_WHOEVER_IS_LOGGED_IN = {
    ("GET", "/admin/account"),
    ("POST", "/admin/account"),
    ("POST", "/admin/logout"),
    ("GET", "/admin/again"),
    ("POST", "/admin/again/discard"),
}
RIGHTS: dict[str, set[Role]] = {  # by how the path begins: nobody else has anything to do there
    "/admin/dashboard": {"supervisor", "hr"},
    "/admin/logs": {"supervisor", "hr"},
    "/admin/people": {"supervisor", "hr"},
    "/admin/receipts/": {"hr"},
    "/admin/register": {"supervisor"},
    "/admin/operators": {"supervisor"},
    "/admin/audit": {"supervisor", "technician"},
    "/admin/settings": {"technician"},
    "/admin/system": {"technician"},
    "/admin/setup/organisation": {"supervisor"},
    "/admin/setup/terminal": {"technician"},
    "/admin/setup/camera": {"technician"},
    "/admin/setup/test": {"supervisor"},
}
FOR_ONE_ROLE: dict[tuple[str, str], Role] = {  # though others may look at what it is about
    ("GET", "/admin/logs/add"): "supervisor",
    ("POST", "/admin/logs/add"): "supervisor",
    ("POST", "/admin/logs/{seq:int}/correct"): "supervisor",
    ("POST", "/admin/logs/export"): "hr",
    ("POST", "/admin/logs/export/punches"): "hr",
    ("POST", "/admin/people/{person_id}/details"): "supervisor",
    ("POST", "/admin/people/{person_id}/pin"): "supervisor",
    ("POST", "/admin/people/{person_id}/badge"): "supervisor",
    ("POST", "/admin/people/{person_id}/revoke"): "supervisor",
    ("POST", "/admin/people/{person_id}/shift"): "supervisor",
    ("POST", "/admin/people/{person_id}/activate"): "supervisor",
    ("POST", "/admin/people/{person_id}/deactivate"): "supervisor",
    ("POST", "/admin/people/{person_id}/export"): "hr",
    ("POST", "/admin/people/{person_id}/delete"): "hr",
}
SCRIPT = {"Accept": "application/json"}
WRONG = "0" * 64


def routes_of(place: Office) -> list[tuple[str, str]]:
    """Method and path of every address but the kiosk's."""
    found = []
    for context in iter_route_contexts(place.app.routes):
        if isinstance(context.original_route, APIRoute) and not str(context.path).startswith("/kiosk"):
            found += [(method, str(context.path)) for method in context.methods or ()]
    return found


def answer_of(browser: Browser, method: str, path: str) -> tuple[int, str]:
    """Status and reason; a form carries another session's token, so that nothing is done."""
    address = re.sub(r"{[^}]+}", "1", path)
    answer = browser.get(address, headers=SCRIPT) if method == "GET" else browser.post(address, csrf=WRONG, headers=SCRIPT)
    reason = answer.json().get("error", "") if answer.headers.get("content-type") == "application/json" else ""
    return answer.status_code, str(reason)


def test_nobody_who_is_not_logged_in_gets_anywhere(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        place.operator()
        found = routes_of(place)
        assert len(found) > 60
        assert {method for method, _ in found} == {"GET", "POST"}
        assert set(found) >= FOR_ANYBODY | FOR_WHOEVER_IS_LOGGED_IN | set(FOR_ONE_ROLE)
        for method, path in sorted(set(found) - FOR_ANYBODY):
            assert path.startswith("/admin/"), path
            assert answer_of(place.browser, method, path) == (401, "login"), (method, path)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_reaches_what_is_its_own_and_no_form_is_taken_without_the_token(tmp_path: Path, role: Role) -> None:
    with office(tmp_path) as place:
        browser = place.signed_in(role)
        for method, path in sorted(set(routes_of(place)) - FOR_ANYBODY):
            got = answer_of(browser, method, path)
            if (method, path) not in FOR_WHOEVER_IS_LOGGED_IN:
                (rights,) = [roles for begin, roles in RIGHTS.items() if path.startswith(begin)]
                only = FOR_ONE_ROLE.get((method, path))
                if role not in rights or only not in (None, role):
                    assert got == (403, "role"), (method, path)
                    continue
            assert got[1] != "role", (method, path)
            if method == "POST":
                assert got == (403, "csrf"), (method, path)
