"""Frames in, events out: motion gate, tracker and session machine in their order. `run`, `demo` and `replay` all use this one."""

from blinkd.capture.frame import Frame
from blinkd.capture.motion import MotionGate
from blinkd.session.events import Event
from blinkd.session.machine import SessionMachine, State
from blinkd.timing import NO_TIMING, Timing
from blinkd.vision.face import Face
from blinkd.vision.tracker import FaceTracker


class Terminal:
    """The main line of one camera."""

    def __init__(self, gate: MotionGate, tracker: FaceTracker, machine: SessionMachine, timing: Timing = NO_TIMING) -> None:
        self._gate = gate
        self._tracker = tracker
        self._machine = machine
        self._timing = timing
        self.face: Face | None = None  # of the last frame, for previews

    @property
    def state(self) -> State:
        """The session's state, for previews and status."""
        return self._machine.state

    @property
    def idle(self) -> bool:
        """Whether nobody is being looked at."""
        return not self._machine.active

    def process(self, frame: Frame) -> list[Event]:
        """Take one frame; times never go back. While nothing moves and no session is open no network runs."""
        with self._timing.stage("gate"):
            awake = self._gate.update(frame)
        if not awake and not self._machine.active:
            self.face = None  # a face that does not move at all is a picture on the wall
            return []
        with self._timing.stage("frame"):
            tracking = self._tracker.update(frame)
            self.face = tracking.face
            return self._machine.step(frame, tracking)

    def stand_aside(self, t: float) -> list[Event]:
        """Nobody is to be decided about: drop the session, forget the face."""
        self._tracker.forget()
        self.face = None
        return self._machine.abandon(t)

    def interrupt(self, t: float) -> list[Event]:
        """The picture has stopped (end of recording, camera lost): close the session, forget the face."""
        self._tracker.forget()
        self.face = None
        return self._machine.finish(t)
