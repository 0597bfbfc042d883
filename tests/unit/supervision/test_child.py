import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blinkd.supervision.child import STOP_S, Child
from blinkd.supervision.children import SYNC

VERB = ("sync", "run")
STAND_IN = "import sys, time; print(*sys.argv[1:], file=open(sys.argv[1], 'a')); time.sleep(float(sys.argv[2]))"


class Times:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def stand_in(file: Path, seconds: float) -> tuple[str, ...]:
    return (sys.executable, "-c", STAND_IN, str(file), str(seconds))


def ended(process: Child) -> None:
    while process.running:
        time.sleep(0.01)


def test_it_is_started_again_after_growing_waits_and_told_the_settings_file(tmp_path: Path) -> None:
    times, file = Times(), tmp_path / "lives"
    process = Child("sync", VERB, SYNC, Path("/etc/own.toml"), times, stand_in(file, 0))
    for _ in range(4):
        process.look()
        ended(process)
        process.look()  # notices the end
        assert not process.running  # it waits first
        times.now += SYNC.most_wait_s + 1
    assert file.read_text().splitlines() == [f"{file} 0 --config /etc/own.toml sync run --parent {os.getpid()}"] * 4


def test_a_child_that_is_asked_ends_and_is_not_started_again_at_once(tmp_path: Path) -> None:
    process = Child("sync", VERB, SYNC, None, Times(), stand_in(tmp_path / "lives", 60))
    process.look()
    assert process.running
    process.look()
    process.stop()
    assert not process.running


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blinkd.supervision.child.STOP_S", 0.2)
    deaf = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1], 'w').close(); time.sleep(60)"
    file = tmp_path / "deaf"
    process = Child("sync", VERB, SYNC, None, Times(), (sys.executable, "-c", deaf, str(file)))
    process.look()
    while not file.exists():
        time.sleep(0.01)
    process.stop()
    assert not process.running


def test_a_program_that_is_missing_does_not_reach_the_door(caplog: pytest.LogCaptureFixture) -> None:
    process = Child("sync", VERB, SYNC, None, Times(), ("/does/not/exist",))
    process.look()
    assert "cannot be started" in caplog.text


def test_the_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "child"
    child = (
        "import os, sys, time; from blinkd.supervision.child import die_with; die_with(int(sys.argv[-1])); "
        "open(sys.argv[1] + '.part', 'w').write(str(os.getpid())); os.rename(sys.argv[1] + '.part', sys.argv[1]); time.sleep(60)"
    )
    parent = (
        "import sys, time; from blinkd.supervision.child import Child; from blinkd.supervision.children import SYNC; "
        f"p = Child('x', ('run',), SYNC, None, time.monotonic, (sys.executable, '-c', {child!r}, sys.argv[1])); p.look(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent, str(file)]) as running:
        while not file.exists():
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
    number = int(file.read_text())
    while _lives(number):
        time.sleep(0.01)


def _lives(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
    finally:
        os.sched_yield()


def test_a_child_that_is_replaced_and_does_not_listen_is_killed_without_anybody_waiting(tmp_path: Path) -> None:
    times, file = Times(), tmp_path / "lives"
    deaf = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True); time.sleep(600)"
    )
    process = Child("web", VERB, SYNC, None, times, (sys.executable, "-c", deaf, str(file)))
    process.look()
    while not file.exists() or not file.read_text():
        time.sleep(0.01)
    process.renew()
    process.look()
    assert process.running
    times.now += STOP_S + 0.1
    process.look()  # kills it
    ended(process)
    process.look()
    while len(file.read_text().splitlines()) < 2:
        time.sleep(0.01)
    assert (process.running, process.failures) == (True, 0)
    process.stop(0)
