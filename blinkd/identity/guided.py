"""Enrolment before a camera, view by view: what is asked of the person, what is wrong with the picture, and what is kept so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from blinkd.capture.frame import Frame
from blinkd.errors import EnrolmentRefused
from blinkd.identity.enrolment import MID_BLINK_EAR, VIDEO_SPACING_S, Enroller, Look, NewTemplate
from blinkd.identity.views import View
from blinkd.vision.quality import Flaw
from blinkd.vision.tracker import FaceTracker

WANTED: dict[View, int] = {"front": 2, "left": 1, "right": 1}  # moments of each view, in the order in which they are asked for
SETTLE_S = 0.5  # the best look of so long is taken: a head that is still turning passes through good ones and blurred ones
UNLIKE_LIMIT = 3  # looks of a turned head in a row that do not agree with the front: one alone may be the angle's fault

Hint = Literal[
    "no_face", "several_faces", "look_straight", "turn_left", "turn_right", "turn_less", "hold", "another_face", "done"
] | Flaw  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guidance:
    """Where it stands. asked: the view that is waited for, None when all are there or were left out; hint: what to do now; kept: moments by
    view; left_out: views that the operator does without; started_anew: how often everything was thrown away because the face had changed.
    """  # fmt: skip

    asked: View | None
    hint: Hint
    kept: Mapping[View, int]
    left_out: tuple[View, ...] = ()
    started_anew: int = 0

    @property
    def enough(self) -> bool:
        """Whether a person can be enrolled of what is there: without a frontal view nobody is recognised at the door."""
        return self.kept.get("front", 0) > 0


class GuidedEnrolment:
    """One person before one camera. A face that changes half-way throws away what was kept: a template of somebody else never comes in."""

    def __init__(self, enroller: Enroller, *, mirrored: bool) -> None:
        """mirrored: whether the frames are."""
        self._enroller = enroller
        self._mirrored = mirrored
        self._tracker: FaceTracker = enroller.tracker()
        self._kept: list[tuple[View, NewTemplate]] = []
        self._left_out: list[View] = []
        self._best: Look | None = None
        self._since = 0.0  # when the look of `_best`'s span began
        self._taken_at = -1e9
        self._unlike = 0
        self._track = 0  # of the moments kept
        self._anew = 0
        self._hint: Hint = "no_face"

    @property
    def guidance(self) -> Guidance:
        """Now."""
        kept = {view: sum(one == view for one, _ in self._kept) for view in WANTED}
        return Guidance(self._asked(), self._hint, kept, tuple(self._left_out), self._anew)

    @property
    def templates(self) -> list[NewTemplate]:
        """What is kept, in the order in which it came."""
        return [template for _, template in self._kept]

    def leave_out(self, view: View) -> None:
        """Go on without a view."""
        if view != "front" and view not in self._left_out:
            self._left_out.append(view)

    def see(self, frame: Frame) -> None:
        """Look at the next frame; frames come in the order of their time."""
        asked = self._asked()
        if asked is None:
            self._hint = "done"
            return
        tracking = self._tracker.update(frame)
        face = tracking.face
        if face is None:
            self._wait("no_face")
            return
        if tracking.faces > 1 and not self._enroller.alone(frame.image):
            self._wait("several_faces")
            return
        if face.eye_aspect_ratio < MID_BLINK_EAR:
            return  # a blink is over before anybody has read a hint
        look = self._enroller.look(frame.image, face, frame.t, mirrored=self._mirrored)
        if self._kept and tracking.track != self._track and look.view == "front" and self._enroller.good(look):
            if self._agrees(self._enroller.template(look, "camera", "")):
                self._track = tracking.track  # who looked away and is back
            else:
                self._begin_anew()
                return
        if look.view != asked:
            self._wait(_turn(asked, look.view))
        elif not self._enroller.good(look):
            self._wait(look.flaw)
        else:
            self._offer(look, asked, tracking.track)

    def _wait(self, hint: Hint) -> None:
        self._best, self._hint = None, hint

    def _offer(self, look: Look, view: View, track: int) -> None:
        self._hint = "hold"
        if look.t - self._taken_at < VIDEO_SPACING_S:
            return
        if self._best is None:
            self._best, self._since = look, look.t
        elif look.score > self._best.score:
            self._best = look
        if look.t - self._since >= SETTLE_S:
            best, self._best = self._best, None
            self._take(best, view, track)

    def _take(self, look: Look, view: View, track: int) -> None:
        template = self._enroller.template(look, f"camera, {view}", "")
        if not self._agrees(template):
            self._unlike += 1
            # on an unbroken track a turned head may only look unlike; whoever came in between has a track of their own
            if view == "front" or track != self._track or self._unlike >= UNLIKE_LIMIT:
                self._begin_anew()
            return
        self._unlike, self._track, self._taken_at = 0, track, look.t
        self._kept.append((view, template))
        if self._asked() is None:
            self._hint = "done"

    def _agrees(self, template: NewTemplate) -> bool:
        try:
            self._enroller.agree([*self.templates, template])
        except EnrolmentRefused:
            return False
        return True

    def _begin_anew(self) -> None:
        self._kept, self._left_out, self._unlike = [], [], 0
        self._anew += 1
        self._hint = "another_face"

    def _asked(self) -> View | None:
        have = [view for view, _ in self._kept]
        return next((view for view, wanted in WANTED.items() if have.count(view) < wanted and view not in self._left_out), None)


def _turn(asked: View, view: View | None) -> Hint:
    """From how the head stands to how it is wanted."""
    if asked == "front":
        return "look_straight"
    if view is None:
        return "turn_less"
    return "turn_left" if asked == "left" else "turn_right"
