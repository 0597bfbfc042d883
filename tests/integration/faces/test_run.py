"""The daemon as a process of its own, with a recording in the camera's place."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.clock import SystemClock
from blinkd.measure.servers.ports import free_ports
from blinkd.status_file import part_states
from tests.integration.faces.commands import START, blinkd, blinkd_process, variables
from tests.integration.faces.conftest import MAN
from tests.services.manager import Manager

STARTS_S, STOPS_S = 60.0, 3.0
MOST_MEMORY_MB = 350


class Daemon:
    """A running `blinkd run`, and what it says on standard error line by line."""

    def __init__(self, state: Path, **more: str) -> None:
        self.said: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-c", START, "run"],
            env=variables(state, **more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, words: str, timeout_s: float = STARTS_S) -> str:
        """The next line that holds the words."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                break
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(f"{words!r} was not said; but:\n" + "".join(self.said))

    def resident_mb(self) -> float:
        """VmRSS."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def stop(self) -> tuple[int, float]:
        """SIGTERM; exit code and seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        return code, time.monotonic() - began

    def close(self) -> None:
        """Whatever happened, nothing stays behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        self._reader.join(20)
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def camera(media: Path) -> dict[str, str]:
    return {"BLINKD_CAMERA__DRIVER": "file", "BLINKD_CAMERA__PATH": str(media / "noface_face.mov")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def daemon(state: Path, camera: dict[str, str], home: Path) -> Iterator[Daemon]:
    elsewhere = {name: str(home / "xdg") for name in os.environ if name.startswith("XDG_")}
    running = Daemon(state, **camera, **elsewhere, HOME=str(home))
    yield running
    running.close()


def test_it_checks_the_man_in_stays_small_writes_nothing_at_home_and_stops_at_once(daemon: Daemon, state: Path, home: Path) -> None:
    line = daemon.wait_for(" punch ")
    assert MAN in line
    assert "CHECK_IN" in line
    assert "Sam Sample" not in "".join(daemon.said), "the journal knows people by id only"
    memory = daemon.resident_mb()
    code, seconds = daemon.stop()
    assert code == 0
    assert seconds <= STOPS_S
    assert memory <= MOST_MEMORY_MB
    assert list(home.rglob("*")) == []
    (punch,) = blinkd("log", "--json", state=state).lines
    assert (punch["person_id"], punch["seq"], punch["status"]) == (MAN, 1, "CHECK_IN")
    assert punch["clock"] in ("synced", "unsynced")


def test_a_second_daemon_on_the_same_folder_is_refused_and_names_the_first(daemon: Daemon, state: Path, camera: dict[str, str]) -> None:
    daemon.wait_for("started")
    second = blinkd_process("run", state=state, **camera)
    assert second.code == 1
    assert str(daemon.process.pid) in second.err
    assert str(state) in second.err
    assert "Traceback" not in second.err
    assert daemon.process.poll() is None
    assert daemon.stop()[0] == 0


def test_people_can_be_managed_while_the_daemon_runs(daemon: Daemon, state: Path) -> None:
    daemon.wait_for("started")
    done = blinkd("people", "list", "--json", state=state)
    assert done.code == 0
    assert len(done.json) == 3
    assert daemon.stop()[0] == 0


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [("BLINKD_VISION__PRECISION", "simulated", "vision.precision"), ("BLINKD_LIVENESS__POLICY", "none", "liveness.policy")],
)
def test_it_refuses_settings_that_would_let_anybody_in(variable: str, value: str, key: str, state: Path, camera: dict[str, str]) -> None:
    done = blinkd_process("run", state=state, **camera, **{variable: value})
    assert done.code == 1
    assert key in done.err
    assert value in done.err
    assert "Traceback" not in done.err


def test_a_recording_that_is_missing_is_reported_and_the_daemon_still_stops(state: Path, tmp_path: Path) -> None:
    running = Daemon(state, BLINKD_CAMERA__DRIVER="file", BLINKD_CAMERA__PATH=str(tmp_path / "missing.mov"))
    try:
        running.wait_for("missing.mov")
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) in (0, 1)
        assert "Traceback" not in "".join(running.said)
    finally:
        running.close()


def test_metrics_are_served_where_asked_for_and_count_what_happened(state: Path, camera: dict[str, str]) -> None:
    (port,) = free_ports(1)
    running = Daemon(state, **camera, BLINKD_METRICS__ENABLED="true", BLINKD_METRICS__PORT=str(port))
    try:
        running.wait_for("EVENT=punch")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert 'blinkd_punches_total{direction="in"} 1.0' in text
        assert 'blinkd_stage_seconds_count{stage="embed"}' in text
        assert MAN not in text
        assert running.stop()[0] == 0
    finally:
        running.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(tmp_path / "notify")
    yield listening
    listening.close()


def test_systemd_hears_that_it_is_ready_when_a_frame_has_been_looked_at_and_how_it_is_and_that_it_stops(
    state: Path, camera: dict[str, str], manager: Manager
) -> None:
    running = Daemon(state, **camera, NOTIFY_SOCKET=str(manager.path), WATCHDOG_USEC="4000000")
    try:
        before = manager.wait_for("READY=1")
        assert before[0].startswith("STATUS=starting")
        assert not any("WATCHDOG" in one for one in before[:-2])  # nothing was looked at before
        manager.wait_for("STATUS=degraded; clock") if _unsynced() else manager.wait_for("STATUS=working; 3 people")
        manager.wait_for("WATCHDOG=1")
        running.wait_for("EVENT=punch PERSON=")
        assert running.stop()[0] == 0
        assert "STOPPING=1" in manager.heard()
    finally:
        running.close()


def test_without_a_camera_it_is_never_ready_and_asks_for_patience(state: Path, tmp_path: Path, manager: Manager) -> None:
    missing = {"BLINKD_CAMERA__DRIVER": "v4l2", "BLINKD_CAMERA__DEVICE": str(tmp_path / "video9")}
    running = Daemon(state, **missing, NOTIFY_SOCKET=str(manager.path))
    try:
        said = manager.wait_for("video9")
        said += manager.wait_for("EXTEND_TIMEOUT_USEC=")
        assert "READY=1" not in said + manager.heard()
        assert part_states(state)["camera"] == "failed"
        code, seconds = running.stop()
        assert code == 0
        assert seconds <= STOPS_S
    finally:
        running.close()


def test_settings_are_read_again_as_far_as_they_can_be_taken_over_and_a_broken_file_changes_nothing(
    state: Path, camera: dict[str, str], tmp_path: Path, manager: Manager
) -> None:
    config = tmp_path / "blinkd.toml"
    config.write_text('[attendance]\ngrace_min = 10\n[log]\nlevel = "INFO"\n')
    running = Daemon(state, **camera, BLINKD_CONFIG=str(config), NOTIFY_SOCKET=str(manager.path))
    try:
        manager.wait_for("READY=1")
        config.write_text("[attendance]\ngrace_min = 3\n[vision]\nthreads = 2\n")
        running.process.send_signal(signal.SIGHUP)
        assert "attendance.grace_min" in running.wait_for("settings read: in force now")
        assert "vision.threads" in running.wait_for("only a restart brings into force")
        assert any(one.startswith("RELOADING=1") for one in manager.wait_for("READY=1"))
        for content, words in (("[attendance]\ngrace_min = -1\n", "grace_min"), ('[liveness]\npolicy = "none"\n', "liveness.policy")):
            config.write_text(content)
            running.process.send_signal(signal.SIGHUP)
            assert words in running.wait_for("the settings stay as they were")
            manager.wait_for("READY=1")
        assert running.stop()[0] == 0
    finally:
        running.close()


def _unsynced() -> bool:
    return SystemClock().now().confidence != "synced"
