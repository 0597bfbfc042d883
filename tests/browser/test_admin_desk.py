"""The desk in a real browser: log-in and its refusals, sessions, the first run, settings, operators; by keyboard, at every size, for everybody."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from blinkd.capture.frame import Frame
from blinkd.clock import Instant, SystemClock
from blinkd.outputs.mirror import Shot
from blinkd.outputs.port import Health, PartHealth
from blinkd.overlay import OVERLAY_FILE
from blinkd.session.events import Event
from blinkd.settings import Settings
from blinkd.settings_file import load
from blinkd.store.database import Store
from blinkd.store.operators import ROLES
from blinkd.web.admin.setup.code import make_setup_code
from tests.browser.offices import PASSWORD, Office, add_operator, faults, log_in, pictured, serving, small_targets

NASTY = "<img src=x onerror=alert(1)>'\""
ORG_PASSWORD = "eleven quiet green teapots"
FORM = '<form method="post" action="{url}/admin/logout"><button>win</button></form>'
PAGES = {
    "settings": "/admin/settings",
    "settings-camera": "/admin/settings/camera",
    "settings-relay": "/admin/settings/relay",
    "system": "/admin/system",
    "operators": "/admin/operators",
    "operator": "/admin/operators/1",
    "account": "/admin/account",
    "audit": "/admin/audit",
    "not-there": "/admin/nowhere",
    "first-run": "/admin/setup",
    "first-run-organisation": "/admin/setup/organisation",
    "first-run-terminal": "/admin/setup/terminal",
    "first-run-camera": "/admin/setup/camera",
    "first-run-test": "/admin/setup/test",
}
IN_THE_DARK = ("settings-camera", "system", "operator")  # between them they show everything that has a colour


class LateClock(SystemClock):
    """The machine's, but as much later as the test says."""

    later_s = 0.0

    def now(self) -> Instant:
        now = super().now()
        return Instant(now.utc, now.boot_s + self.later_s, now.boot_id, now.confidence)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """With operators of every kind, one of whom has a name that is meant to break out of its place."""
    state = tmp_path_factory.mktemp("desk") / "state"
    settings = Settings(state_dir=state)
    with closing(Store.open(state, settings.store)) as store:
        add_operator(store, "Ada", *ROLES)
        add_operator(store, NASTY, "supervisor", "technician")
        add_operator(store, "Bob", "hr")
    before = os.environ.get("BLINKD_STATE_DIR")
    os.environ["BLINKD_STATE_DIR"] = str(state)
    try:
        with serving(settings) as opened:
            say_health(opened)
            yield opened
    finally:
        if before is None:
            del os.environ["BLINKD_STATE_DIR"]
        else:
            os.environ["BLINKD_STATE_DIR"] = before


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a state folder of the test's own."""
    monkeypatch.setenv("BLINKD_STATE_DIR", str(tmp_path))
    return Settings()


@pytest.fixture(scope="module")
def cookies(browser: Browser, office: Office) -> list[Any]:
    """Of somebody who has logged in once, for all tests that are not about that."""
    context = browser.new_context()
    log_in(context.new_page(), office.url, "Ada", "/admin/account")
    found = context.cookies()
    context.close()
    return list(found)


@pytest.fixture
def signed(page: Page, cookies: list[Any]) -> Page:
    page.context.add_cookies(cookies)
    return page


def say_health(office: Office) -> None:
    parts = (PartHealth("camera", "ok"), PartHealth("clock", "degraded", "no time server has been heard since the start"))
    office.screen.health(Health(parts, 15.0, 3, 3, 0, 0, 41.0))


# --- log-in ---


def test_a_wrong_password_is_told_as_that_only_and_the_right_one_opens(page: Page, office: Office) -> None:
    page.goto(f"{office.url}/admin/settings")
    for name, password in (("Ada", "wrong"), ("Nobody", PASSWORD)):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("✕ Wrong name or password.")
        assert page.get_by_label("Password").input_value() == ""
    assert page.get_by_label("Name", exact=True).input_value() == "Nobody"
    page.get_by_label("Name", exact=True).fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/settings")
    assert page.evaluate("document.cookie") == ""  # no script can read it


def test_by_keyboard_alone(page: Page, office: Office) -> None:
    page.goto(f"{office.url}/admin/login?next=/admin/operators")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Operators")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for _ in range(40):
        if page.evaluate("document.activeElement.name") == "password_again":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "password_again"  # every field can be reached
    page.get_by_role("button", name="Log out").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/login")
    page.go_back()
    page.goto(f"{office.url}/admin/operators")
    page.wait_for_url("**/admin/login**")


def test_a_page_of_another_origin_can_send_nothing(signed: Page, office: Office) -> None:
    signed.context.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=FORM.format(url=office.url)))
    attacker = signed.context.new_page()
    attacker.goto("http://evil.example/")
    with attacker.expect_response("**/admin/logout") as answer:
        attacker.evaluate("document.querySelector('form').submit()")
    assert answer.value.status == 403
    attacker.close()
    assert signed.goto(f"{office.url}/admin/account").url.endswith("/admin/account")  # type: ignore[union-attr]


def test_a_form_whose_token_was_changed_is_refused(signed: Page, office: Office) -> None:
    signed.goto(f"{office.url}/admin/operators/3")
    signed.evaluate("document.querySelectorAll('input[name=csrf]').forEach((one) => { one.value = '0'.repeat(64); })")
    signed.get_by_role("button", name="Set roles").click()
    expect(signed.get_by_role("heading", level=1)).to_have_text("Not allowed")


def test_another_role_is_refused(page: Page, office: Office) -> None:
    log_in(page, office.url, "Bob", "/admin/account")
    assert page.get_by_role("link", name="Settings").count() == 0
    page.goto(f"{office.url}/admin/settings")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not allowed")
    expect(page.get_by_text("This is for the role technician")).to_be_visible()


def test_too_many_wrong_tries_have_to_wait(page: Page, alone: Settings) -> None:
    with closing(Store.open(alone.state_dir, alone.store)) as store:
        add_operator(store, "Ada", "supervisor")
    with serving(alone) as office:
        page.goto(f"{office.url}/admin/login")
        for _ in range(9):
            page.get_by_label("Name", exact=True).fill("Ada")
            page.get_by_label("Password").fill("wrong")
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_text("✕ Too many wrong tries; try again in 10 min.")


def test_an_ended_session_loses_nothing_of_what_was_typed(page: Page, alone: Settings) -> None:
    clock = LateClock()
    with closing(Store.open(alone.state_dir, alone.store)) as store:
        add_operator(store, "Ada", *ROLES)
        add_operator(store, "Bob", "hr")
    with serving(alone, clock) as office:
        log_in(page, office.url, "Ada", "/admin/operators/2")
        page.get_by_label("Technician: settings").check()
        clock.later_s = 901.0
        page.get_by_role("button", name="Set roles").click()
        page.wait_for_url("**/admin/login")
        page.get_by_label("Name", exact=True).fill("Ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/again")
        expect(page.get_by_text("hr, technician")).to_be_visible()
        assert faults(page) == []
        page.get_by_role("button", name="Send it now").click()
        page.wait_for_url("**/admin/operators")
        expect(page.get_by_role("status")).to_contain_text("Bob has other roles now")
        with office.shared.use() as store:
            assert store.operators.named("Bob").roles == {"hr", "technician"}


# --- settings ---


def test_a_wrong_value_is_told_at_its_field_and_a_right_one_is_in_force(signed: Page, office: Office) -> None:
    signed.goto(f"{office.url}/admin/settings/attendance")
    grace = signed.get_by_label("grace_min, minutes")
    grace.fill("soon")
    grace.press("Enter")
    expect(grace).to_have_attribute("aria-invalid", "true")
    expect(grace).to_have_accessible_description("“soon” is not a whole number, as 5.")
    assert grace.input_value() == "soon"
    assert faults(signed) == []
    assert not (office.settings.state_dir / OVERLAY_FILE).exists()
    grace.fill("3")
    grace.press("Enter")
    expect(signed.get_by_role("status")).to_contain_text("In force within a second: attendance.grace_min")
    assert office.desk.context.settings.attendance.grace_min == 3
    assert load().settings.attendance.grace_min == 3
    signed.get_by_role("button", name="Put grace_min back").click()
    expect(signed.get_by_label("grace_min, minutes")).to_have_value("10")


def test_markup_in_settings_and_names_does_nothing(page: Page, office: Office) -> None:
    log_in(page, office.url, NASTY, "/admin/settings/camera")
    page.get_by_label("device", exact=True).fill(f"/dev/{NASTY}")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_role("status")).to_contain_text("after a restart")
    expect(page.get_by_label("device", exact=True)).to_have_value(f"/dev/{NASTY}")
    for path in ("settings", "operators", "operators/2", "account", "audit"):
        page.goto(f"{office.url}/admin/{path}")
        assert page.locator("img").count() == 0
        expect(page.get_by_text("<img src=x").first).to_be_visible()
    page.goto(f"{office.url}/admin/settings/camera")
    page.get_by_role("button", name="Put device back").click()
    expect(page.get_by_label("device", exact=True)).to_have_value("/dev/video0")


# --- the first run ---


def test_the_first_run_whole(page: Page, alone: Settings, screens: Path) -> None:
    with serving(alone) as office:
        with office.shared.use() as store:
            code = make_setup_code(store, SystemClock().now())
        page.goto(f"{office.url}/admin")
        page.wait_for_url("**/admin/setup")
        assert faults(page) == []
        pictured(page, screens, "admin-first-run-code")
        page.get_by_label("Code").fill("0000-0000-0000-0000-0000")
        fill_operator(page)
        expect(page.get_by_text("wrong; read it again")).to_be_visible()
        page.get_by_label("Code").fill(code)
        fill_operator(page)
        page.wait_for_url("**/setup/organisation")
        page.get_by_label("Name of the organisation").fill("acme")
        page.get_by_label("Organisation password", exact=True).first.fill(ORG_PASSWORD)
        page.get_by_label("Organisation password, once more").fill(ORG_PASSWORD)
        page.get_by_label("I have written it down").check()
        page.get_by_role("button", name="Make the keyring").click()
        page.wait_for_url("**/setup/terminal")
        page.get_by_label("Name of this terminal").fill("door-7")
        page.get_by_label("Time zone of the site").select_option("Europe/Madrid")
        page.get_by_role("button", name="Save and go on").click()
        page.wait_for_url("**/setup/camera")
        film(office)
        live = page.get_by_role("img", name="What the camera sees")
        expect(live).to_have_attribute("src", re.compile("^blob:"))
        expect(live).to_have_js_property("naturalWidth", 320)
        pictured(page, screens, "admin-first-run-live")
        page.get_by_role("button", name="The picture is right").click()
        page.wait_for_url("**/setup/test")
        expect(page.get_by_text("Nobody is registered yet")).to_be_visible()
        office.screen.event(Event(0.0, 1, "refused", {"reason": "not_live"}))
        expect(page.get_by_text("No sign of life was seen")).to_be_visible()
        office.screen.event(Event(0.0, 2, "punch", {"name": NASTY, "status": "CHECK_IN", "seq": 1}))
        expect(page.get_by_text(f"{NASTY} was known: IN.")).to_be_visible()
        assert page.locator("img").count() == 0
        pictured(page, screens, "admin-first-run-punch")
        page.get_by_role("button", name="Finish").click()
        expect(page.get_by_text("done")).to_have_count(4)
    assert (load().settings.terminal.id, load().settings.terminal.timezone) == ("door-7", "Europe/Madrid")


def fill_operator(page: Page) -> None:
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    page.get_by_label("Your password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()


def film(office: Office) -> None:
    """One picture after the other, until the office is closed."""
    image = np.full((240, 320, 3), 90, np.uint8)

    def draw() -> None:
        index = 0
        while not office.closed.wait(0.05):
            index += 1
            frame = Frame(image, SystemClock().monotonic(), index)
            office.screen._mirror.show(Shot(frame, None, "idle", "", mirrored=False))

    threading.Thread(target=draw, daemon=True).start()


# --- every page ---


@pytest.mark.parametrize(("name", "path"), PAGES.items(), ids=list(PAGES))
def test_every_page_is_for_everybody_and_fits_every_size(signed: Page, office: Office, screens: Path, name: str, path: str) -> None:
    signed.goto(office.url + path)
    expect(signed.get_by_role("heading", level=1)).to_be_visible()
    expect(signed.locator("[data-under-way]")).to_have_count(0, timeout=60_000)  # System begins anew when doctor is done
    assert faults(signed) == []
    assert small_targets(signed) == []
    pictured(signed, screens, f"admin-{name}")
    if name in IN_THE_DARK:
        signed.emulate_media(color_scheme="dark")
        assert faults(signed) == []


def test_the_log_in_is_for_everybody_and_fits_every_size(page: Page, office: Office, screens: Path) -> None:
    page.goto(f"{office.url}/admin/login")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert faults(page) == []
    assert small_targets(page) == []
    pictured(page, screens, "admin-login")


def test_system_shows_what_doctor_finds_by_itself(signed: Page, office: Office, screens: Path) -> None:
    say_health(office)
    signed.goto(f"{office.url}/admin/system")
    expect(signed.get_by_role("cell", name="userland")).to_be_visible(timeout=60_000)  # without a click: the script asks
    expect(signed.get_by_text("no time server has been heard")).to_be_visible()
    assert faults(signed) == []
    pictured(signed, screens, "admin-system-doctor")
