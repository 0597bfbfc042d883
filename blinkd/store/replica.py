"""What every terminal of the organisation knows of a person, as values that travel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from blinkd.attendance.punch import PersonStatus
from blinkd.vision.face import Embedding


@dataclass(frozen=True, slots=True)
class PersonReplica:
    """A person without templates. enrolled_at: aware UTC; salt: of the pseudonym `subject`, None for people enrolled by an old version;
    enrolments: each time that templates were taken in, as JSON values without mention of other people.
    """  # fmt: skip

    id: str
    name: str
    status: PersonStatus
    enrolled_at: datetime
    subject: int
    salt: bytes | None
    valid_from: date | None
    valid_until: date | None
    groups: tuple[str, ...]
    enrolments: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class TemplateReplica:
    """A template of one model. vector: float32 (D,), unit length; quality: 0..1; created_at: ISO 8601; moment: shared by the templates of
    different models that were made from one picture.
    """  # fmt: skip

    id: str
    person_id: str
    model_id: str
    vector: Embedding
    quality: float
    source: str
    created_at: str
    view: str
    label: str
    moment: str


Replica = PersonReplica | TemplateReplica
