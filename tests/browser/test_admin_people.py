"""Dashboard, Logs and People in a real browser: read, searched, corrected, at every size, by whoever cannot see them too."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from blinkd.attendance.punch import Direction
from blinkd.attendance.supervisor import Supervisor
from blinkd.clock import Instant, SystemClock
from blinkd.crypto.chain import new_salt, subject_of
from blinkd.identity.grounds import Grounds
from blinkd.measure import ballast
from blinkd.settings import Settings, TerminalSettings
from blinkd.store.database import Store
from tests.browser.offices import Office, add_operator, faults, log_in, pictured, serving, small_targets
from tests.integration.faces.commands import blinkd
from tests.unit.store.stores import MODEL, punch, sample

NASTY = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"
GIVEN, FAMILY = ("Alex", "Bo", "Charlie", "Dana", "Eli", "Kim", "Robin", "Sam"), ("Example", "Muster", "Prueba", "Sample", "Testa")
PAGES = (
    ("dashboard", "/admin/dashboard"),
    ("logs", "/admin/logs"),
    ("punch", "/admin/logs/2"),
    ("scans", "/admin/logs/scans"),
    ("add", "/admin/logs/add"),
    ("files", "/admin/logs/export"),
    ("people", "/admin/people"),
    ("person", "/admin/people/E-1"),
    ("register", "/admin/register"),
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Twenty thousand people, some punches of today, and texts that are meant to break out of their place."""
    state = tmp_path_factory.mktemp("office") / "state"
    settings = Settings(state_dir=state, terminal=TerminalSettings(id="t-1", timezone="UTC"))
    with closing(Store.open(state, settings.store)) as store:
        fill(store)
        add_operator(store, "Ada", "supervisor", "hr")
    with serving(settings) as opened:
        yield opened


def fill(store: Store) -> None:
    now = SystemClock().now()
    with store.transaction():
        store.connection().executemany(  # enrolled one by one they would take half a minute
            "INSERT INTO people (id, name, status, enrolled_at, subject, salt, signature) VALUES (?, ?, 'ACTIVE', ?, ?, ?, x'')",
            (
                (f"N-{number}", f"Number {number:05}", now.utc.isoformat(), subject_of(salt, f"N-{number}"), salt)
                for number, salt in ((number, new_salt()) for number in range(20_000))
            ),
        )
        nasty = replace(sample(1), source=NASTY, label=NASTY[:40])
        store.people.enrol("E-1", NASTY, [nasty], Grounds(consent=NASTY))
        store.people.change("E-1", join=[NASTY[:60]])
        store.people.enrol("E-2", "Zoë O'Neill", [sample(2)])
    store.book.begin()
    for seq, person_id in ((1, "E-1"), (2, "E-2"), (3, "N-7")):
        subject = store.people.get(person_id).subject
        store.book.append_punch(replace(punch(seq), subject=subject, utc=now.utc - timedelta(minutes=30 - seq), status=Direction.CHECK_IN))
    at = Instant(now.utc, now.boot_s, now.boot_id, "synced")
    store.scans.append(at, "refused", "not_live", store.people.get("E-1").subject, 0.4, {"blinks": 0, "cues": {NASTY: 1}})


@pytest.fixture
def desk(page: Page, office: Office) -> Page:
    """A page in which Ada has logged in. A dialog means that a script has broken out."""
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    log_in(page, office.url, "Ada")
    return page


@pytest.mark.parametrize(("name", "path"), PAGES)
def test_every_page_is_usable_by_all_at_every_size_and_runs_no_script_of_a_name(
    desk: Page, office: Office, screens: Path, name: str, path: str
) -> None:
    desk.goto(office.url + path)
    assert desk.locator("main img").count() == 0
    assert desk.locator("main script").count() == 0
    pictured(desk, screens, f"admin-{name}")
    assert faults(desk) == []
    assert small_targets(desk) == []


def test_one_of_twenty_thousand_is_found_without_accents_and_opened(desk: Page, office: Office) -> None:
    desk.goto(f"{office.url}/admin/people")
    expect(desk.get_by_text("1 to 50 of 20002 people, page 1 of 401")).to_be_visible()
    desk.get_by_role("link", name="Next").click()
    expect(desk.get_by_text("51 to 100 of 20002 people")).to_be_visible()
    desk.get_by_label("Name or id").fill("zoe")
    desk.get_by_role("button", name="Show").click()
    desk.get_by_role("link", name="Zoë O'Neill").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text("Zoë O'Neill")


def test_a_correction_on_the_page_stands_in_the_commands_log(desk: Page, office: Office) -> None:
    desk.goto(f"{office.url}/admin/logs/3")
    desk.get_by_label("Why").fill(f"twice {NASTY}")
    desk.get_by_role("button", name="Void").click()
    expect(desk.get_by_text("Punch 3 was voided.")).to_be_visible()
    expect(desk.get_by_text("voided, counts nowhere")).to_be_visible()
    lines = {line["seq"]: line for line in blinkd("log", "--json", state=office.settings.state_dir).lines}
    assert lines[3]["state"] == "voided"
    assert [(one["what"], one["by"], one["why"]) for one in lines[3]["corrections"]] == [("void", "Ada", f"twice {NASTY}")]
    assert lines[3]["recorded"]["status"] == "CHECK_IN"


def test_the_dashboard_draws_what_its_tables_say(desk: Page, office: Office) -> None:
    desk.goto(f"{office.url}/admin/dashboard")
    told = blinkd("stats", "--json", state=office.settings.state_dir).json
    expect(desk.locator("#in-now")).to_have_text(str(told["today"]["in_now"]))
    for chart in desk.locator(".chart canvas").all():
        drawn = chart.evaluate(
            "(one) => new Set(new Uint32Array(one.getContext('2d').getImageData(0, 0, one.width, one.height).data.buffer)).size"
        )
        assert drawn > 5, "nothing was drawn"
    desk.get_by_text("Hour by hour, as a table").click()
    counts = [int(cell.inner_text()) for cell in desk.locator("#hours-table td").all()]
    assert counts == told["busiest_hours"]
    assert sum(counts) > 0


def test_a_person_is_deleted_after_the_id_was_typed_and_a_receipt_is_saved(desk: Page, office: Office) -> None:
    desk.goto(f"{office.url}/admin/people/N-9")
    desk.get_by_label("Type the id of the person").fill("N-8")
    desk.get_by_role("button", name="Delete").click()
    expect(desk.get_by_role("alert")).to_contain_text("Nothing was deleted")
    desk.get_by_label("Type the id of the person").fill("N-9")
    desk.get_by_role("button", name="Delete").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text("Receipt of a deletion")
    with desk.expect_download() as saved:
        desk.get_by_role("link", name="Save the receipt").click()
    answer = blinkd("people", "receipt", saved.value.path(), "--json", state=office.settings.state_dir)
    assert (answer.json["ok"], answer.json["person_id"]) == (True, "N-9")


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Forty people of a small site after a month, by made-up names."""
    state = tmp_path_factory.mktemp("month") / "state"
    settings = Settings(state_dir=state, terminal=TerminalSettings(id="front-door", timezone="UTC"))
    with closing(Store.open(state, settings.store)) as store:
        ballast.fill(store, 40, 40 * 2 * 31, SystemClock().now().utc, settings.terminal.zone, MODEL, 192)
        with store.transaction():
            for number, (given, family) in enumerate(product(GIVEN, FAMILY)):
                store.people.change(f"P-{number:05d}", name=f"{given} {family}", join=["night" if number % 3 == 0 else "day"])
        at = SystemClock().now()
        for number, reason in enumerate((None, "not_live", None, "unknown_face", "poor_quality", None)):
            subject = store.people.get(f"P-{number:05d}").subject if reason not in ("unknown_face", "poor_quality") else None
            store.scans.append(
                at, "refused" if reason else "accepted", reason, subject, 0.7 - number / 20, {"blinks": 1, "live": reason is None}
            )
        boss = Supervisor(store.book, SystemClock(), "Ada")
        boss.void(40, "came back for the umbrella")
        boss.amend(38, "the clock stood", at.utc - timedelta(days=30), None)
        add_operator(store, "Ada", "supervisor", "hr")
    with serving(settings) as opened:
        yield opened


def test_a_month_of_a_small_site_is_drawn_as_the_commands_count_it(page: Page, month: Office, screens: Path) -> None:
    log_in(page, month.url, "Ada", "/admin/dashboard")
    told = blinkd("stats", "--json", state=month.settings.state_dir).json
    expect(page.locator("#came")).to_have_text(str(told["today"]["came"]))
    page.get_by_text("Day by day, as a table").click()
    rows = [[cell.inner_text() for cell in row.locator("th, td").all()] for row in page.locator("#days-table tbody tr").all()]
    assert rows == [[day["date"], *(str(day[name]) for name in ("present", "late", "absent"))] for day in told["days"]]
    page.get_by_text("Day by day, as a table").click()
    for name, path in (
        ("dashboard", "/admin/dashboard"),
        ("people", "/admin/people"),
        ("logs", "/admin/logs?from=2026-01-01"),
        ("scans", "/admin/logs/scans"),
    ):
        page.goto(month.url + path)
        pictured(page, screens, f"readme-{name}")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.screenshot(path=screens / f"readme-{name}-whole.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.goto(f"{month.url}/admin/dashboard")
    page.screenshot(path=screens / "readme-dashboard-dark.png", full_page=True)
    assert faults(page) == []
