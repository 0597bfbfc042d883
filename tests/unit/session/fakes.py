"""A terminal's session without networks: faces that say who they are, and a desk that remembers."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import numpy as np

from blinkd.attendance.punch import Direction, Punch, Punctuality, SyncState, TurnedAway
from blinkd.capture.frame import Frame
from blinkd.identity.gallery import Gallery
from blinkd.identity.matcher import Bands, Matcher
from blinkd.identity.thresholds import ThresholdRule
from blinkd.liveness.evidence import Eyes
from blinkd.session.events import Event
from blinkd.session.machine import SessionMachine
from blinkd.settings import Settings
from blinkd.timing import NO_TIMING, Timing
from blinkd.vision.face import Face
from blinkd.vision.quality import Quality
from blinkd.vision.reader import Sample
from blinkd.vision.tracker import Tracking
from tests.unit.liveness.faces import face

DIMENSION = 8
FPS = 20.0
BANDS = Bands(match=0.6, uncertain=0.4)
PEOPLE = {"ann": 1, "bob": 2}  # enrolled; the number of the axis on which their template lies
OPEN, CLOSED = 0.30, 0.05
STEP = 1 / FPS
MARGIN = 60.0  # pixels between the picture's corner and a face


def axis(number: int) -> np.ndarray:
    vector = np.zeros(DIMENSION, np.float32)
    vector[number] = 1
    return vector


LOOKS = {
    "ann": axis(1),
    "bob": axis(2),
    "stranger": axis(5),
    "nearly ann": (0.65 * axis(1) + np.sqrt(1 - 0.65**2) * axis(7)).astype(np.float32),
    "distantly ann": (0.35 * axis(1) + np.sqrt(1 - 0.35**2) * axis(7)).astype(np.float32),
    "like ann": (0.5 * axis(1) + np.sqrt(0.75) * axis(6)).astype(np.float32),
}


@dataclass(frozen=True)
class Look:
    """One frame: who stands there (None: nobody), how open the eyes are, how good the picture is, on which track."""

    who: str | None = "ann"
    ear: float = OPEN
    quality: float = 0.8
    track: int = 1
    size: float = 1.0
    texture: float = 1.0
    yaw_ratio: float = 1.0
    sway: float = 0.006  # a person's own movement, as a share of the face's size; a print has none
    image: np.ndarray | None = None  # instead of a grey picture with noise


class FakeReader:
    """Reads the person off the frame; counts what it embedded."""

    def __init__(self) -> None:
        self.now = Look()
        self.embedded: list[str] = []

    def look(self, image: np.ndarray, face: Face) -> Sample:
        del image, face
        crop = np.full((112, 112, 3), list(LOOKS).index(self.now.who or "ann"), np.uint8)
        quality = self.now.quality
        return Sample(crop, Quality(quality, 1, 1, 1, 1, 1, "blurred"))

    def embed(self, sample: Sample) -> np.ndarray:
        who = list(LOOKS)[int(sample.crop[0, 0, 0])]
        self.embedded.append(who)
        return LOOKS[who]


@dataclass
class FakeDesk:
    """Answers as told, and remembers what it was asked."""

    answer: TurnedAway | None = None
    attended: list[str] = field(default_factory=list)
    refused: list[tuple[str, str | None]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)

    def attend(self, person_id: str, similarity: float, evidence: dict[str, Any]) -> Punch | TurnedAway:
        self.evidence.append(evidence)
        if self.answer is not None:
            return self.answer
        self.attended.append(person_id)
        when = datetime(2026, 1, 5, 9, tzinfo=UTC)
        return Punch(
            id="0",
            seq=len(self.attended),
            subject=0,
            person_id=person_id,
            utc=when,
            boot_s=0.0,
            boot_id="b",
            clock="replay",
            status=Direction.CHECK_IN,
            punctuality=Punctuality.ON_TIME,
            minutes=0,
            shift=None,
            terminal="t",
            similarity=similarity,
            sync=SyncState.PENDING,
        )

    def refuse(self, reason: str, person_id: str | None, similarity: float | None, evidence: dict[str, Any]) -> None:
        del similarity
        self.evidence.append(evidence)
        self.refused.append((reason, person_id))


class Stage:
    """A session machine and its fakes; `play` shows it frames at FPS."""

    def __init__(self, settings: Settings | None = None, timing: Timing = NO_TIMING) -> None:
        self.reader, self.desk = FakeReader(), FakeDesk()
        used = settings or Settings()
        gallery = Gallery(DIMENSION, [(who, axis(number)) for who, number in PEOPLE.items()])
        eyes = Eyes(
            lambda _image, _face: (self.reader.now.texture,) * 2,
            lambda _image, _face: False,
            lambda shown: 0.9 if shown.eye_aspect_ratio < 0.15 else 0.1,
        )
        matcher = Matcher(gallery, ThresholdRule(BANDS, None, used.identity))
        self.machine = SessionMachine(used, self.reader, eyes, matcher, self.desk, str.title, Random(3), timing)
        self.index = 0

    @property
    def t(self) -> float:
        """Time of the next frame in seconds."""
        return self.index * STEP

    def play(self, *looks: Look) -> list[Event]:
        events: list[Event] = []
        for look in looks:
            self.reader.now = look
            shown = (
                None
                if look.who is None
                else sized(face(look.ear, yaw_ratio=look.yaw_ratio, sway=look.sway * np.sin(2 * np.pi * self.t / 1.3)), look.size)
            )
            events += self.machine.step(
                Frame(look.image if look.image is not None else grain(self.index), self.t, self.index),
                Tracking(shown, look.track, int(shown is not None)),
            )
            self.index += 1
        return events

    def rest(self, seconds: float, look: Look | None = None) -> list[Event]:
        """So many seconds of the same."""
        return self.play(*[look or Look()] * round(seconds * FPS))

    def blink(self, look: Look | None = None) -> list[Event]:
        """Closed for 150 ms, then open for one frame."""
        look = look or Look()
        return self.play(*[replace(look, ear=CLOSED)] * 2, look)


def grain(seed: int) -> np.ndarray:
    """A grey picture with a sensor's noise, uint8 (480, 640, 3)."""
    return np.random.default_rng(seed).integers(115, 125, (48, 64, 3), dtype=np.uint8).repeat(10, axis=0).repeat(10, axis=1)


def sized(whole: Face, size: float) -> Face:
    """The face shrunk or enlarged, and wholly in the picture."""
    x, y, width, height = whole.bbox
    landmarks = whole.landmarks * np.float32(size) + np.array([MARGIN, MARGIN, 0], np.float32)
    return Face((x * size + MARGIN, y * size + MARGIN, width * size, height * size), whole.score, landmarks)


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


def reasons(events: list[Event]) -> list[str]:
    return [event.details["reason"] for event in events if event.kind == "refused"]
