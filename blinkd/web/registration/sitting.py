"""One registration: what was typed, what was seen, and whose it is. It outlives the session of whoever began it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from blinkd.identity.enrolment import NewTemplate
from blinkd.identity.guided import Guidance, GuidedEnrolment

Mode = Literal["new", "add", "refresh"]
CameraState = Literal["off", "starting", "live", "gone", "taken"]

MODES: tuple[Mode, ...] = ("new", "add", "refresh")


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed, as it was typed. mode: a new person, more views of one who is known, or new views in the place of all there were."""

    mode: Mode = "new"
    name: str = ""
    person_id: str = ""
    groups: str = ""
    consent: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Whom a face looks like, and how much: cosine."""

    person_id: str
    name: str
    similarity: float

    @classmethod
    def of(cls, details: Mapping[str, object]) -> "Lookalike | None":
        """From an EnrolmentRefused."""
        found = details.get("lookalike")
        if not isinstance(found, Mapping):
            return None
        return cls(str(found["person_id"]), str(found["name"]), float(found["similarity"]))


@dataclass(frozen=True, slots=True)
class Owner:
    """The operator who registers: number, name, roles."""

    id: int
    name: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a page shows. pictures: how many were uploaded and taken; guidance: None before the camera has given a picture; shown: number of
    the newest picture; trouble: why the terminal cannot look at pictures, in words.
    """  # fmt: skip

    owner: Owner
    draft: Draft
    camera: CameraState
    guidance: Guidance | None
    pictures: int
    lookalike: Lookalike | None
    shown: int
    trouble: str

    @property
    def enough(self) -> bool:
        """Whether somebody can be enrolled of it."""
        return self.pictures > 0 or (self.guidance is not None and self.guidance.enough)


@dataclass(slots=True)
class Sitting:
    """The state behind it; the studio's thread and lock change it. watched_s, begun_s: monotonic seconds; uploaded: of pictures."""

    owner: Owner
    draft: Draft
    wants_camera: bool
    watched_s: float
    camera: CameraState = "off"
    guided: GuidedEnrolment | None = None
    guidance: Guidance | None = None
    uploaded: list[NewTemplate] = field(default_factory=list)
    lookalike: Lookalike | None = None
    picture: bytes = b""
    mirrored: bool = False
    shown: int = 0
    trouble: str = ""
    seen_s: float = 0.0  # when the camera gave its last picture, or was asked for the first

    @property
    def progress(self) -> Progress:
        """For a page."""
        return Progress(self.owner, self.draft, self.camera, self.guidance, len(self.uploaded), self.lookalike, self.shown, self.trouble)

    @property
    def templates(self) -> list[NewTemplate]:
        """All there is."""
        return [*self.uploaded, *([] if self.guided is None else self.guided.templates)]
