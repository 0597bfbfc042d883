"""All that one visit has gathered so far."""

from collections import deque
from dataclasses import dataclass, field

from blinkd.identity.matcher import Identity, fuse
from blinkd.liveness.challenge import Challenge
from blinkd.liveness.continuity import ContinuityWatch
from blinkd.liveness.cue import Cue
from blinkd.liveness.evidence import Evidence, LivenessJudge
from blinkd.vision.face import Embedding
from blinkd.vision.reader import Sample

DOUBTS_BEFORE_SWAPPED = 2  # a single odd embedding may be a hand or a grimace; the next one decides


@dataclass(eq=False)
class Visit:
    """State of one session; the state machine changes it, nobody else keeps it."""

    number: int
    started: float
    track: int
    continuity: ContinuityWatch
    judge: LivenessJudge
    seen: float
    frames: int = 0
    looked_at: float | None = None  # time of the last embedding
    best: tuple[float, Sample] | None = None  # the best look since then
    recent: deque[tuple[float, float, Sample]] = field(default_factory=deque)  # time, eye aspect ratio and look, as far back as a blink
    embeddings: list[tuple[float, Embedding]] = field(default_factory=list)
    earlier: list[Embedding] = field(default_factory=list)  # of this visit, from before the track broke
    doubts: list[tuple[float, Embedding]] = field(default_factory=list)  # embeddings that disagree with the ones before
    identity: Identity | None = None
    announced: str | None = None  # person already reported as identified
    live_reported: bool = False
    challenge: Challenge | None = None
    asked_at: float | None = None  # when the challenge began: what it takes is not the visitor's dawdling
    passed_at: float | None = None  # when its last step was done
    denied_since: float | None = None

    def consider(self, t: float, sample: Sample) -> None:
        """Keep the sample if it is the best since the last embedding."""
        if self.best is None or sample.quality.score > self.best[1].quality.score:
            self.best = (t, sample)

    def glance(self, t: float, eye_aspect_ratio: float, sample: Sample, keep_ms: float) -> None:
        """Keep every look for so long: a blink is recognised as one only when it is over."""
        self.recent.append((t, eye_aspect_ratio, sample))
        while (t - self.recent[0][0]) * 1000 > keep_ms:
            self.recent.popleft()

    def witnesses(self, cue: Cue) -> list[tuple[float, Sample]]:
        """The looks, with their times, that show whose cue it was: the present one and, of a blink, the one with the eyes most closed."""
        now = self.recent[-1]
        if cue.kind != "blink":
            return [(now[0], now[2])]
        began = cue.t - float(cue.detail["closed_ms"]) / 1000
        closed = min((look for look in self.recent if look[0] >= began), key=lambda look: look[1])
        return [(look[0], look[2]) for look in (closed, now)]

    def agrees(self, t: float, embedding: Embedding, agreement: float) -> bool:
        """Whether an embedding resembles the ones before; if not it is a doubt. It is not added: eyes are closed in it, or the head turned."""
        before = self.earlier + [known for _, known in self.embeddings]
        if before and float(fuse(before) @ embedding) < agreement:
            self.doubts.append((t, embedding))
            return False
        return True

    def add(self, t: float, embedding: Embedding, agreement: float) -> None:
        """Take one more embedding; one that does not agree with the ones before is a doubt, and the next agreeing one clears it."""
        if not self.agrees(t, embedding, agreement):
            return
        self.doubts.clear()
        self.embeddings.append((t, embedding))

    @property
    def swapped(self) -> bool:
        """Whether another face has taken the place of the one that the visit began with."""
        return len(self.doubts) >= DOUBTS_BEFORE_SWAPPED

    def restart(self, track: int, judge: LivenessJudge) -> None:
        """The track broke: no evidence is carried over; the embeddings stay only to notice a swapped face."""
        self.track, self.judge, self.best, self.looked_at = track, judge, None, None
        self.earlier += [known for _, known in self.embeddings]
        self.embeddings.clear()
        self.doubts.clear()
        self.recent.clear()
        self.identity = None
        self.challenge = self.asked_at = self.passed_at = self.denied_since = None

    def patience_s(self, timeout_s: float) -> float:
        """Seconds after the start at which the visit is closed, counted from the challenge where there was one."""
        return timeout_s if self.asked_at is None else self.asked_at - self.started + timeout_s

    def evidence(self) -> Evidence:
        """Liveness between the first and the last embedding of the unbroken track."""
        if not self.embeddings:
            return self.judge.evidence(self.seen, self.seen)
        last = self.embeddings[-1][0]
        passed = self.passed_at is not None and last > self.passed_at
        return self.judge.evidence(self.embeddings[0][0], last, challenge_passed=passed)
