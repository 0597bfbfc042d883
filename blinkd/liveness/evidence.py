"""The third value of the flow: what speaks for and against a live person on one unbroken track."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from blinkd.capture.frame import Image
from blinkd.liveness.background import BackgroundWatch
from blinkd.liveness.blink import BlinkCounter
from blinkd.liveness.continuity import ContinuityWatch
from blinkd.liveness.cue import Cue
from blinkd.liveness.depth import DepthWatch
from blinkd.liveness.finding import Finding
from blinkd.liveness.outline import OutlineWatch
from blinkd.liveness.policy import POLICIES, Answer, decide
from blinkd.liveness.screen import ScreenWatch
from blinkd.liveness.steadiness import SHAKE_LIMIT, shake, within
from blinkd.liveness.texture import FAR_YAW_DEG, TextureWatch, view_of
from blinkd.liveness.turn import TurnDetector
from blinkd.settings import LivenessSettings
from blinkd.timing import NO_TIMING, Stage, Timing
from blinkd.vision.face import Face


@dataclass(frozen=True, slots=True)
class Evidence:
    """Signs of life of one track within a span of time, what the passive cues found, and what the policy makes of them."""

    blinks: int
    turns: int
    findings: tuple[Finding, ...]
    answer: Answer

    @property
    def live(self) -> bool:
        """Whether the policy is content."""
        return self.answer == "live"

    @property
    def against(self) -> list[str]:
        """Cues that deny, by name; without any, those that doubt."""
        for verdict in ("deny", "doubt"):
            if named := [finding.cue for finding in self.findings if finding.verdict == verdict]:
                return named
        return []


@dataclass(frozen=True, slots=True)
class Eyes:
    """What liveness asks of networks and finders, which are made once a process."""

    texture: Callable[[Image, Face], tuple[float, ...]]  # probabilities, 0..1, that the face in the frame is live, one a network
    framed: Callable[[Image, Face], bool]  # whether the face lies within the edges of a thing that is held up
    eyes_closed: Callable[[Face], float]  # how far the eyes are closed, 0..1, by the blendshapes


class LivenessJudge:
    """Collects cues along one unbroken track; a new track needs a new judge. The continuity of the picture outlives it: it is the visit's."""

    def __init__(self, settings: LivenessSettings, eyes: Eyes, continuity: ContinuityWatch, timing: Timing = NO_TIMING) -> None:
        self._settings = settings
        self._eyes = eyes
        self._continuity = continuity
        self._timing = timing
        self._blink = BlinkCounter(settings, eyes.eyes_closed)
        self._turn = TurnDetector(settings)
        self._texture = TextureWatch(settings)
        self._depth = DepthWatch()
        self._outline = OutlineWatch()
        self._screen = ScreenWatch(eyes.framed)
        self._background = BackgroundWatch() if settings.fixed_camera else None
        looking: list[Stage] = ["texture", "edges", "outline", "pattern"]
        if self._background is not None:
            looking.append("background")
        self._looked_at = dict.fromkeys(looking, -math.inf)
        self._before: Face | None = None
        self._cues: list[Cue] = []

    def observe(self, t: float, image: Image, face: Face, crop: Image) -> list[Cue]:
        """Take one frame of the track; return the signs of life that it completed.

        t: seconds; image: uint8 (H, W, 3) BGR; crop: the face's aligned one, uint8 (112, 112, 3).
        """
        cues: list[Cue] = []
        if blink := self._blink.observe(t, face):
            count = sum(cue.kind == "blink" for cue in self._cues) + 1
            cues.append(Cue("blink", t, {"count": count, "closed_ms": round(blink.closed_ms), "ear": round(blink.lowest_ear, 3)}))
        if side := self._turn.observe(t, face):
            cues.append(Cue("head_turn", t, {"direction": side, "ratio": round(face.yaw_ratio, 2)}))
        self._cues += cues
        if self._before is not None and shake(self._before, face) <= SHAKE_LIMIT and within(image.shape, face):
            self._depth.observe(t, face)
        self._before = face
        if self._settings.policy != "none":
            self._screen.observe_light(image, crop)
            self._look(t, image, face)
        return cues

    def discard(self, cue: Cue) -> None:
        """Forget a cue that turned out to be another person's."""
        self._cues.remove(cue)

    def evidence(self, after: float = -math.inf, before: float = math.inf, *, challenge_passed: bool = False) -> Evidence:
        """Judge by the signs of life between two times in seconds (both excluded) and by all that the passive cues have seen.

        The session asks for the span between the first and the last embedding, so that the face which gave the signs is
        known to be the face that was recognised, before them and after them.
        """
        kinds = [cue.kind for cue in self._cues if after < cue.t < before]
        blinks, turns = kinds.count("blink"), kinds.count("head_turn")
        findings: tuple[Finding, ...] = (
            self._continuity.finding(),
            self._texture.finding(),
            self._texture.view(),
            self._depth.finding(),
            self._outline.finding(),
            *self._screen.findings(),
        )
        if self._background is not None:
            findings += (self._background.finding(),)
        policy = POLICIES[self._settings.policy]
        return Evidence(blinks, turns, findings, decide(policy, blinks, before - after, findings, challenge_passed=challenge_passed))

    def _look(self, t: float, image: Image, face: Face) -> None:
        """The passive cues that look at the picture, a few times a second and never two in one frame: each costs some milliseconds."""
        if abs(face.pose.yaw) > FAR_YAW_DEG:
            return
        longest_ago = min(self._looked_at, key=lambda cue: self._looked_at[cue])
        if (t - self._looked_at[longest_ago]) * 1000 < self._settings.passive_every_ms:
            return
        self._looked_at[longest_ago] = t
        with self._timing.stage(longest_ago):
            self._ask(longest_ago, t, image, face)

    def _ask(self, cue: Stage, t: float, image: Image, face: Face) -> None:
        match cue:
            case "texture":
                self._texture.observe(self._eyes.texture(image, face), view_of(image, face))
            case "edges":
                self._screen.observe(image, face)
            case "outline":
                self._outline.observe(image, face)
            case "pattern":
                self._screen.observe_pattern(image)
            case "background" if self._background is not None:
                self._background.observe(t, image, face)
