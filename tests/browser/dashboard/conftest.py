"""A relay with an organisation on it, and a browser before it."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from blinkd.relay.sqlite import SqliteConnections
from tests.browser.dashboard import crowd, organisation
from tests.browser.dashboard.organisation import NOW, PASSWORD, ZONE, Organisation

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".cache"
# The page's own clock shows the day of the recorded punches. It goes on from there: a clock that stood still would stop its timers too.
SHIFTED = """{
  const shift = %d - Date.now(), Real = Date;
  globalThis.Date = class extends Real {
    constructor(...given) { if (given.length) super(...given); else super(Real.now() + shift); }
    static now() { return Real.now() + shift; }
  };
}"""

# what a refusal of the relay's, and a page that came over plain http, let the browser say
EXPECTED = (
    "Failed to load resource: the server responded with a status of",
    "Failed to load resource: net::ERR_FAILED",
    "The Cross-Origin-Opener-Policy header has been ignored",
)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """Two doors and every kind of entry; nobody changes it."""
    made = organisation.small(tmp_path_factory.mktemp("few") / "acme")
    yield made
    made.close()


@pytest.fixture(scope="session")
def few_at(few: Organisation) -> Iterator[str]:
    with few.served() as address:
        yield address


@pytest.fixture(scope="session")
def token(few: Organisation) -> str:
    return few.token()


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[crowd.Crowd]:
    """50,000 envelopes. They take some twenty seconds to seal, sign and verify, so they are kept, for as long as what makes them is the same."""
    sources = [Path(crowd.__file__), Path(organisation.__file__), *sorted((ROOT / "blinkd" / "crypto").glob("*.py"))]
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    kept = CACHE / "dashboard" / mark
    if not (kept / crowd.EXPECTED).exists():
        shutil.rmtree(CACHE / "dashboard", ignore_errors=True)
        crowd.make(tmp_path_factory.mktemp("many") / "acme", kept)
    folder = tmp_path_factory.mktemp("crowd")
    shutil.copy(kept / crowd.DATABASE, folder / crowd.DATABASE)
    connections = SqliteConnections(folder / crowd.DATABASE)
    yield crowd.Crowd(connections, json.loads((kept / crowd.EXPECTED).read_text()))
    connections.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(timezone_id=ZONE, locale="en-GB", viewport={"width": 1280, "height": 900}, accept_downloads=True)
    made.add_init_script(SHIFTED % (NOW.timestamp() * 1000))
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Whatever a page complains of fails the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    yield page
    assert [one for one in complaints if not one.startswith(EXPECTED)] == []


def enter(page: Page, address: str, token: str, password: str = PASSWORD) -> None:
    """Go there and log in."""
    page.goto(f"{address}/dashboard/")
    page.get_by_label("Relay token").fill(token)
    page.get_by_label("Organisation password").fill(password)
    page.get_by_role("button", name="Open").click()


def opened(page: Page, address: str, token: str) -> None:
    """Log in, and wait until everything is loaded."""
    enter(page, address, token)
    page.get_by_role("status").get_by_text("Everything is loaded").wait_for(state="attached")
    page.locator("#progress-words", has_text="entries opened").filter(has_not_text="people").wait_for()


def rows(page: Page, table: str) -> list[list[str]]:
    """The cells of a table's body."""
    return page.locator(f"{table} tbody tr").evaluate_all("found => found.map(row => [...row.cells].map(cell => cell.innerText.trim()))")  # type: ignore[no-any-return]


def cards(page: Page) -> dict[str, int]:
    found = page.locator("#cards div").evaluate_all("found => found.map(one => [one.dataset.card, one.querySelector('dd').innerText])")
    return {name: int(number) for name, number in found}
