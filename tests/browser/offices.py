"""The administration, served in this process over a real store, for a real browser."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from argon2 import PasswordHasher
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from blinkd.clock import Clock, SystemClock
from blinkd.crypto.argon import Hasher
from blinkd.outputs.screen import Screen
from blinkd.serving.server import Listen, WebServer
from blinkd.settings import KioskSettings, Settings
from blinkd.store.database import Store
from blinkd.store.operators import Role
from blinkd.web.admin.making import Desk, make_desk
from blinkd.web.app import build_app
from blinkd.web.context import WebContext
from blinkd.web.hub import Hub
from blinkd.web.live import Live
from blinkd.web.pages import Pages
from blinkd.web.process import LOCAL
from blinkd.web.shared_store import SharedStore

PASSWORD = "seven unlikely purple lamps"
SIZES = ((480, 320), (1280, 800), (390, 844))
SERIOUS = ("serious", "critical")


def hasher() -> Hasher:
    """Argon2id that costs next to nothing."""
    return Hasher(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def add_operator(store: Store, name: str, *roles: Role) -> None:
    store.operators.add(name, roles, hasher().hash(PASSWORD), SystemClock().now().utc, temporary=False)


class Office:
    """Where the pages are, what stands behind them, and the daemon's side of the pictures."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.closed = threading.Event()
        self.screen = Screen(KioskSettings(), SystemClock())
        with self.screen.channel() as (events, pictures):
            self.hub = Hub(os.dup(events), os.dup(pictures))
        live = Live(settings)
        self.shared = SharedStore(live.parts)
        self.desk: Desk = make_desk(live, self.shared, self.hub, clock, hasher=hasher())
        app = build_app(WebContext(live, self.shared, self.hub, Pages()), self.desk)
        self.server = WebServer(app, Listen(port=0), LOCAL)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.server.start()
        self.hub.start(lambda: None)

    def close(self) -> None:
        self.closed.set()
        self.server.stop()
        self.desk.close()
        self.shared.close()
        self.screen.close()


@contextmanager
def serving(settings: Settings, clock: Clock | None = None) -> Iterator[Office]:
    """Until it is left. clock: of the desk, the machine's without it."""
    office = Office(settings, clock or SystemClock())
    try:
        yield office
    finally:
        office.close()


def log_in(page: Page, url: str, name: str, path: str = "/admin/people") -> None:
    """By the page, as a person does."""
    page.goto(f"{url}/admin/login?next={path}")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{path}")


def faults(page: Page) -> list[str]:
    """What axe finds that keeps somebody out: rule and place."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found if one["impact"] in SERIOUS for node in one["nodes"]]


def small_targets(page: Page) -> list[str]:
    """Buttons, fields and links that look like buttons which a finger would miss: lower than 48 px."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("button, a.button, select, summary, input:not([type=hidden]):not([type=checkbox]), nav a")]
            .filter((one) => one.checkVisibility() && !one.closest(".skip"))
            .map((one) => [one.getBoundingClientRect(), one.outerHTML.slice(0, 120)])
            .filter(([box]) => box.height < 47.5 && box.height > 1)
            .map(([box, text]) => `${box.height}: ${text}`)"""
    )
    return found


def pictured(page: Page, screens: Path, name: str) -> None:
    """Screenshots at every size, none of which scrolls sideways."""
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=screens / f"{name}-{width}x{height}.png")
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, f"{name} at {width}x{height} is {wide} px too wide"
