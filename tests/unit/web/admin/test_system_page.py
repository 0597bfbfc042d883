"""The System screen: health, doctor, the way to the relay, releases; it names nobody."""

import threading
from pathlib import Path

import pytest

from blinkd.doctor.check import Check
from blinkd.errors import StoreError
from blinkd.web.admin.making import Desk
from blinkd.web.admin.system.examining import KEPT_S, Examining
from blinkd.web.admin.system.page import system_router
from blinkd.web.admin.system.releases import Release, releases
from tests.unit.attendance.clocks import SetClock
from tests.unit.web.admin.desks import office


class Looking:
    """An examination that goes on when the test says so."""

    def __init__(self, *found: Check | Exception) -> None:
        self.found = found
        self.go = threading.Event()
        self.times = 0

    def __call__(self) -> list[Check]:
        self.times += 1
        assert self.go.wait(10)
        for one in self.found:
            if isinstance(one, Exception):
                raise one
        return [one for one in self.found if isinstance(one, Check)]


def finished(examining: Examining) -> None:
    for thread in threading.enumerate():
        if thread.name == "blinkd-doctor":
            thread.join(10)
    assert not examining.state().under_way


def test_an_examination_runs_once_at_a_time_and_is_kept_for_a_while() -> None:
    clock, looking = SetClock(), Looking(Check("camera", "ok", "fine"))
    examining = Examining(looking, clock)
    assert examining.look().under_way
    assert examining.look(anew=True).under_way
    looking.go.set()
    finished(examining)
    assert (looking.times, examining.look().checks) == (1, (Check("camera", "ok", "fine"),))
    clock.wait(seconds=KEPT_S - 1)
    assert not examining.look().under_way
    clock.wait(seconds=1)
    assert examining.look().under_way
    assert examining.state().checks == (Check("camera", "ok", "fine"),)  # shown until there are others
    finished(examining)
    assert looking.times == 2


def test_an_examination_that_ends_early_says_why() -> None:
    looking = Looking(StoreError("the disk is gone"))
    looking.go.set()
    examining = Examining(looking, SetClock())
    examining.look()
    finished(examining)
    assert examining.state().trouble == "the disk is gone"


def test_the_page_shows_what_was_found_with_its_remedy(tmp_path: Path) -> None:
    looking = Looking(Check("camera", "fail", "<none> there", "plug it in"))
    made: list[Examining] = []

    def pages(desk: Desk) -> list[object]:
        made.append(Examining(looking, desk.context.clock))
        return [system_router(desk.context, made[0])]

    with office(tmp_path, pages) as place:  # type: ignore[arg-type]
        browser = place.signed_in("technician")
        assert "under way" in browser.get("/admin/system").text
        assert browser.get("/admin/system/state").json() == {"under_way": True}
        looking.go.set()
        finished(made[0])
        page = browser.get("/admin/system").text
        assert "&lt;none&gt; there" in page
        assert "plug it in" in page
        assert browser.post("/admin/system/look").status_code == 303
        finished(made[0])
        assert looking.times == 2
        assert ("system.examine", "", "done", "") in place.acts()


def test_health_is_what_the_daemon_says(tmp_path: Path) -> None:
    with office(tmp_path, lambda desk: [system_router(desk.context, Examining(list, desk.context.clock))]) as place:
        browser = place.signed_in("technician")
        assert "The daemon says nothing" in browser.get("/admin/system").text
        parts = [["camera", "failed", "<unplugged>"], ["store", "ok", ""]]
        place.hub.heard(
            {"kind": "health", "parts": parts, "people": 7, "templates": 9, "pending": 2, "failed": 0, "fps": 3.5, "temperature_c": 41.6}
        )
        page = browser.get("/admin/system").text
        assert "&lt;unplugged&gt;" in page
        assert "7 people, 3.5 pictures a second, 42 °C; 2 wait for the relay." in page
        assert "sync.broker names no broker" in page


@pytest.mark.parametrize("role", ["hr", "supervisor"])
def test_it_is_for_technicians(tmp_path: Path, role: str) -> None:
    with office(tmp_path, lambda desk: [system_router(desk.context, Examining(list, desk.context.clock))]) as place:
        browser = place.signed_in(role)  # type: ignore[arg-type]
        assert browser.get("/admin/system").status_code == 403
        assert browser.get("/admin/system/state").status_code == 403


def test_releases_are_read_from_install_shs_folders(tmp_path: Path) -> None:
    assert releases(tmp_path) == []
    for name in ("0.1.0-a", "0.2.0-b", ".partial"):
        (tmp_path / "releases" / name).mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/0.2.0-b")
    (tmp_path / "previous").symlink_to("releases/0.1.0-a")
    assert releases(tmp_path) == [Release("0.1.0-a", "before"), Release("0.2.0-b", "in force")]
