"""A real browser: Debian's Chromium, headless. Use `page`, and keep screenshots in the folder `screens`.

Playwright's own loop runs in the thread of the tests: `asyncio.run` cannot be used beside it there, only in a thread of its own.
What `page.wait_for_function` is given must be a function ("() => …"): the pages' content policy forbids to evaluate a text.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"  # `./install.sh test` installs it
ARGUMENTS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",  # as the kiosk's unit has it
]
SCREENS = Path(__file__).parents[2] / ".cache" / "screens"


@pytest.fixture(scope="package")  # beyond it Playwright's loop would keep other tests from running one of their own
def browser() -> Iterator[Browser]:
    """One for all tests."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with a profile of its own. Whatever breaks the content policy, and any error of a script, fails the test."""
    context = browser.new_context(locale="en-GB", timezone_id="UTC", viewport={"width": 1024, "height": 600})
    opened = context.new_page()
    wrong: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and ("Content Security Policy" in message.text or "Trusted" in message.text):
            wrong.append(message.text)

    opened.on("console", said)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def screens() -> Path:
    """Where screenshots are kept."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    return SCREENS
