"""The web process beside the door: it may die, hang or be missing, and nobody waits for it."""

import json
import os
import sys
import time as real_time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.clock import SystemClock
from blinkd.outputs.screen import Screen
from blinkd.session.events import Event
from blinkd.settings import KioskSettings
from blinkd.supervision import pages as module
from blinkd.supervision.child import Child
from blinkd.supervision.children import WEB
from blinkd.supervision.pages import HUNG_S, Pages

# A stand-in for the web process. It is given --parent N --events N --pictures N after its own two arguments
READS = """
import os, sys
events = int(sys.argv[sys.argv.index("--events") + 1])
back = []
for name in ("--events", "--pictures"):
    try:
        os.write(int(sys.argv[sys.argv.index(name) + 1]), b"open the door\\n")
    except OSError as error:
        back.append(str(error.errno))
with open(events, closefd=False) as lines, open(sys.argv[1], "a") as out:
    print(os.getpid(), *back, file=out, flush=True)
    for line in lines:
        print(line, end="", file=out, flush=True)
    print("end", file=out, flush=True)
"""
DEAF = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True); time.sleep(600)"
REREADS = """
import os, signal, sys, time
def said(words): print(words, file=open(sys.argv[1], "a"), flush=True)
signal.signal(signal.SIGHUP, lambda *_: said("read again"))
said(os.getpid())
time.sleep(600)
"""
DIES = "import sys; print('life', file=open(sys.argv[1], 'a'), flush=True)"


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class House:
    """Screen, pages, and a stand-in for the process."""

    def __init__(self, file: Path) -> None:
        self.time = Time()
        self.file = file
        self.screen = Screen(KioskSettings(), SystemClock(), self.time)
        self.pages: Pages | None = None

    def with_child(self, program: str) -> Pages:
        pages = Pages(self.screen, None)
        command = (sys.executable, "-c", program, str(self.file))
        pages._child = Child("web", ("web", "run"), WEB, None, self.time, command, pages._give)
        self.pages = pages
        return pages

    def lines(self, count: int) -> list[str]:
        """When there are so many."""
        while not self.file.exists() or len(found := self.file.read_text().splitlines()) < count:
            real_time.sleep(0.01)
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "said")
    yield made
    made.screen.close()
    if made.pages is not None:
        made.pages.stop(3)


def refusal(number: int = 0) -> Event:
    return Event(0.0, number, "refused", {"reason": "too_soon" + "x" * 190})


def test_the_process_hears_everything_and_can_write_nothing_back(house: House) -> None:
    pages = house.with_child(READS)
    assert pages.part().state == "starting"
    pages.look()
    assert pages.part().state == "ok"
    _, *refused = house.lines(1)[0].split()
    assert refused == ["9", "9"]  # EBADF: its ends are for reading only
    house.screen.event(refusal(4))
    assert json.loads(house.lines(2)[1])["session"] == 4
    house.screen.close()
    assert house.lines(3)[2] == "end"


def test_a_process_that_dies_is_begun_again_after_growing_waits_and_it_is_said(house: House) -> None:
    pages = house.with_child(DIES)
    for lives in (1, 2, 3):
        pages.look()
        house.lines(lives)
        while pages._child.running:
            real_time.sleep(0.01)
        house.screen.event(refusal())  # into a pipe that nobody has
        pages.look()
        assert (pages.part().state, str(lives) in pages.part().words) == ("failed", True)
        house.time.now += WEB.most_wait_s + 1


def test_a_process_that_hangs_is_noticed_and_replaced_while_nothing_at_the_door_waits(house: House) -> None:
    pages = house.with_child(DEAF)
    pages.look()
    first = house.lines(1)[0]
    while house.screen.dropped == 0:
        house.screen.event(refusal())
    house.time.now += 1
    assert (pages.part().state, "does not read" in pages.part().words) == ("degraded", True)
    house.time.now += HUNG_S
    while len(house.lines(1)) < 2:  # it is asked to end, and as soon as it has, another is begun
        pages.look()
        real_time.sleep(0.01)
    assert house.lines(2)[1] != first
    assert house.screen.full_s == 0.0
    assert pages._child.failures == 0


def test_other_settings_of_the_display_are_another_process_and_no_failure(house: House) -> None:
    pages = house.with_child(READS)
    pages.look()
    first = house.lines(1)[0].split()[0]
    pages.take(["attendance.grace_min", "kiosk.sound"])
    while pages._child.running:
        real_time.sleep(0.01)
    pages.look()
    assert (house.lines(2)[1].split()[0] == first, pages.part().state) == (False, "ok")


def test_other_settings_are_read_again_by_the_process_that_there_is(house: House) -> None:
    pages = house.with_child(REREADS)
    pages.look()
    first = house.lines(1)[0]
    pages.take(["attendance.grace_min"])
    assert house.lines(2) == [first, "read again"]
    assert pages._child.running


def test_where_its_packages_are_not_installed_it_says_which_and_is_not_begun(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEEDED", ("no_such_package",))
    pages = house.with_child(READS)
    pages.look()
    assert not house.file.exists()
    assert (pages.part().state, "no_such_package" in pages.part().words) == ("failed", True)


def test_no_other_file_of_the_daemon_is_open_in_it(house: House, tmp_path: Path) -> None:
    lists = "import os, sys; print(*sorted(os.listdir('/proc/self/fd'), key=int), file=open(sys.argv[1], 'a'), flush=True)"
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), False)
        pages = house.with_child(lists)
        pages.look()
        found = house.lines(1)[0].split()
    assert len(found) <= 7, "0 to 2, the two pipes, the file that it writes and the folder that it lists"
