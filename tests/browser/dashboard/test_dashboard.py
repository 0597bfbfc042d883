"""The dashboard as people use it: by mouse, by keyboard, by screen reader, on every screen."""

import csv
import io
import re
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route

from blinkd.attendance.reports.period import period_of
from blinkd.attendance.reports.report import Site
from blinkd.clock import Instant
from blinkd.office.making import counted
from blinkd.relay.dashboard.pages import Pages
from tests.browser.dashboard.conftest import cards, enter, opened, rows
from tests.browser.dashboard.organisation import HOSTILE, NOW, PASSWORD, ZONE, Organisation

SMALL = """[...document.querySelectorAll('button, input, select, summary, fieldset label')]
  .filter(one => one.checkVisibility() && one.type !== 'checkbox' && one.getBoundingClientRect().height < 48).map(one => one.id || one.innerText)"""
SERIOUS = ("serious", "critical")
# contrast depends on the scheme and not on the size, so axe, which is slow, looks once at each
SCREENS = [(390, 844, "light", True), (1280, 800, "dark", True), (768, 1024, "dark", False), (1920, 1080, "light", False)]


@pytest.fixture
def board(page: Page, few_at: str, token: str) -> Page:
    """Logged in, everything loaded."""
    opened(page, few_at, token)
    return page


def shown(page: Page, kind: str, day: str) -> None:
    page.get_by_role("button", name=kind, exact=True).click()
    page.get_by_label("Date", exact=True).fill(day)
    page.get_by_label("Date", exact=True).blur()


def test_a_week_of_one_terminal_is_what_blinkd_report_says_of_it(board: Page, few: Organisation) -> None:
    board.locator("#terminals-summary").click()
    for chosen in few.desks:
        for name in few.desks:
            board.get_by_role("checkbox", name=name).set_checked(name == chosen)
        shown(board, "Week", "2026-11-25")
        desk = few.desks[chosen]
        site = Site(chosen, [chosen], desk.parts.rota(desk.store))
        period = period_of("week", "2026-11-25", NOW.date())
        report = counted(site, desk.store, period, Instant(NOW, 0.0, "boot", "synced"), None).report
        expected = [
            [str(totals.present + totals.half_day + totals.open), str(totals.late), "final" if state.final else "provisional"]
            for state, totals in report.days
        ]
        assert [[came, late, state] for _, _, late, came, _, state in rows(board, "#trend-table")] == expected
        assert [cell[-1] for cell in expected].count("provisional") == (1 if chosen == "door-1" else 0)


def test_today_says_who_is_in_who_is_late_and_why_it_may_still_change(board: Page) -> None:
    assert cards(board) == {"in": 7, "people": 7, "late": 5, "punches": 7}
    assert [row[0] for row in rows(board, "#in-list")][-3:] == ["Cy Example", "Bo Example", "Ann Example"]
    assert [row[3] for row in rows(board, "#late-list")] == ["45 min", "35 min", "27 min", "19 min", "11 min"]
    said = board.locator("#provisional").inner_text()
    assert "the day is not over" in said and "punches whose time is uncertain may belong to it: door-2" in said


def test_a_day_that_a_terminal_has_not_reported_past_is_provisional(page: Page, few_at: str, token: str) -> None:
    page.add_init_script("Date.now = (now => () => now() + 86400000)(Date.now)")  # it is tomorrow, and nobody has come yet
    opened(page, few_at, token)
    shown(page, "Day", "2026-11-30")
    said = page.locator("#provisional").inner_text()
    assert "door-1: has reported up to 2026-11-30 09:27, entry" in said and "door-2: has reported up to 2026-11-30" in said


def test_a_person_is_found_and_their_punches_show_what_was_corrected(board: Page) -> None:
    shown(board, "Week", "2026-11-25")
    board.get_by_label("Person", exact=True).fill("bo ex")
    board.locator("#attendance-list tbody tr").nth(0).get_by_text("Bo Example").wait_for()
    board.wait_for_function("() => document.querySelectorAll('#attendance-list tbody tr').length === 1")
    punches = rows(board, "#punches-list")
    assert [row[1] for row in punches[:2]] == ["in", "out"] and "voided" in punches[0][4]
    assert punches[0][6] == "void by Supervisor: a test of the door"
    board.get_by_label("Person", exact=True).fill("E-6")
    board.get_by_text("uphold by Supervisor: was right, <b>sorry</b>").wait_for()


def test_what_was_erased_is_not_shown_even_where_the_relay_still_has_it(board: Page) -> None:
    shown(board, "Month", "2026-11-25")
    names = {row[0] for row in rows(board, "#attendance-list")}
    assert not [name for name in names if "Gone" in name or name.startswith("p-")]


def test_another_time_zone_counts_other_days(board: Page) -> None:
    shown(board, "Day", "2026-11-30")
    assert rows(board, "#attendance-list")[0][2] == "09:03:00"
    board.get_by_label("Time zone").select_option("Pacific/Auckland")
    board.get_by_text("Nobody came.").wait_for(state="detached")
    assert rows(board, "#attendance-list")[0][2] == "21:03:00"


def test_names_are_text_and_never_run(board: Page) -> None:
    """The fixture of the page fails the test for any dialog, error, or script that the policy stopped."""
    shown(board, "Month", "2026-11-25")
    names = {row[0] for row in rows(board, "#attendance-list")}
    assert set(HOSTILE) <= names
    board.get_by_label("Person", exact=True).fill("<img")
    board.wait_for_function("() => document.querySelectorAll('#attendance-list tbody tr').length === 1")
    assert board.locator("main img, main script, main a[href^=javascript]").count() == 0
    assert board.title() == "Attendance of acme"


def test_files_for_spreadsheets_run_nothing_and_hold_what_is_shown(board: Page) -> None:
    shown(board, "Month", "2026-11-25")
    for button, columns in (("Attendance as CSV", 9), ("Punches as CSV", 10)):
        with board.expect_download() as download:
            board.get_by_role("button", name=button).click()
        text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline="")))
        assert {len(line) for line in lines} == {columns}
        cells = {cell for line in lines for cell in line}
        assert '\'=HYPERLINK("https://evil.example")' in cells and "'@SUM(1+1)" in cells
        assert not [cell for cell in cells if re.match(r" *[=+@\t\r-]", cell)]
    assert re.fullmatch(r"punches-month-2026-11-01\.csv", download.value.suggested_filename)


def test_it_works_by_the_keyboard_alone(page: Page, few_at: str, token: str) -> None:
    page.goto(f"{few_at}/dashboard/")
    assert page.evaluate("document.activeElement.id") == "token"
    page.keyboard.type(token)
    page.keyboard.press("Tab")
    page.keyboard.insert_text(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Everything is loaded").wait_for(state="attached")
    assert page.evaluate("document.activeElement.id") == "title"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Week").get_attribute("aria-pressed") == "true"
    assert page.locator("#title").inner_text().startswith("Week: Mon 30 Nov")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.getAttribute('aria-label') || ''"))
    assert {"earlier", "later", "search", "zone", "terminals-summary", "csv-attendance", "csv-punches", "load-all"} <= reached
    assert "People who came, by day" in reached  # a table that scrolls can be scrolled by keys


@pytest.mark.parametrize(("width", "height", "scheme", "audited"), SCREENS)
def test_it_is_accessible_and_fits_on_every_screen(
    page: Page, few_at: str, token: str, screens: Path, width: int, height: int, scheme: str, audited: bool
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": height})

    def look(name: str) -> None:
        page.screenshot(path=screens / f"dashboard-{name}-{width}x{height}-{scheme}.png", full_page=name != "day")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"
        assert page.evaluate(SMALL) == []
        if audited:
            found = Axe().run(page).response["violations"]
            assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found if one["impact"] in SERIOUS] == []

    page.goto(f"{few_at}/dashboard/")
    look("login")
    opened(page, few_at, token)
    look("day")
    page.locator("#terminals-summary").click()
    shown(page, "Week", "2026-11-25")
    page.get_by_label("Person", exact=True).fill("Bo Ex")
    page.locator("#punches-list").get_by_text("voided").first.wait_for()
    page.get_by_text("In words").click()
    look("week")


def test_a_wrong_token_is_said_in_the_relays_words(page: Page, few_at: str) -> None:
    enter(page, few_at, "blinkd_0123456789abcdef_" + "A" * 43)
    page.get_by_role("alert").get_by_text("The relay does not take this token").wait_for()
    assert page.evaluate("document.activeElement.id") == "token"


def test_a_relay_that_goes_away_is_said_and_what_is_there_stays(page: Page, few_at: str, token: str) -> None:
    page.route("**/api/v1/dashboard/people?*", lambda route: route.fulfill(status=500, body="broken"))
    enter(page, few_at, token)
    page.locator("#progress-words").get_by_text("Not everything could be loaded").wait_for()
    page.locator("#cards [data-card=people] dd").get_by_text("7", exact=True).wait_for()


def test_who_could_not_get_in_may_try_again(page: Page, few_at: str, token: str) -> None:
    page.route("**/api/v1/dashboard/keyring?*", lambda route: route.abort(), times=1)
    enter(page, few_at, token)
    page.get_by_role("alert").get_by_text("The relay does not answer").wait_for()
    page.route("**/api/v1/dashboard/books?*", lambda route: route.fulfill(status=500, body="broken"), times=1)
    for words in ("The relay answered 500", None):
        page.get_by_label("Organisation password").fill(PASSWORD)
        page.get_by_label("Relay token").fill(token)
        page.get_by_role("button", name="Open").click()
        if words is not None:
            page.get_by_role("alert").get_by_text(words).wait_for()
    page.locator("#in-list").get_by_text("Ann Example").wait_for()


def test_a_busy_relay_is_asked_again_after_the_time_that_it_names(page: Page, few_at: str, token: str) -> None:
    asked = []

    def busy(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=429, headers={"Retry-After": "1"}, body='{"error":"too_many_requests","detail":"slowly"}')
        else:
            route.continue_()

    page.route("**/api/v1/dashboard/keyring?*", busy)
    enter(page, few_at, token)
    page.locator("#board").wait_for()
    assert len(asked) == 2


def test_a_browser_without_cryptography_on_plain_http_is_told_what_to_do(page: Page, few_at: str) -> None:
    def elsewhere(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace("http://relay.example", few_at)))

    page.route("http://relay.example/**", elsewhere)
    page.goto("http://relay.example/dashboard/")
    said = page.get_by_role("alert").inner_text()
    assert "Open this page over https" in said and "http://127.0.0.1" in said
    assert page.get_by_label("Organisation password").is_hidden()


@pytest.fixture
def standing(browser: Browser, few_at: str, token: str) -> Iterator[Page]:
    """A page whose time the test moves."""
    context = browser.new_context(timezone_id=ZONE, locale="en-GB")
    page = context.new_page()
    page.clock.install(time=NOW)
    enter(page, few_at, token)
    page.locator("#board").wait_for()
    yield page
    context.close()


def test_ten_minutes_without_a_touch_forget_everything(standing: Page) -> None:
    standing.clock.run_for("09:00")
    standing.mouse.click(5, 5)
    standing.clock.run_for("09:00")
    assert standing.locator("#board").is_visible()
    standing.clock.run_for("01:01")
    standing.get_by_text("Nobody was here for 10 minutes").wait_for()
    assert standing.locator("#board").is_hidden()
    assert "Example" not in standing.content()


def test_new_punches_appear_by_themselves(browser: Browser, tmp_path: Path) -> None:
    made = Organisation.begin(tmp_path / "acme")
    desk = made.terminal("door-1", utc=NOW - timedelta(hours=2))
    made.enrol(desk, "E-1", "Ann Example")
    made.enrol(desk, "E-2", "Bo Example", 2)
    made.publish_keyring(desk)
    desk.punch("E-1", NOW - timedelta(hours=1))
    made.sync(desk)
    context = browser.new_context(timezone_id=ZONE)
    page = context.new_page()
    with made.served() as address:
        page.clock.install(time=NOW)
        enter(page, address, made.token())
        page.locator("#in-list").get_by_text("Ann Example").wait_for()
        desk.punch("E-2", NOW - timedelta(minutes=30))
        desk.punch("E-1", NOW - timedelta(minutes=20))
        made.sync(desk)
        page.clock.run_for("01:01")
        page.locator("#in-list").get_by_text("Bo Example").wait_for()
        assert cards(page)["in"] == 1
        other = made.terminal("door-2", utc=NOW)
        made.enrol(desk, "E-3", "Cy Newcomer", 3)
        desk.store.erasure.delete("E-2", "pseudonym", "HR", "left the company", desk.clock.now())
        made.sync(desk)
        made.sync(other)
        other.punch("E-3", NOW - timedelta(minutes=10))
        made.sync(other)
        page.clock.run_for("01:01")
        page.locator("#in-list").get_by_text("Cy Newcomer").wait_for()
        page.locator("#in-list").get_by_text("Bo Example").wait_for(state="detached")
        assert [row[0][:2] for row in rows(page, "#in-list")] == ["Cy", "p-"]  # who is deleted keeps the hours, under a pseudonym
        assert page.locator("#terminals-summary").inner_text() == "Terminals: 2 of 2"
        assert page.locator("#proof").get_by_text("No fault was found.").is_visible()
    context.close()
    made.close()


def test_dates_are_what_the_period_says(board: Page) -> None:
    for kind, day, words in (
        ("Week", "2026-11-29", "Week: Mon 23 Nov to Sun 29 Nov 2026"),
        ("Month", "2026-02-14", "Month: Sun 1 Feb to Sat 28 Feb 2026"),
        ("Day", "2026-10-25", "Day: Sun 25 Oct 2026"),
    ):
        shown(board, kind, day)
        assert board.locator("#title").inner_text() == words
    assert date(2026, 10, 25).weekday() == 6


def test_a_copy_on_another_server_reads_the_relay_that_allows_it(page: Page, few: Organisation, token: str, tmp_path: Path) -> None:
    """`blinkd relay dashboard DIR --relay URL`: the relay's operator then has no say in the page that is given the password."""
    files = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "copy"))
    with ThreadingHTTPServer(("127.0.0.1", 0), files) as server:
        origin = f"http://127.0.0.1:{server.server_port}"
        with few.served(dashboard=False, dashboard_origins=[origin]) as relay:
            Pages.read(relay).write(tmp_path / "copy")
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            page.goto(f"{origin}/")
            page.get_by_label("Relay token").fill(token)
            page.get_by_label("Organisation password").fill(PASSWORD)
            page.get_by_role("button", name="Open").click()
            page.locator("#in-list").get_by_text("Ann Example").wait_for()
            server.shutdown()
            thread.join()
