"""The daemon's loop with a camera and a main line of the test's own; the whole daemon is run by tests/integration/faces."""

import logging
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from blinkd.capture.frame import Frame
from blinkd.errors import StoreError
from blinkd.supervision.loop import Loop


class Camera:
    """Hands out a frame for each True, none for each False, then sets `stop`."""

    def __init__(self, frames: list[bool], stop: threading.Event, *, stuck: bool = False) -> None:
        self._frames = frames
        self._stop = stop
        self.stuck = stuck
        self.state: Any = SimpleNamespace(status="open")

    def latest(self, after_index: int, timeout_s: float) -> Frame | None:  # noqa: ARG002
        if not self._frames:
            self._stop.set()
            return None
        self.state.status = "open" if self._frames[0] else "lost"
        return Frame(np.zeros((4, 4, 3), np.uint8), float(after_index + 1), after_index + 1) if self._frames.pop(0) else None


class Vision:
    """Raises what the test put into `troubles`, one entry a frame."""

    idle = works = True

    def __init__(self, troubles: list[str | None]) -> None:
        self.troubles = troubles
        self.seen = 0

    def process(self, frame: Frame) -> list[Any]:  # noqa: ARG002
        trouble = self.troubles[self.seen] if self.seen < len(self.troubles) else None
        self.seen += 1
        if trouble:
            raise StoreError(trouble)
        return []

    def stand_aside(self, t: float) -> list[Any]:
        return [f"aside at {t}"]

    def interrupt(self, t: float) -> list[Any]:  # noqa: ARG002
        return []


class Entry:
    """Decides something at every call, or raises."""

    def __init__(self, trouble: str = "") -> None:
        self.trouble = trouble
        self.seen = 0

    def see(self, frame: Frame) -> None:  # noqa: ARG002
        self.seen += 1

    def poll(self) -> list[Any]:
        if self.trouble:
            raise StoreError(self.trouble)
        return ["decided"]


class Notifier:
    fed = 0

    def alive(self) -> None:
        self.fed += 1


class Run:
    """One run of the loop."""

    def __init__(
        self, vision: Vision, frames: list[bool], *, stuck: bool = False, entry: "Entry | None" = None, aside: bool = False
    ) -> None:
        stop, self.notifier = threading.Event(), Notifier()
        self.looks = self.ready = 0
        self.reported: list[Any] = []
        loop: Any = Loop
        self.loop = loop(
            Camera(frames, stop, stuck=stuck), vision, entry, self._report, self._look, self._ready, self.notifier, aside=lambda: aside
        )
        self.loop.run(stop)

    def _report(self, events: list[Any]) -> None:
        self.reported += events

    def _look(self) -> None:
        self.looks += 1

    def _ready(self) -> None:
        self.ready += 1


def test_a_store_that_does_not_take_a_record_is_said_once_and_does_not_end_the_daemon(caplog: pytest.LogCaptureFixture) -> None:
    vision = Vision([None, "disk full", "disk full", "disk full", None, "disk full"])
    with caplog.at_level(logging.ERROR):
        Run(vision, [True] * 6)
    assert vision.seen == 6
    assert [record.message for record in caplog.records] == ["disk full", "disk full"]


def test_everything_else_is_looked_at_once_a_second_and_not_for_every_frame() -> None:
    assert Run(Vision([]), [True] * 50).looks == 1  # they came within a second


def test_it_is_ready_once_and_only_when_a_frame_has_been_looked_at() -> None:
    assert Run(Vision([]), [False, False]).ready == 0
    assert Run(Vision([]), [False, True, True]).ready == 1


def test_frames_that_nobody_looks_at_are_no_sign_of_life() -> None:
    broken = Vision([])
    broken.works = False
    run = Run(broken, [True] * 5)
    assert (run.notifier.fed, run.ready) == (0, 0)
    assert Run(Vision([]), [True] * 5).notifier.fed == 5


def test_a_lost_camera_that_is_being_opened_again_is_alive_and_one_that_only_a_new_process_can_open_is_not() -> None:
    assert Run(Vision([]), [False] * 3).notifier.fed >= 3
    assert Run(Vision([]), [False] * 3, stuck=True).notifier.fed == 0


def test_a_pin_is_heard_with_and_without_frames_and_a_badge_is_looked_for_on_each() -> None:
    entry = Entry()
    run = Run(Vision([]), [True, False, True], entry=entry)
    assert entry.seen == 2
    assert run.reported == ["decided"] * 4  # the last call is the one that ends the test


def test_an_entry_that_the_store_does_not_take_keeps_nobody_with_a_face_waiting(caplog: pytest.LogCaptureFixture) -> None:
    vision = Vision([])
    with caplog.at_level(logging.ERROR):
        run = Run(vision, [True] * 3, entry=Entry("disk full"))
    assert (vision.seen, run.notifier.fed, run.reported) == (3, 3, [])
    assert [record.message for record in caplog.records] == ["disk full"]


def test_while_somebody_is_registered_no_face_is_decided_about_but_pins_are_heard_and_the_daemon_is_alive() -> None:
    vision, entry = Vision([]), Entry()
    run = Run(vision, [True, True], entry=entry, aside=True)
    assert vision.seen == 0
    assert run.reported == ["decided", "aside at 0.0", "decided", "aside at 1.0", "decided"]
    assert (run.notifier.fed, run.ready) == (2, 1)
