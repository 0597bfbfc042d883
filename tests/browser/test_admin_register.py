"""Register in a real browser: somebody stands before the recorded camera of a real daemon, is guided, and is known at the door afterwards."""

import re
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page, expect

from blinkd.capture.frame import Frame
from blinkd.clock import SystemClock
from blinkd.measure.servers.ports import free_ports
from blinkd.outputs.mirror import Shot
from blinkd.settings import Settings, StoreSettings, TerminalSettings
from blinkd.store.database import Store
from tests.browser.offices import Office, add_operator, faults, log_in, pictured, serving, small_targets
from tests.integration.faces.commands import blinkd
from tests.integration.faces.scenes import frames_of
from tests.integration.faces.test_run import Daemon
from tests.integration.sync.waiting import eventually

pytestmark = pytest.mark.slow
PATIENCE_MS = 40_000
NASTY = "<img src=x onerror=alert(1)>"
REGISTER = "/admin/register"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with closing(Store.open(folder, StoreSettings())) as store:
        add_operator(store, "Ada", "supervisor")
    return folder


def begin(page: Page, url: str, by: str = "Use the camera") -> None:
    log_in(page, url, "Ada", REGISTER)
    page.get_by_role("button", name=by).click()
    page.wait_for_url(f"**{REGISTER}")


@pytest.fixture(scope="module")
def stays(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The man of the clip stays before the camera for the better part of a minute, and blinks now and then."""
    path = tmp_path_factory.mktemp("film") / "stays.avi"
    frames = [cv2.resize(one.image, (640, 360), interpolation=cv2.INTER_AREA) for one in frames_of(media / "noface_face.mov")[100:]]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (640, 360))
    for _ in range(10):
        for image in frames + frames[::-1]:
            writer.write(image)
    writer.release()
    return path


def test_who_is_registered_on_the_page_is_checked_in_by_the_same_daemon(page: Page, state: Path, stays: Path, screens: Path) -> None:
    (port,) = free_ports(1)
    camera = {"BLINKD_CAMERA__DRIVER": "file", "BLINKD_CAMERA__PATH": str(stays)}
    daemon = Daemon(state, **camera, BLINKD_WEB__ENABLED="true", BLINKD_WEB__PORT=str(port))
    with closing(daemon):
        daemon.wait_for("ready")
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(url), "the pages are served")
        begin(page, url)
        daemon.wait_for("registration")
        display = page.context.new_page()
        display.goto(f"{url}/kiosk")
        expect(display.locator("#guide-words")).to_have_text(re.compile("Hold still|Turn left|Look here|You are being registered"))
        expect(page.locator("#step-front .state")).to_have_text("done", timeout=PATIENCE_MS)
        expect(page.locator("#ready")).to_contain_text("Enough was seen")
        pictured(page, screens, "admin-registering")
        for view in ("left", "right"):
            page.locator(f"#step-{view} button").click()
        page.get_by_label("Name").fill("Sam Sample")
        page.get_by_label("Id", exact=True).fill("E-7")
        page.get_by_label("Consent: how it was given").fill("signed form 12")
        said = len(daemon.said)
        page.get_by_role("button", name="Register", exact=True).click()
        expect(page.get_by_text("Sam Sample was registered.")).to_be_visible(timeout=PATIENCE_MS)
        assert "E-7" in daemon.wait_for(" punch ")
        expect(display.get_by_text("Sam Sample").first).to_be_visible()
        between = daemon.said[said:]
        back = next(place for place, line in enumerate(between) if "registration" in line)
        assert not any(" refused " in line or " punch " in line for line in between[:back]), "the door decided meanwhile"
    lines = blinkd("log", "--json", state=state).lines
    assert lines[0]["person_id"] == "E-7"
    shown = blinkd("people", "show", "E-7", "--json", state=state).json
    assert [one["consent"] for one in shown["enrolments"]] == ["signed form 12"]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/admin/login", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Film:
    """A recording before the camera, again and again; on the daemon's side of the pictures. `cut` ends it."""

    def __init__(self, office: Office, frames: list[Frame]) -> None:
        self._office, self._frames = office, frames
        self._stop, self.covered = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        place = 0
        while not self._stop.wait(0.05):
            if self.covered.is_set():
                continue
            place += 1
            frame = Frame(self._frames[place % len(self._frames)].image, SystemClock().monotonic(), place)
            self._office.screen._mirror.show(Shot(frame, None, "idle", "", mirrored=False))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def office(state: Path) -> Iterator[Office]:
    with serving(Settings(state_dir=state, terminal=TerminalSettings(id="t-1", timezone="UTC"))) as opened:
        yield opened


def test_a_session_that_ends_in_the_middle_loses_nothing_and_a_camera_that_is_gone_is_said(page: Page, office: Office, media: Path) -> None:
    frames = frames_of(media / "noface_face.mov")[100:]  # he looks into the camera
    with closing(Film(office, frames)) as film:
        begin(page, office.url)
        expect(page.locator("#step-front .state")).to_have_text("done", timeout=PATIENCE_MS)
        assert faults(page) == []
        assert small_targets(page) == []
        page.get_by_label("Name").fill("Robin Sample")
        with page.expect_response("**/draft"):
            page.get_by_label("Consent: how it was given").fill("by word of mouth")
        film.covered.set()
        expect(page.locator("#hint")).to_contain_text("The camera gives no picture", timeout=PATIENCE_MS)
        film.covered.clear()
        with office.shared.use() as store, store.transaction():
            store.connection().execute("DELETE FROM web_sessions")
        expect(page.locator("#expired")).to_be_visible(timeout=PATIENCE_MS)
        page.get_by_role("link", name="log in again").click()
        page.get_by_label("Name", exact=True).fill("Ada")
        page.get_by_label("Password").fill("seven unlikely purple lamps")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"**{REGISTER}")
        expect(page.get_by_label("Name")).to_have_value("Robin Sample")
        expect(page.get_by_label("Consent: how it was given")).to_have_value("by word of mouth")
        expect(page.locator("#step-front .state")).to_have_text("done")
        page.get_by_role("button", name="Register", exact=True).click()
        expect(page.get_by_text("Robin Sample was registered.")).to_be_visible(timeout=PATIENCE_MS)


def test_a_known_face_is_shown_with_its_name_and_the_decision_is_kept(page: Page, office: Office, media: Path, screens: Path) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for number, name in ((1, NASTY), (2, "Robin Again")):
        if number == 1:
            begin(page, office.url, "Use pictures")
        else:
            page.goto(office.url + REGISTER)
            page.get_by_role("button", name="Use pictures").click()
        page.get_by_label("A picture of this person alone").set_input_files(media / "obama.jpg")
        page.get_by_role("button", name="Take it in").click()
        expect(page.get_by_text("The picture was taken in")).to_be_visible(timeout=PATIENCE_MS)
        for label in ("Name", "Groups", "Consent: how it was given", "Label"):
            page.get_by_label(label).fill(name)
        page.get_by_role("button", name="Register", exact=True).click()
        if number == 1:
            expect(page.get_by_text(f"{NASTY} was registered.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("alert").first).to_contain_text("This face is known already", timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name=NASTY)).to_be_visible()
    assert faults(page) == []
    pictured(page, screens, "admin-known-face")
    page.get_by_role("button", name="It is somebody else").click()
    expect(page.get_by_text("Robin Again was registered.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("a supervisor took it all the same")).to_be_visible()
    with office.shared.use() as store:
        acts = [(act.action, act.outcome, act.reason) for act in reversed(store.audit.newest(100)) if act.action == "people.new"]
    assert acts == [("people.new", "done", ""), ("people.new", "refused", "duplicate"), ("people.new", "done", "")]
