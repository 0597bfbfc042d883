"""What every terminal of the organisation knows of a person, as values that travel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from blinkd.attendance.punch import PersonStatus
from blinkd.vision.face import Embedding

Kind = Literal["pin", "badge"]


@dataclass(frozen=True, slots=True)
class CredentialReplica:
    """A PIN or a badge. hash: scrypt's of a PIN, as text; SHA-256 of a badge's code, hexadecimal; created_at: ISO 8601."""

    id: str
    kind: Kind
    hash: str
    created_at: str


@dataclass(frozen=True, slots=True)
class PersonReplica:
    """A person without templates. enrolled_at: aware UTC; salt: of the pseudonym `subject`, None for people enrolled by an old version;
    enrolments: each time that templates were taken in, as JSON values without mention of other people; credentials: by id, None where the
    author knows of none, and so takes none away.
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
    credentials: tuple[CredentialReplica, ...] | None = None


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
