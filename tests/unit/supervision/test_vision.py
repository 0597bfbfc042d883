import logging
from typing import Any

import numpy as np
import pytest

from blinkd.capture.frame import Frame
from blinkd.errors import ModelError, StoreError, VisionFailed
from blinkd.session.events import Event
from blinkd.supervision.vision import POLICY, Vision

FRAME = Frame(np.zeros((4, 4, 3), np.uint8), 0.0, 0)
PUNCH = Event(0.0, 1, "punch")


class Times:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Line:
    """A main line that raises or answers what it is given."""

    idle = True

    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers

    def process(self, frame: Frame) -> list[Event]:  # noqa: ARG002
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def interrupt(self, t: float) -> list[Event]:
        return self.process(Frame(FRAME.image, t, 0))


class Builder:
    def __init__(self, *lines: list[Any]) -> None:
        self.lines = list(lines)
        self.forgotten = 0

    def build(self) -> Any:
        line = self.lines.pop(0)
        if line and isinstance(line[0], ModelError):
            raise line[0]
        return Line(line)

    def forget(self) -> None:
        self.forgotten += 1


def test_whatever_is_thrown_the_line_is_built_anew_after_a_wait_and_no_event_comes_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    times, builder = Times(), Builder([[PUNCH], ZeroDivisionError("odd frame")], [[PUNCH]])
    vision = Vision(builder.build, builder.forget, clock=times)
    assert vision.process(FRAME) == [PUNCH]
    with caplog.at_level(logging.ERROR):
        assert vision.process(FRAME) == []
    assert "Traceback" in caplog.text
    assert not vision.works
    assert "ZeroDivisionError" in vision.why
    assert vision.process(FRAME) == []  # the wait is not over
    assert vision.interrupt(1.0) == []
    assert builder.forgotten == 1
    times.now += POLICY.most_wait_s
    assert vision.process(FRAME) == [PUNCH]
    assert vision.works
    assert vision.why == ""


def test_a_line_that_cannot_be_built_again_counts_as_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    times, builder = Times(), Builder([MemoryError()], [ModelError("the file is torn")], [[PUNCH]])
    vision = Vision(builder.build, builder.forget, clock=times)
    vision.process(FRAME)
    times.now += POLICY.most_wait_s
    assert vision.process(FRAME) == []
    assert "the file is torn" in caplog.text
    times.now += POLICY.most_wait_s
    assert vision.process(FRAME) == [PUNCH]


def test_after_too_many_failures_the_process_is_given_up_by_an_error_that_says_so() -> None:
    times, builder = Times(), Builder(*([RuntimeError("broken")] for _ in range(20)))
    vision = Vision(builder.build, builder.forget, clock=times)
    for _ in range((POLICY.most or 0) - 1):
        assert vision.process(FRAME) == []
        times.now += POLICY.most_wait_s
    with pytest.raises(VisionFailed, match="6 times in a row, the last time by RuntimeError"):
        vision.process(FRAME)
    assert not vision.works


def test_the_stores_errors_are_not_visions_and_the_visit_stays_open() -> None:
    builder = Builder([StoreError("disk full"), [PUNCH]])
    vision = Vision(builder.build, builder.forget, clock=Times())
    with pytest.raises(StoreError):
        vision.process(FRAME)
    assert vision.works
    assert vision.process(FRAME) == [PUNCH]


def test_settings_that_have_changed_bring_another_line_and_keep_the_networks() -> None:
    builder = Builder([], [[PUNCH]])
    vision = Vision(builder.build, builder.forget, clock=Times())
    vision.renew()
    assert vision.process(FRAME) == [PUNCH]
    assert builder.forgotten == 0
