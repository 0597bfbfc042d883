"""The daemon's loop with a camera and a terminal of the test's own; the whole daemon is run by tests/integration/faces."""

import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from blinkd.capture.frame import Frame
from blinkd.daemon import Daemon, Parts, write_status
from blinkd.errors import StoreError
from blinkd.identity.gallery import Gallery
from blinkd.settings import Settings, StoreSettings
from blinkd.store.database import Store


class Camera:
    """Hands out the given number of frames, then sets `stop`."""

    def __init__(self, frames: int, stop: threading.Event) -> None:
        self._left = frames
        self._stop = stop
        self.state = SimpleNamespace(status="open")

    def latest(self, after_index: int, timeout_s: float) -> Frame | None:  # noqa: ARG002
        if self._left == 0:
            self._stop.set()
            return None
        self._left -= 1
        return Frame(np.zeros((4, 4, 3), np.uint8), float(after_index + 1), after_index + 1)


class Terminal:
    """Raises what the test put into `troubles`, one entry a frame."""

    idle = True

    def __init__(self, troubles: list[str | None]) -> None:
        self.troubles = troubles
        self.seen = 0

    def process(self, frame: Frame) -> list[Any]:  # noqa: ARG002
        trouble = self.troubles[self.seen]
        self.seen += 1
        if trouble:
            raise StoreError(trouble)
        return []

    def interrupt(self, t: float) -> list[Any]:  # noqa: ARG002
        return []


def looped(tmp_path: Path, terminal: Terminal, follow: Any = lambda held: None) -> None:  # noqa: ARG005
    stop = threading.Event()
    daemon = Daemon(Settings(state_dir=tmp_path))
    daemon._loop(Camera(len(terminal.troubles), stop), terminal, stop, Gallery(4), follow)  # type: ignore[arg-type]


def test_a_store_that_does_not_take_a_record_is_said_once_and_does_not_end_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    terminal = Terminal([None, "disk full", "disk full", "disk full", None, "disk full"])
    with caplog.at_level(logging.ERROR):
        looped(tmp_path, terminal)
    assert terminal.seen == 6
    assert [record.message for record in caplog.records] == ["disk full", "disk full"]


def test_people_are_looked_up_again_only_while_nobody_is_being_looked_at(tmp_path: Path) -> None:
    calls: list[object] = []
    busy = Terminal([None, None])
    busy.idle = False
    looped(tmp_path, busy, calls.append)
    assert calls == []
    looped(tmp_path, Terminal([None, None]), calls.append)
    assert len(calls) == 1  # both frames came within a second


def test_a_status_file_that_cannot_be_written_is_only_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_status(tmp_path / "missing", {"a": 1})
    assert "cannot be written" in caplog.text
    write_status(tmp_path, {"a": 1})
    assert (tmp_path / "status.json").read_text() == '{"a": 1}'
    assert [one.name for one in tmp_path.iterdir()] == ["status.json"]


def test_enrolment_is_refused_when_punches_need_the_last_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(state_dir=tmp_path, store=StoreSettings(min_free_mb=50))
    monkeypatch.setattr("blinkd.daemon.shutil.disk_usage", lambda folder: SimpleNamespace(free=49 * 2**20))  # noqa: ARG005
    with Store.open(tmp_path, settings.store) as store, pytest.raises(StoreError, match="49 MB free"):
        Parts(settings).register(store)
