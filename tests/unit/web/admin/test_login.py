"""Log-in and its refusals; sessions and how they end; forms and their tokens; what an ended session loses, which is nothing."""

import asyncio
import hashlib
import threading
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from blinkd.web.admin.access import BACKGROUND_HEADER, COOKIE, SECURE_COOKIE, Posted
from blinkd.web.admin.making import Desk
from blinkd.web.admin.operators.login import own_path
from blinkd.web.admin.operators.signing_in import TRIES_OF_ADDRESS, TRIES_OF_NAME, WITHIN_S
from blinkd.web.admin.recorder import MOST_REFUSALS
from blinkd.web.admin.signed import Signed
from tests.unit.store.stores import rows
from tests.unit.web.admin.desks import BASE, PASSWORD, Browser, office

IDLE_S = 15 * 60
SCRIPT = {"Accept": "application/json"}


def pages(desk: Desk) -> list[APIRouter]:
    """One page of each kind."""
    router, access = APIRouter(), desk.context.access

    @router.get("/admin/plain")
    def plain(signed: Annotated[Signed, access.requires("hr", "supervisor")]) -> PlainTextResponse:
        return PlainTextResponse(signed.operator.name)

    @router.post("/admin/form")
    def form(posted: Annotated[Posted, access.posted("supervisor")]) -> JSONResponse:
        return JSONResponse({"words": posted.form.text("words")})

    @router.post("/admin/script")
    def script(signed: Annotated[Signed, access.requires("supervisor")]) -> PlainTextResponse:
        return PlainTextResponse(f"done by {signed.operator.name}")

    return [router]


def wrong(browser: Browser, name: str = "Ada") -> int:
    return browser.log_in(name, "not the password").status_code


def test_the_right_password_opens_and_a_wrong_one_says_only_that(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        place.operator("Ada")
        disabled = place.operator("Bob")
        with place.context.store() as store:
            store.operators.set_disabled(disabled.id, True)
        answers = [
            place.another().log_in(name, password)
            for name, password in (("Ada", "wrong"), ("nobody", PASSWORD), ("Bob", PASSWORD), ("Ada", ""), ("", ""))
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert all("Wrong name or password." in answer.text for answer in answers)
        assert all(not answer.cookies for answer in answers)
        assert place.browser.log_in("ada").headers["location"] == "/admin/dashboard"
        assert place.browser.get("/admin/plain").text == "Ada"
        assert place.acts() == [
            ("login", "operator 1", "refused", "password, from local"),
            ("login", "", "refused", "unknown, from local"),
            ("login", "operator 2", "refused", "disabled, from local"),
            ("login", "operator 1", "refused", "password, from local"),
            ("login", "", "refused", "unknown, from local"),
            ("login", "", "done", ""),
        ]


def test_what_was_typed_as_a_name_is_nowhere_kept(tmp_path: Path) -> None:
    """People type their password into the wrong field."""
    with office(tmp_path, pages) as place:
        place.browser.log_in("my secret password", "x")
        assert all("secret" not in str(act) for act in place.acts())
    assert all(b"my secret" not in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())


def test_the_cookie_opens_and_is_kept_nowhere_but_in_the_browser(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        token = browser.cookies[COOKIE]
        assert len(token) >= 43
        assert rows(tmp_path, "SELECT token FROM web_sessions") == [(hashlib.sha256(token.encode()).digest(),)]
    assert all(token.encode() not in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())


@pytest.mark.parametrize("tls", [False, True])
def test_the_cookie_is_for_this_host_only_and_by_tls_for_tls_only(tmp_path: Path, tls: bool) -> None:
    with office(tmp_path, pages) as place:
        place.operator()
        browser = place.another(tls=tls)
        cookie = browser.log_in().headers["set-cookie"]
        name, _, rest = cookie.partition("=")
        parts = {part.strip().lower() for part in rest.split(";")}
        assert {"httponly", "samesite=strict", "path=/"} <= parts
        assert ("secure" in parts, name) == ((True, SECURE_COOKIE) if tls else (False, COOKIE))
        assert not any(part.startswith("domain") for part in parts)
        assert browser.get("/admin/plain").status_code == 200


def test_who_is_not_logged_in_is_led_to_the_log_in_and_back(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        place.operator()
        browser = place.browser
        location = browser.get("/admin/plain?a=1&b=2").headers["location"]
        assert location == "/admin/login?next=%2Fadmin%2Fplain%3Fa%3D1%26b%3D2"
        assert 'value="/admin/plain?a=1&amp;b=2"' in browser.get(location).text
        assert browser.log_in(next="/admin/plain?a=1&b=2").headers["location"] == "/admin/plain?a=1&b=2"
        assert browser.get("/admin/login?next=/admin/plain").headers["location"] == "/admin/plain"
        answer = place.another().get("/admin/plain", headers=SCRIPT)
        assert (answer.status_code, answer.json()["error"]) == (401, "login")


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example/admin/",
        "/admin/../../x\\y",
        "/\\evil.example",
        "/kiosk",
        "/admin/login",
        "/admin/\nx",
        "/admin/" + "x" * 500,
    ],
)
def test_a_log_in_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    assert own_path(path) == ""
    with office(tmp_path, pages) as place:
        place.operator()
        assert place.browser.log_in(next=path).headers["location"] == "/admin/dashboard"


def test_another_role_is_refused_and_that_is_in_the_audit(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in("technician")
        answer = browser.get("/admin/plain")
        assert answer.status_code == 403
        assert "hr or supervisor" in answer.text
        assert browser.post("/admin/form", {"words": "x"}).status_code == 403
        assert place.acts()[1:] == [("page", "/admin/plain", "refused", "role"), ("page", "/admin/form", "refused", "role")]


def test_a_form_without_the_sessions_token_is_refused(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser, other = place.signed_in(), place.another()
        other.log_in()
        assert browser.post("/admin/form", {"words": "x"}).json() == {"words": "x"}
        for token in ("", "0" * 64, other.csrf, browser.csrf.upper(), "é"):
            assert browser.post("/admin/form", {"words": "x"}, csrf=token).status_code == 403
        assert ("form", "/admin/form", "refused", "csrf") in place.acts()


def test_a_script_sends_the_token_as_a_header(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        assert browser.post("/admin/script", headers={"X-CSRF-Token": browser.csrf}).text == "done by Ada"
        assert browser.post("/admin/script").status_code == 403  # the field does not count there: nothing of the body is read
        answer = browser.post("/admin/script", headers={"X-CSRF-Token": "x"})
        assert (answer.status_code, answer.json()["error"]) == (403, "csrf")


def test_nothing_of_a_body_is_read_before_it_is_known_who_sends_it(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        place.operator()
        for content in (b"x" * 10_000_000, b"--b\r\ngarbage"):
            answer = place.browser.post_raw("/admin/form", content, "multipart/form-data; boundary=b")
            assert answer.status_code == 303
        browser = place.signed_in(name="Eve")
        assert browser.post_raw("/admin/form", b"x" * 100_000, "application/x-www-form-urlencoded").status_code == 413
        assert browser.post_raw("/admin/form", b"--b\r\ngarbage", "multipart/form-data").status_code == 422
        assert browser.post_raw("/admin/form", b"{}", "application/json").status_code == 415


def test_a_session_ends_after_idle_time_and_at_last_whatever_is_done(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        for _ in range(12 * 60 // 14):
            place.clock.wait(seconds=14 * 60)
            assert browser.get("/admin/plain").status_code == 200
        place.clock.wait(seconds=14 * 60)
        assert browser.get("/admin/plain").status_code == 303  # 12 hours are over
        browser.log_in()
        place.clock.wait(seconds=IDLE_S - 1)
        assert browser.get("/admin/plain").status_code == 200
        place.clock.wait(seconds=IDLE_S)
        assert browser.get("/admin/plain").status_code == 303


def test_a_clock_that_is_set_neither_ends_a_session_nor_lengthens_one(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        for year in (1970, 2090):
            place.clock.utc = place.clock.utc.replace(year=year)
            assert browser.get("/admin/plain").status_code == 200
        place.clock.boot_s += IDLE_S
        assert browser.get("/admin/plain").status_code == 303


def test_what_a_script_asks_by_itself_keeps_nobody_logged_in(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        for _ in range(3):
            place.clock.wait(seconds=IDLE_S / 3)
            answer = browser.get("/admin/plain", headers={BACKGROUND_HEADER: "1"})
        assert answer.status_code == 303


def test_a_session_outlasts_the_web_process_and_ends_with_a_restart_of_the_machine(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        cookies = place.signed_in().cookies
    with office(tmp_path, pages) as place:
        place.browser.cookies = cookies
        assert place.browser.get("/admin/plain").status_code == 200
        place.clock.reboot()
        assert place.browser.get("/admin/plain").status_code == 303


def test_log_out_ends_the_session_and_not_only_the_cookie(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        before = browser.cookies[COOKIE]
        assert browser.post("/admin/logout").headers["location"] == "/admin/login"
        assert COOKIE not in browser.cookies
        browser.cookies.set(COOKIE, before)
        assert browser.get("/admin/plain").status_code == 303


def test_a_log_in_gives_a_new_session_and_ends_the_one_before(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        first = browser.cookies[COOKIE]
        browser.log_in()
        assert browser.cookies[COOKIE] != first
        thief = place.another()
        thief.cookies.set(COOKIE, first)
        assert thief.get("/admin/plain").status_code == 303


def test_too_many_wrong_tries_at_a_name_have_to_wait_and_the_wait_ends(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        place.operator()
        browser = place.another("192.0.2.7")
        assert [wrong(browser) for _ in range(TRIES_OF_NAME + 1)] == [401] * TRIES_OF_NAME + [429]
        answer = browser.log_in()
        assert answer.status_code == 429  # the right password too: else it would tell that it is right
        assert int(answer.headers["retry-after"]) == WITHIN_S
        assert place.another("198.51.100.9").log_in("ADA").status_code == 429  # from wherever in the network
        assert place.another().log_in().status_code == 303  # but not for who stands at the terminal
        place.clock.wait(seconds=WITHIN_S)
        assert browser.log_in().status_code == 303


def test_too_many_tries_of_an_address_have_to_wait(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        place.operator()
        guesser = place.another("2001:db8::1")
        assert [wrong(guesser, f"name{number}") for number in range(TRIES_OF_ADDRESS + 1)][-2:] == [401, 429]
        assert wrong(place.another("2001:db8::2")) == 429  # of the same network
        assert place.another("192.0.2.8").log_in().status_code == 303


def test_guesses_do_not_fill_the_disk(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        for number in range(MOST_REFUSALS + 20):
            wrong(place.another(f"192.0.2.{number}"), f"name{number}")
        assert len(place.acts()) == MOST_REFUSALS
        place.clock.wait(hours=1)
        wrong(place.browser)
        assert place.acts()[-2:] == [
            ("refusals", "", "refused", "20 more within an hour were not written down"),
            ("login", "", "refused", "unknown, from local"),
        ]


def test_whoever_is_logged_in_cannot_hide_behind_guesses(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in("technician")
        for number in range(MOST_REFUSALS + 5):
            wrong(place.another(f"192.0.2.{number}"), f"name{number}")
        browser.get("/admin/plain")
        assert place.acts()[-1] == ("page", "/admin/plain", "refused", "role")


def test_a_password_is_hashed_anew_when_the_parameters_have_changed(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        operator = place.operator()
        old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
        with place.context.store() as store:
            store.operators.set_password(operator.id, old, temporary=False)
        assert place.browser.log_in().status_code == 303
        with place.context.store() as store:
            found = store.operators.find("Ada")
        assert found is not None
        assert found[1] != old
        assert place.another().log_in().status_code == 303
        assert place.browser.get("/admin/plain").status_code == 200


# --- a form that comes when the session has just ended ---


def test_a_form_that_came_too_late_is_shown_again_and_sent_by_whose_it_is(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        place.clock.wait(seconds=IDLE_S)
        assert browser.post("/admin/form", {"words": '<b>"long" text', "csrf": browser.csrf}).headers["location"] == "/admin/login"
        assert browser.log_in().headers["location"] == "/admin/again"
        page = browser.get("/admin/again").text
        assert "&lt;b&gt;&#34;long&#34; text" in page
        assert "<b>" not in page
        assert 'action="/admin/form"' in page
        assert browser.post("/admin/form", {"words": '<b>"long" text', "again": "yes"}).json() == {"words": '<b>"long" text'}
        assert browser.get("/admin/again").headers["location"] == "/admin/dashboard"  # it was sent


def test_somebody_else_is_not_shown_it(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        place.operator("Eve")
        place.clock.wait(seconds=IDLE_S)
        browser.post("/admin/form", {"words": "mine"})
        assert browser.log_in("Eve").headers["location"] == "/admin/dashboard"
        assert browser.get("/admin/again").status_code == 303


def test_a_form_that_was_not_this_sessions_is_not_kept(tmp_path: Path) -> None:
    """Else a page of somebody else's could leave one to be confirmed."""
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        place.clock.wait(seconds=IDLE_S)
        browser.post("/admin/form", {"words": "planted"}, csrf="0" * 64)
        assert browser.log_in().headers["location"] == "/admin/dashboard"
        browser.post("/admin/logout")
        browser.post("/admin/form", {"words": "after log-out"})
        assert browser.log_in().headers["location"] == "/admin/dashboard"


def test_it_can_be_discarded(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        place.clock.wait(seconds=IDLE_S)
        browser.post("/admin/form", {"words": "x"})
        browser.log_in()
        browser.get("/admin/again")
        assert browser.post("/admin/again/discard").status_code == 303
        assert browser.get("/admin/again").headers["location"] == "/admin/dashboard"


def test_passwords_in_it_are_not_kept_and_asked_for_again(tmp_path: Path) -> None:
    with office(tmp_path, pages) as place:
        browser = place.signed_in()
        place.clock.wait(seconds=IDLE_S)
        browser.post("/admin/form", {"name": "Bob", "password_new": "a secret", "person.pin": "123456"})
        browser.log_in()
        page = browser.get("/admin/again").text
        assert "Bob" in page
        assert "a secret" not in page
        assert "123456" not in page
        assert "Send it now</button>" not in page  # it would arrive without them
        assert "type them again" in page


def test_what_is_refused_while_the_database_is_busy_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        browser = place.signed_in()
        busy, answered = threading.Event(), threading.Event()
        in_time: list[bool] = []

        def work() -> None:
            with place.context.store():
                busy.set()
                in_time.append(answered.wait(10))

        async def ask() -> int:
            transport = httpx.ASGITransport(place.app, client=("127.0.0.1", 4711))
            async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=browser.cookies) as client:
                refused = asyncio.create_task(client.get("/admin/nothing"))
                await asyncio.sleep(0)
                assert (await client.get("/shared/base.css")).status_code == 200
                answered.set()
                return (await refused).status_code

        worker = threading.Thread(target=work)
        worker.start()
        busy.wait(10)
        assert asyncio.run(ask()) == 404
        worker.join(10)
        assert in_time == [True]
