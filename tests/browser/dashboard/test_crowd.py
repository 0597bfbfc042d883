"""The dashboard before a relay that holds 50,000 envelopes: quick to show something, and right in the end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from blinkd.relay.api.tokens import Scope
from tests.browser.dashboard.conftest import CACHE, cards, opened, rows
from tests.browser.dashboard.crowd import ENVELOPES, Crowd
from tests.browser.dashboard.organisation import serve, token_for

FIGURES = CACHE / "dashboard.json"  # kept as an artefact
SHORT = {"01": "Nov", "10": "Oct"}


@contextmanager
def relay(many: Crowd) -> Iterator[tuple[str, str]]:
    token = token_for(many.connections, Scope.DASHBOARD_READ)
    with serve(many.connections, None) as address:
        yield address, token


def test_50000_envelopes_are_opened_and_come_to_what_the_reports_say(many: Crowd, page: Page, screens: Path) -> None:
    expected = many.expected
    assert expected["envelopes"] == ENVELOPES
    with relay(many) as (address, token):
        opened(page, address, token)
        marks = dict(page.evaluate("performance.getEntriesByType('mark').map(one => [one.name, one.startTime])"))
        figures = {
            "envelopes": ENVELOPES,
            "first_chart_s": round((marks["first-chart"] - marks["unlock"]) / 1000, 2),
            "all_opened_s": round((marks["loaded"] - marks["unlock"]) / 1000, 2),
        }
        CACHE.mkdir(exist_ok=True)
        FIGURES.write_text(json.dumps(figures) + "\n")
        assert page.locator("#progress-words").inner_text() == "50,000 of 50,000 entries opened"
        assert rows(page, "#proof")[0] == ["Entries that opened and hang in their chain", "50000"]
        assert page.locator("#proof").get_by_text("No fault was found.").is_visible()
        today = expected["today"]
        assert cards(page) == {"in": today["in_now"], "people": today["came"], "late": today["late"], "punches": sum(today["busy"])}
        busy = {f"{hour:02}:00": count for hour, count in enumerate(today["busy"])}
        assert {hour: int(count) for hour, count in rows(page, "#trend-table")} == {
            hour: busy[hour] for hour, _ in rows(page, "#trend-table")
        }
        page.get_by_role("button", name="Month").click()
        for first in ("2026-11-01", "2026-10-01"):
            found = [[int(came), int(late)] for _, _, late, came, _, _ in rows(page, "#trend-table")]
            assert found == [[one["came"], one["late"]] for one in expected["months"][first].values()]
            page.screenshot(path=screens / f"dashboard-month-{first}.png")
            page.get_by_role("button", name="Earlier").click()
