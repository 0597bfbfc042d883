"""What is inside the envelopes: an entry of the book, a person, a template; as immutable values and as bytes.

Every `unpack` raises EnvelopeRejected (bad_content) for bytes that no terminal of this version writes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NoReturn

import numpy as np

from blinkd.attendance.punch import PersonStatus
from blinkd.crypto.chain import canonical, subject_of
from blinkd.crypto.encoding import b64, unb64
from blinkd.errors import EnvelopeRejected
from blinkd.sync.wire import DEEPEST, deeper_than
from blinkd.vision.face import Embedding

ENTRY, PERSON, TEMPLATE = "entry", "person", "template"  # record types
LONGEST_TEXT = 1000
MOST_DIMENSIONS = 4096
UNIT_TOLERANCE = 1e-3  # of a vector's length, as at enrolment


@dataclass(frozen=True, slots=True)
class EntryContent:
    """An entry of a book. salt: 16 bytes; note: words and their salt, where there are any."""

    seq: int
    content: Mapping[str, Any]
    salt: bytes
    note: str | None = None
    note_salt: bytes | None = None

    def pack(self) -> bytes:
        """As JSON."""
        salt = None if self.note_salt is None else b64(self.note_salt)
        return canonical({"seq": self.seq, "content": self.content, "salt": b64(self.salt), "note": self.note, "note_salt": salt})

    @classmethod
    def unpack(cls, data: bytes) -> "EntryContent":
        """Of bytes that `pack` made."""
        value = _object(data)
        try:
            note_salt = None if value["note_salt"] is None else unb64(value["note_salt"])
            found = cls(value["seq"], value["content"], unb64(value["salt"]), value["note"], note_salt)
        except (KeyError, TypeError, ValueError):
            _bad("no entry of a book")
        if type(found.seq) is not int or not isinstance(found.content, dict) or not isinstance(found.note, str | None):
            _bad("no entry of a book")
        return found


@dataclass(frozen=True, slots=True)
class PersonContent:
    """A person as every terminal knows them. salt: of the pseudonym `subject`, None for people enrolled by an old version; enrolments: each
    time that templates were taken in, as JSON values without mention of other people.
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

    def pack(self) -> bytes:
        """As JSON."""
        return canonical(
            {
                "id": self.id,
                "name": self.name,
                "status": self.status.value,
                "enrolled_at": self.enrolled_at.isoformat(),
                "subject": self.subject,
                "salt": None if self.salt is None else b64(self.salt),
                "valid_from": None if self.valid_from is None else self.valid_from.isoformat(),
                "valid_until": None if self.valid_until is None else self.valid_until.isoformat(),
                "groups": list(self.groups),
                "enrolments": [dict(one) for one in self.enrolments],
            }
        )

    @classmethod
    def unpack(cls, data: bytes) -> "PersonContent":
        """Of bytes that `pack` made. The pseudonym follows from salt and id."""
        value = _object(data)
        try:
            salt = None if value["salt"] is None else unb64(value["salt"])
            found = cls(
                _text(value["id"]),
                _text(value["name"]),
                PersonStatus(value["status"]),
                datetime.fromisoformat(value["enrolled_at"]),
                int(value["subject"]),
                salt,
                None if value["valid_from"] is None else date.fromisoformat(value["valid_from"]),
                None if value["valid_until"] is None else date.fromisoformat(value["valid_until"]),
                tuple(_text(group) for group in value["groups"]),
                tuple(_enrolment(one) for one in value["enrolments"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            _bad("no person")
        if found.enrolled_at.tzinfo is None:
            _bad("a time of enrolment without its zone")
        if salt is not None and subject_of(salt, found.id) != found.subject:
            _bad("a pseudonym that does not follow from the person's id")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class TemplateContent:
    """A template of one model. vector: float32 (D,), unit length; moment: shared by templates of different models made from one picture."""

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

    def pack(self) -> bytes:
        """Length of the fields in two bytes, the fields as JSON, the vector's numbers as float32, little-endian."""
        fields = {
            "id": self.id,
            "person_id": self.person_id,
            "model_id": self.model_id,
            "quality_ppm": round(self.quality * 1_000_000),
            "source": self.source,
            "created_at": self.created_at,
            "view": self.view,
            "label": self.label,
            "moment": self.moment,
        }
        packed = canonical(fields)
        return len(packed).to_bytes(2, "big") + packed + self.vector.astype("<f4").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "TemplateContent":
        """Of bytes that `pack` made. The vector has unit length."""
        length = int.from_bytes(data[:2], "big")
        value, numbers = _object(data[2 : 2 + length]), data[2 + length :]
        if len(numbers) % 4 or not 0 < len(numbers) // 4 <= MOST_DIMENSIONS:
            _bad("no vector")
        vector = np.frombuffer(numbers, "<f4").astype(np.float32)
        if not np.all(np.isfinite(vector)) or abs(float(np.linalg.norm(vector.astype(np.float64))) - 1) > UNIT_TOLERANCE:
            _bad("a vector that is not of unit length")
        try:
            texts = {
                name: _text(value[name]) for name in ("id", "person_id", "model_id", "source", "created_at", "view", "label", "moment")
            }
            quality = value["quality_ppm"]
            if type(quality) is not int or not 0 <= quality <= 1_000_000:
                _bad("no quality")
            datetime.fromisoformat(texts["created_at"])
        except (KeyError, TypeError, ValueError):
            _bad("no template")
        return cls(**texts, vector=vector, quality=quality / 1_000_000)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
        known_form = isinstance(value, dict) and not deeper_than(value, DEEPEST) and canonical(value) == data
    except (ValueError, RecursionError):
        _bad("not JSON")
    if (
        not isinstance(value, dict) or not known_form
    ):  # another form is no terminal's: members that stand twice, numbers that are none, another coding
        _bad("no JSON object in its canonical form")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError("no text")
    value.encode()  # half of a surrogate pair raises ValueError
    return value


def _enrolment(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no record of an enrolment")
    return value


def _bad(what: str) -> NoReturn:
    raise EnvelopeRejected("bad_content", f"an envelope that opens and holds {what}")
