"""Stages are measured for whoever asks, and nobody decides otherwise for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from blinkd.capture.frame import Frame
from blinkd.capture.pictures import read_picture
from blinkd.models.manifest import Manifest, default_models_dir
from blinkd.session.terminal import Terminal
from blinkd.settings import VisionSettings
from blinkd.timing import NO_TIMING
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.tracker import Tracking
from tests.unit.session.fakes import Stage


class Recorder:
    """Which stages were entered, each with the one that it lay in."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []
        self._open: list[str] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.seen.append((name, self._open[-1] if self._open else None))
        self._open.append(name)
        yield
        self._open.pop()


def test_a_visit_is_decided_alike_with_and_without_somebody_who_measures() -> None:
    recorder = Recorder()
    plain, timed = Stage(), Stage(timing=recorder)
    both = [stage.rest(1.0) + stage.blink() + stage.rest(0.5) for stage in (plain, timed)]
    assert both[0] == both[1]
    assert any(event.kind == "punch" for event in both[0])
    assert plain.desk.evidence == timed.desk.evidence
    names = [name for name, _ in recorder.seen]
    assert names.count("embed") == len(timed.reader.embedded)
    assert 0 < names.count("search") <= names.count("embed")
    assert names.count("crop") == names.count("liveness") > 20
    assert {(name, within) for name, within in recorder.seen if within} == {
        (name, "liveness") for name in ("texture", "edges", "outline", "pattern")
    }


def test_the_gate_is_measured_in_every_frame_and_the_rest_only_where_networks_run() -> None:
    recorder, awake = Recorder(), iter([False, True, False])

    def update(frame: Frame) -> Tracking:
        with recorder.stage("landmarks"):
            return Tracking(None, frame.index, 0)

    gate: Any = SimpleNamespace(update=lambda _frame: next(awake))
    terminal = Terminal(gate, SimpleNamespace(update=update), Stage().machine, recorder)  # type: ignore[arg-type]
    for index in range(3):
        assert terminal.process(Frame(np.zeros((4, 4, 3), np.uint8), float(index), index)) == []
    assert recorder.seen == [("gate", None), ("gate", None), ("frame", None), ("landmarks", "frame"), ("gate", None)]


def test_the_tracker_looks_for_a_face_and_then_follows_it(media: Path) -> None:
    recorder = Recorder()
    tracker = FaceAnalyser(Manifest.load(default_models_dir()), VisionSettings()).tracker(recorder)
    image = read_picture(media / "obama.jpg")
    for index in range(3):
        assert tracker.update(Frame(image, index / 20, index)).face is not None
    assert [name for name, _ in recorder.seen] == ["detect", "landmarks", "landmarks"]


def test_nobody_listening_lets_errors_through_and_can_be_entered_within_itself() -> None:
    entered = []
    try:
        with NO_TIMING.stage("frame"), NO_TIMING.stage("embed"):
            entered.append(True)
            raise ValueError("of the stage")
    except ValueError as error:
        entered.append(str(error) == "of the stage")
    assert entered == [True, True]
