"""The session's state machine: idle -> tracking -> decided -> cooldown.

It joins what the tracker sees, what liveness finds and whom the gallery knows into one decision per visit: a punch, or a refusal
with its reason. Given the same frames, clock and settings it decides the same.
"""

import random
from collections.abc import Callable
from typing import Any, Literal, Protocol

from blinkd.attendance.punch import Punch, TurnedAway
from blinkd.capture.frame import Frame
from blinkd.identity.matcher import Identity, fuse
from blinkd.liveness.challenge import Asked, Challenge, draw
from blinkd.liveness.continuity import ContinuityWatch
from blinkd.liveness.cue import Cue
from blinkd.liveness.evidence import Evidence, Eyes, LivenessJudge
from blinkd.liveness.policy import POLICIES
from blinkd.session.events import Event, RefusalReason
from blinkd.session.visit import Visit
from blinkd.settings import Settings
from blinkd.timing import NO_TIMING, Timing
from blinkd.vision.face import Embedding, Face
from blinkd.vision.reader import FaceReader, Sample
from blinkd.vision.tracker import Tracking

State = Literal["idle", "tracking", "challenged", "accepted", "refused"]

UNKNOWN_AFTER_S = 2.0  # a face that nothing in the gallery resembles is refused after so long instead of at the timeout
CERTAIN = 0.1  # of cosine beyond a threshold: more than a further look moves the fused similarity (standard deviation 0.05 to 0.08)
CERTAIN_EMBEDDINGS = 2  # so many agreeing looks are enough then
DENIED_S = 1.5  # a passive cue must go on denying for so long after everything else is there: whoever steps into the light recovers
PASSER_BY_S = 1.0  # who leaves sooner and was never looked at often enough to decide did not ask for anything


class Recogniser(Protocol):
    """Whom the terminal knows, as the session needs it."""

    def identify(self, probe: Embedding) -> Identity:
        """Who a face is; probe is float32 (D,), unit length."""


class Desk(Protocol):
    """Attendance, as the session needs it; both calls return only when the answer is on disk."""

    def attend(self, person_id: str, similarity: float, evidence: dict[str, Any]) -> Punch | TurnedAway:
        """Check a recognised, live person in or out."""

    def refuse(self, reason: RefusalReason, person_id: str | None, similarity: float | None, evidence: dict[str, Any]) -> None:
        """Write a refusal into the scan log."""


class SessionMachine:
    """One terminal's sessions, one at a time."""

    def __init__(
        self,
        settings: Settings,
        reader: FaceReader,
        eyes: Eyes,
        recogniser: Recogniser,
        desk: Desk,
        name_of: Callable[[str], str],
        chance: random.Random,
        timing: Timing = NO_TIMING,
    ) -> None:
        """Begin idle.

        chance: what challenges are drawn from, the operating system's at a door.
        """
        self._settings = settings
        self._policy = POLICIES[settings.liveness.policy]
        self._reader = reader
        self._eyes = eyes
        self._recogniser = recogniser
        self._desk = desk
        self._chance = chance
        self._name_of = name_of
        self._timing = timing
        self._visit: Visit | None = None
        self._count = 0
        self._served_track = 0  # its person has punched: left alone until the track ends
        self._refused_track = 0  # may try again after the cooldown
        self._cooldown_until = 0.0
        self._served: tuple[str, float] | None = None  # last person who punched, and when
        self.state: State = "idle"

    @property
    def active(self) -> bool:
        """Whether somebody is being looked at."""
        return self._visit is not None

    def step(self, frame: Frame, tracking: Tracking) -> list[Event]:
        """Advance by one frame; returns what happened in it."""
        t, face = frame.t, tracking.face
        visit = self._visit
        events: list[Event] = []
        if visit is None:
            if face is None:
                self.state = "idle"
                return events
            if not self._welcome(t, face, tracking.track):
                return events
            visit = self._begin(t, tracking.track, events)
        cut = visit.continuity.observe(t, frame.image)
        if face is None:
            if (t - visit.seen) * 1000 > self._settings.session.lost_ms:
                self._give_up(visit, t, events)
            return events
        if cut or tracking.track != visit.track:
            visit.restart(tracking.track, self._judge(visit.continuity))
        visit.frames += 1
        visit.seen = t
        self._gather(visit, frame, face, events)
        self._decide(visit, t, events)
        return events

    def finish(self, t: float) -> list[Event]:
        """End of the recording, or the camera is lost: an open visit is closed with its reason."""
        events: list[Event] = []
        if self._visit is not None:
            self._give_up(self._visit, t, events)
        return events

    def abandon(self, t: float) -> list[Event]:
        """Nobody is to be decided about: an open visit ends without an answer, and without an entry in the scan log."""
        events: list[Event] = []
        if self._visit is not None:
            self._end(self._visit, t, "idle", events)
        return events

    def _welcome(self, t: float, face: Face, track: int) -> bool:
        if face.width_between_cheeks < self._settings.vision.min_face_px or track == self._served_track:
            return False
        return track != self._refused_track or t >= self._cooldown_until

    def _begin(self, t: float, track: int, events: list[Event]) -> Visit:
        self._count += 1
        continuity = ContinuityWatch()
        self._visit = Visit(self._count, t, track, continuity, self._judge(continuity), t)
        self.state = "tracking"
        events.append(Event(t, self._count, "session_started"))
        return self._visit

    def _judge(self, continuity: ContinuityWatch) -> LivenessJudge:
        return LivenessJudge(self._settings.liveness, self._eyes, continuity, self._timing)

    def _gather(self, visit: Visit, frame: Frame, face: Face, events: list[Event]) -> None:
        """Collect cues and embeddings from one frame."""
        t = frame.t
        with self._timing.stage("crop"):
            sample = self._reader.look(frame.image, face)
        visit.glance(t, face.eye_aspect_ratio, sample, self._settings.liveness.blink_max_ms)
        with self._timing.stage("liveness"):
            cues = visit.judge.observe(t, frame.image, face, sample.crop)
        vouched = []
        for cue in cues:
            events.append(Event(t, visit.number, cue.kind, dict(cue.detail)))
            if self._vouched(visit, cue):
                vouched.append(cue)
            else:
                visit.judge.discard(cue)
        if visit.challenge is not None:
            self._pursue(visit, visit.challenge, t, face, vouched, events)
        if cues:
            # the next embedding must come from after the cue, and at once
            visit.best = None
            return
        if sample.quality.score >= self._settings.vision.min_quality and face.eye_aspect_ratio > self._settings.liveness.ear_closed / 2:
            visit.consider(t, sample)
        due = visit.looked_at is None or (t - visit.looked_at) * 1000 >= self._settings.session.embed_every_ms
        if visit.best is None or not due:
            return
        taken_at, best = visit.best
        visit.add(taken_at, self._embed(best), self._settings.identity.agreement)
        visit.best, visit.looked_at = None, t
        if visit.embeddings:
            with self._timing.stage("search"):
                visit.identity = self._recogniser.identify(fuse([known for _, known in visit.embeddings]))

    def _pursue(self, visit: Visit, challenge: Challenge, t: float, face: Face, cues: list[Cue], events: list[Event]) -> None:
        """Let the challenge see the frame; say the next step when one was just done."""
        before = challenge.state
        if asked := challenge.observe(t, face, cues):
            events.append(_asking(visit, t, asked))
        if before == "asked" and challenge.state == "passed":
            visit.passed_at = t
            visit.best = None  # the next embedding must come from after it: the face that followed is the face that is let in

    def _vouched(self, visit: Visit, cue: Cue) -> bool:
        """Whether the face that gave the cue is the one recognised so far.

        Embeddings before and after are not enough: another face may come in between them for the length of a blink. So the moment
        with the eyes most closed is embedded too, and the frame that completed the cue.
        """
        agreement = self._settings.identity.agreement
        answers = [visit.agrees(t, self._embed(sample), agreement) for t, sample in visit.witnesses(cue)]
        return all(answers)

    def _embed(self, sample: Sample) -> Embedding:
        with self._timing.stage("embed"):
            return self._reader.embed(sample)

    def _decide(self, visit: Visit, t: float, events: list[Event]) -> None:
        if visit.swapped:
            self._refuse(visit, t, "swapped", events)
            return
        identity = visit.identity
        evidence = visit.evidence()
        if evidence.live and not visit.live_reported:
            visit.live_reported = True
            events.append(Event(t, visit.number, "liveness", {"live": True, **_signs(evidence)}))
        if visit.challenge is not None and visit.challenge.state == "failed" and not evidence.live:
            self._refuse(visit, t, "not_live", events)
            return
        if self._enough(visit) and identity is not None:
            if identity.verdict == "match" and identity.person_id is not None:
                self._announce(visit, t, identity, identity.person_id, events)
                if self._admit(visit, t, identity, identity.person_id, evidence, events):
                    return
            if identity.verdict == "unknown" and t - visit.started >= UNKNOWN_AFTER_S and self._hopeless(visit, identity):
                self._refuse(visit, t, "unknown_face", events)
                return
        asked = visit.challenge is not None and visit.challenge.state == "asked"  # its own deadlines hold then
        if not asked and t - visit.started >= visit.patience_s(self._settings.session.timeout_s):
            self._refuse(visit, t, self._why(visit), events)

    def _enough(self, visit: Visit) -> bool:
        """Whether the looks so far decide who it is: fewer of them where the similarity is far beyond the threshold."""
        if visit.doubts or visit.identity is None:
            return False
        certain = visit.identity.verdict == "match" and visit.identity.similarity >= visit.identity.threshold + CERTAIN
        wanted = self._settings.session.embeddings
        return len(visit.embeddings) >= (min(CERTAIN_EMBEDDINGS, wanted) if certain else wanted)

    def _hopeless(self, visit: Visit, identity: Identity) -> bool:
        """Whether further looks could not make a stranger known: twice as many as wanted, or few that are far from anybody."""
        wanted = self._settings.session.embeddings
        far = identity.similarity < identity.uncertain - CERTAIN
        return len(visit.embeddings) >= (wanted if far else 2 * wanted)

    def _admit(self, visit: Visit, t: float, identity: Identity, person_id: str, evidence: Evidence, events: list[Event]) -> bool:
        """What the policy's answer means for somebody recognised; returns whether the visit is decided."""
        if evidence.answer != "denied":
            visit.denied_since = None
        if evidence.answer == "live":
            self._accept(visit, t, person_id, identity.similarity, events)
            return True
        if evidence.answer == "denied":
            visit.denied_since = t if visit.denied_since is None else visit.denied_since
            if t - visit.denied_since >= DENIED_S:
                self._refuse(visit, t, "not_live", events)
                return True
        if evidence.answer == "challenge" and visit.challenge is None:
            liveness = self._settings.liveness
            steps = draw(max(self._policy.always, self._policy.on_doubt), self._chance)
            visit.challenge = Challenge(steps, liveness.step_s, mirrored=self._settings.camera.mirror)
            visit.asked_at = t
            self.state = "challenged"
            events.append(_asking(visit, t, visit.challenge.ask(t)))
        return False

    def _announce(self, visit: Visit, t: float, identity: Identity, person_id: str, events: list[Event]) -> None:
        if visit.announced == person_id:
            return
        visit.announced = person_id
        details = {
            "person_id": person_id,
            "name": self._name_of(person_id),
            "similarity": round(identity.similarity, 4),
            "threshold": round(identity.threshold, 4),
        }
        events.append(Event(t, visit.number, "identified", details))

    def _accept(self, visit: Visit, t: float, person_id: str, similarity: float, events: list[Event]) -> None:
        answer = self._desk.attend(person_id, similarity, _summary(visit, t))
        if isinstance(answer, TurnedAway):
            self._close_refused(visit, t, answer.reason, person_id, similarity, events)
            return
        details = {
            "person_id": person_id,
            "name": self._name_of(person_id),
            "status": str(answer.status),
            "punctuality": str(answer.punctuality),
            "minutes": answer.minutes,
            "seq": answer.seq,
            "similarity": round(similarity, 4),
            "elapsed_s": round(t - visit.started, 3),
        }
        events.append(Event(t, visit.number, "punch", details))
        self._served_track, self._served = visit.track, (person_id, t)
        self._end(visit, t, "accepted", events)

    def _refuse(self, visit: Visit, t: float, reason: RefusalReason, events: list[Event]) -> None:
        identity = visit.identity
        person_id = identity.person_id if identity is not None else None
        similarity = identity.similarity if identity is not None else None
        if reason == "not_live":
            events.append(Event(t, visit.number, "liveness", {"live": False, **_signs(visit.evidence()), **_failure(visit)}))
        self._desk.refuse(reason, person_id, similarity, _summary(visit, t))
        self._close_refused(visit, t, reason, person_id, similarity, events)

    def _close_refused(
        self, visit: Visit, t: float, reason: str, person_id: str | None, similarity: float | None, events: list[Event]
    ) -> None:
        details: dict[str, Any] = {"reason": reason, "frames": visit.frames, "elapsed_s": round(t - visit.started, 3)}
        if person_id is not None and similarity is not None:
            details |= {"person_id": person_id, "similarity": round(similarity, 4)}
        events.append(Event(t, visit.number, "refused", details))
        self._refused_track, self._cooldown_until = visit.track, t + self._settings.session.cooldown_s
        self._end(visit, t, "refused", events)

    def _give_up(self, visit: Visit, t: float, events: list[Event]) -> None:
        """The person has gone before a decision."""
        undecided = len(visit.embeddings) + len(visit.earlier) < self._settings.session.embeddings
        passer_by = undecided and visit.seen - visit.started < PASSER_BY_S
        if passer_by or self._just_served(visit):
            self._end(visit, t, "idle", events)
        else:
            self._refuse(visit, t, self._why(visit), events)

    def _just_served(self, visit: Visit) -> bool:
        """Whether this is the person who has just punched, turning away to leave; that is no refusal."""
        if self._served is None or visit.identity is None:
            return False
        person_id, when = self._served
        return visit.identity.person_id == person_id and visit.started - when <= self._settings.session.cooldown_s

    def _why(self, visit: Visit) -> RefusalReason:
        if visit.identity is None:
            return "poor_quality"
        return {"unknown": "unknown_face", "uncertain": "uncertain", "match": "not_live"}[visit.identity.verdict]  # type: ignore[return-value]

    def _end(self, visit: Visit, t: float, state: State, events: list[Event]) -> None:
        outcome = {"accepted": "punch", "refused": "refused"}.get(state, "left")
        events.append(Event(t, visit.number, "session_ended", {"outcome": outcome, "frames": visit.frames}))
        self._visit = None
        self.state = state


def _asking(visit: Visit, t: float, asked: Asked) -> Event:
    details = {"step": asked.step, "number": asked.number, "of": asked.of, "seconds": round(asked.deadline - t, 3)}
    return Event(t, visit.number, "challenge", details)


def _signs(evidence: Evidence) -> dict[str, Any]:
    """Signs of life, and the numbers of the passive cues that have one."""
    values = {finding.cue: round(finding.value, 3) for finding in evidence.findings if finding.value is not None}
    signs: dict[str, Any] = {"blinks": evidence.blinks, "head_turns": evidence.turns, "cues": values}
    return signs if evidence.live or not evidence.against else {**signs, "against": evidence.against}


def _failure(visit: Visit) -> dict[str, str]:
    return {"challenge": visit.challenge.failure} if visit.challenge is not None and visit.challenge.failure else {}


def _summary(visit: Visit, t: float) -> dict[str, Any]:
    """What the scan log keeps of the visit; numbers only, nothing biometric."""
    evidence = visit.evidence()
    return {
        **_signs(evidence),
        **_failure(visit),
        "live": evidence.live,
        "embeddings": len(visit.embeddings),
        "frames": visit.frames,
        "elapsed_s": round(t - visit.started, 3),
    }
