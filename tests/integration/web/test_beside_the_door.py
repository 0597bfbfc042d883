"""The web process beside a daemon at work: it may die, hang or be given other settings, and the door goes on."""

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.measure.servers.ports import free_ports
from tests.integration.faces.conftest import enrolled, state
from tests.integration.faces.test_run import STOPS_S, Daemon

__all__ = ["enrolled", "state"]

WAIT_S = 60.0
DECIDED = (
    " session_ended "  # what the camera saw is looked at to the end; how it is decided depends on how many frames a busy machine looks at
)
pytestmark = pytest.mark.slow


class House:
    """A daemon with pages, and its settings' file."""

    def __init__(self, state: Path, media: Path, folder: Path, port: int | None = None) -> None:
        self.port = free_ports(1)[0] if port is None else port
        self.config = folder / "blinkd.toml"
        self.config.write_text("")
        self.state = state
        self.daemon = Daemon(
            state,
            BLINKD_CONFIG=str(self.config),
            BLINKD_CAMERA__DRIVER="file",
            BLINKD_CAMERA__PATH=str(media / "noface_face.mov"),
            BLINKD_ATTENDANCE__MIN_INTERVAL_S="0",
            BLINKD_WEB__ENABLED="true",
            BLINKD_WEB__PORT=str(self.port),
        )

    def page(self) -> str:
        """The kiosk's page; empty where nobody serves it."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/kiosk", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def child(self) -> int:
        """The web process that serves now."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if self.page():
                return next(number for number in self.children() if b"--pictures" in Path(f"/proc/{number}/cmdline").read_bytes())
        raise AssertionError("the pages are not served; " + "".join(self.daemon.said))

    def children(self) -> list[int]:
        found = Path(f"/proc/{self.daemon.process.pid}/task").glob("*/children")
        return [int(number) for path in found for number in path.read_text().split()]


@pytest.fixture
def house(state: Path, media: Path, tmp_path: Path) -> Iterator[House]:
    made = House(state, media, tmp_path)
    yield made
    made.daemon.close()


def test_it_may_die_take_over_settings_and_hang_and_the_door_goes_on_deciding(house: House) -> None:
    first = house.child()
    os.kill(first, signal.SIGKILL)
    house.daemon.wait_for("the web process has ended (by signal 9)")
    house.daemon.wait_for(DECIDED)
    second = house.child()
    assert second != first
    assert 'lang="en"' in house.page()

    house.config.write_text('[kiosk]\nlanguage = "ar"\n')
    house.daemon.process.send_signal(signal.SIGHUP)
    assert "kiosk.language" in house.daemon.wait_for("settings read: in force now")
    deadline = time.monotonic() + WAIT_S
    while 'lang="ar" dir="rtl"' not in house.page():
        assert time.monotonic() < deadline
    third = house.child()
    assert third != second

    os.kill(third, signal.SIGSTOP)  # hangs
    house.daemon.wait_for(DECIDED)
    house.daemon.wait_for(DECIDED)
    code, seconds = house.daemon.stop()
    assert (code, seconds <= STOPS_S) == (0, True)
    assert not Path(f"/proc/{third}").exists(), "one that does not listen is killed"


def test_it_ends_with_a_daemon_that_is_killed(house: House) -> None:
    child = house.child()
    house.daemon.process.kill()
    deadline = time.monotonic() + WAIT_S
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
    assert house.page() == ""


def test_a_port_that_is_taken_is_said_and_keeps_nobody_out(state: Path, media: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        house = House(state, media, tmp_path, taken.getsockname()[1])
        try:
            assert "choose another web.port" in house.daemon.wait_for("can't listen")
            house.daemon.wait_for(DECIDED)
            house.daemon.wait_for("web failed: its process has ended")
        finally:
            house.daemon.close()
