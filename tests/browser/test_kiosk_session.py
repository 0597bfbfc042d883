"""The whole way: the daemon with a recorded camera, its web process, and a browser before it."""

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from blinkd.measure.servers.ports import free_ports
from tests.integration.faces.commands import blinkd
from tests.integration.faces.conftest import MAN, PEOPLE
from tests.integration.faces.test_run import STOPS_S, Daemon

STARTS_MS = 60_000
# Whether the mirror shows anything that is not dark
SEEN = """() => {
  const canvas = document.getElementById("mirror"), context = canvas.getContext("2d");
  return context.getImageData(0, 0, canvas.width, canvas.height).data.some((value, index) => index % 4 < 3 && value > 100);
}"""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def state(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with the man of the recording, and somebody else."""
    folder = tmp_path_factory.mktemp("kiosk") / "state"
    for number, name, picture in PEOPLE[:2]:
        done = blinkd("enroll", "--name", name, "--id", number, "--image", media / picture, "--json", state=folder)
        assert done.code == 0, done.err
    return folder


class Terminal:
    """A daemon with pages."""

    def __init__(self, state: Path, media: Path) -> None:
        (self.port,) = free_ports(1)
        self.state = state
        self.url = f"http://127.0.0.1:{self.port}/kiosk"
        self.daemon = Daemon(
            state,
            BLINKD_CAMERA__DRIVER="file",
            BLINKD_CAMERA__PATH=str(media / "noface_face.mov"),
            BLINKD_WEB__ENABLED="true",
            BLINKD_WEB__PORT=str(self.port),
            BLINKD_ATTENDANCE__DISOWN_S="60",
        )

    def open(self, page: Page) -> None:
        """As soon as it is served."""
        deadline = time.monotonic() + STARTS_MS / 1000
        while True:
            try:
                with urllib.request.urlopen(self.url, timeout=10):
                    break
            except OSError:
                assert time.monotonic() < deadline
                assert self.daemon.process.poll() is None
        page.goto(self.url)


@pytest.fixture
def terminal(state: Path, media: Path) -> Iterator[Terminal]:
    made = Terminal(state, media)
    yield made
    made.daemon.close()


def test_a_man_walks_up_is_greeted_by_name_and_says_that_it_was_not_him(page: Page, terminal: Terminal, screens: Path) -> None:
    terminal.open(page)
    expect(page.locator("#kiosk")).to_have_attribute("data-view", "guide", timeout=STARTS_MS)
    page.wait_for_function(SEEN)
    page.screenshot(path=screens / "kiosk-session-guide.png")
    expect(page.locator("#greeting-name")).to_have_text("Sam Sample", timeout=STARTS_MS)
    expect(page.locator("#kiosk")).to_have_attribute("data-view", "greeting")
    expect(page.locator("#greeting-status")).to_have_text("IN")
    page.screenshot(path=screens / "kiosk-session-greeting.png")
    page.locator("#not-me").click()
    page.locator("#really-yes").click()
    expect(page.locator("#really-answer")).to_contain_text("Noted")
    code, seconds = terminal.daemon.stop()
    assert (code, seconds <= STOPS_S) == (0, True)
    expect(page.locator("#trouble-title")).to_have_text("Display has lost the terminal", timeout=30_000)
    (punch,) = blinkd("log", "--json", state=terminal.state).lines
    assert (punch["person_id"], punch["seq"], punch["status"]) == (MAN, 1, "CHECK_IN")
    assert punch["state"] == "disowned"
    assert blinkd("log", "verify", state=terminal.state).code == 0
