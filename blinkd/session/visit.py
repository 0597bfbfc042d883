"""All that one visit has gathered so far."""

from dataclasses import dataclass, field

from blinkd.identity.matcher import Identity, fuse
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
    judge: LivenessJudge
    seen: float
    frames: int = 0
    looked_at: float | None = None  # time of the last embedding
    best: tuple[float, Sample] | None = None  # the best look since then
    embeddings: list[tuple[float, Embedding]] = field(default_factory=list)
    earlier: list[Embedding] = field(default_factory=list)  # of this visit, from before the track broke
    doubts: list[tuple[float, Embedding]] = field(default_factory=list)  # embeddings that disagree with the ones before
    identity: Identity | None = None
    announced: str | None = None  # person already reported as identified
    live_reported: bool = False

    def consider(self, t: float, sample: Sample) -> None:
        """Keep the sample if it is the best since the last embedding."""
        if self.best is None or sample.quality.score > self.best[1].quality.score:
            self.best = (t, sample)

    def add(self, t: float, embedding: Embedding, agreement: float) -> None:
        """Take one more embedding; one that does not agree with the ones before is a doubt, and the next agreeing one clears it."""
        before = self.earlier + [known for _, known in self.embeddings]
        if before and float(fuse(before) @ embedding) < agreement:
            self.doubts.append((t, embedding))
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
        self.identity = None

    def evidence(self) -> Evidence:
        """Liveness between the first and the last embedding of the unbroken track."""
        if not self.embeddings:
            return self.judge.evidence(self.seen, self.seen)
        return self.judge.evidence(self.embeddings[0][0], self.embeddings[-1][0])
