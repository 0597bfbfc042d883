"""What is inside the envelopes: an entry of the book, a person, a template; as bytes and back.

Every `unpack_…` raises EnvelopeRejected (bad_content) for bytes that no terminal of this version writes.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NoReturn

import numpy as np

from blinkd.attendance.punch import PersonStatus
from blinkd.crypto.chain import canonical, subject_of
from blinkd.crypto.encoding import b64, unb64
from blinkd.crypto.pins import DIGEST, well_formed
from blinkd.errors import EnvelopeRejected
from blinkd.store.replica import CredentialReplica, PersonReplica, Replica, TemplateReplica
from blinkd.sync.wire import DEEPEST, deeper_than

ENTRY, PERSON, TEMPLATE = "entry", "person", "template"  # record types
LONGEST_TEXT = 1000
MOST_DIMENSIONS = 4096
UNIT_TOLERANCE = 1e-3  # of a vector's length, as at enrolment
ENROLMENT = frozenset({"id", "kind", "at", "moments", "replaced", "consent", "own_similarity", "decision"})  # members of a record of one
CREDENTIAL = frozenset({"id", "kind", "hash", "created_at"})  # members of a PIN or badge
MOST_CREDENTIALS = 20  # of one person
MOST_MOMENTS = 10_000
PPM = 1_000_000  # so that qualities travel as whole numbers


@dataclass(frozen=True, slots=True)
class EntryContent:
    """An entry of a book. salt: 16 bytes; note: words and their salt, where there are any."""

    seq: int
    content: Mapping[str, Any]
    salt: bytes
    note: str | None = None
    note_salt: bytes | None = None


def pack_entry(entry: EntryContent) -> bytes:
    """As JSON."""
    note_salt = None if entry.note_salt is None else b64(entry.note_salt)
    return canonical({"seq": entry.seq, "content": entry.content, "salt": b64(entry.salt), "note": entry.note, "note_salt": note_salt})


def unpack_entry(data: bytes) -> EntryContent:
    """Of bytes that `pack_entry` made."""
    value = _object(data)
    try:
        note_salt = None if value["note_salt"] is None else unb64(value["note_salt"])
        found = EntryContent(value["seq"], value["content"], unb64(value["salt"]), value["note"], note_salt)
    except (KeyError, TypeError, ValueError):
        _bad("no entry of a book")
    if type(found.seq) is not int or not isinstance(found.content, dict) or not isinstance(found.note, str | None):
        _bad("no entry of a book")
    return found


def pack(replica: Replica) -> bytes:
    """A person as JSON; a template as the length of its fields in two bytes, the fields as JSON, and the vector as float32, little-endian."""
    if isinstance(replica, PersonReplica):
        credentials = None if replica.credentials is None else [asdict(one) for one in replica.credentials]
        return canonical(
            {
                "id": replica.id,
                "name": replica.name,
                "status": replica.status.value,
                "enrolled_at": replica.enrolled_at.isoformat(),
                "subject": replica.subject,
                "salt": None if replica.salt is None else b64(replica.salt),
                "valid_from": None if replica.valid_from is None else replica.valid_from.isoformat(),
                "valid_until": None if replica.valid_until is None else replica.valid_until.isoformat(),
                "groups": list(replica.groups),
                "enrolments": [dict(one) for one in replica.enrolments],
            }
            # a version that knows of none passes over the member
            | ({} if credentials is None else {"credentials": credentials})
        )
    fields = canonical(
        {
            "id": replica.id,
            "person_id": replica.person_id,
            "model_id": replica.model_id,
            "quality_ppm": round(replica.quality * PPM),
            "source": replica.source,
            "created_at": replica.created_at,
            "view": replica.view,
            "label": replica.label,
            "moment": replica.moment,
        }
    )
    return len(fields).to_bytes(2, "big") + fields + replica.vector.astype("<f4").tobytes()


def unpack_person(data: bytes) -> PersonReplica:
    """Of bytes that `pack` made. The pseudonym follows from salt and id."""
    value = _object(data)
    try:
        salt = None if value["salt"] is None else unb64(value["salt"])
        found = PersonReplica(
            _text(value["id"]),
            _text(value["name"]),
            PersonStatus(value["status"]),
            datetime.fromisoformat(value["enrolled_at"]),
            value["subject"],
            salt,
            None if value["valid_from"] is None else date.fromisoformat(value["valid_from"]),
            None if value["valid_until"] is None else date.fromisoformat(value["valid_until"]),
            tuple(_text(group) for group in value["groups"]),
            tuple(_enrolment(one) for one in value["enrolments"]),
            _credentials(value["credentials"]) if "credentials" in value else None,
        )
    except (KeyError, TypeError, ValueError):
        _bad("no person")
    if found.enrolled_at.tzinfo is None or type(found.subject) is not int or not 0 <= found.subject < 2**53:
        _bad("a person without zone or pseudonym")
    if salt is not None and subject_of(salt, found.id) != found.subject:
        _bad("a pseudonym that does not follow from the person's id")
    return found


def unpack_template(data: bytes) -> TemplateReplica:
    """Of bytes that `pack` made. The vector has unit length."""
    length = int.from_bytes(data[:2], "big")
    value, numbers = _object(data[2 : 2 + length]), data[2 + length :]
    if len(numbers) % 4 or not 0 < len(numbers) // 4 <= MOST_DIMENSIONS:
        _bad("no vector")
    vector = np.frombuffer(numbers, "<f4").astype(np.float32)
    if not np.all(np.isfinite(vector)) or abs(float(np.linalg.norm(vector.astype(np.float64))) - 1) > UNIT_TOLERANCE:
        _bad("a vector that is not of unit length")
    try:
        texts = {name: _text(value[name]) for name in ("id", "person_id", "model_id", "source", "created_at", "view", "label", "moment")}
        quality = value["quality_ppm"]
        datetime.fromisoformat(texts["created_at"])
    except (KeyError, TypeError, ValueError):
        _bad("no template")
    if type(quality) is not int or not 0 <= quality <= PPM:
        _bad("no quality")
    return TemplateReplica(**texts, vector=vector, quality=quality / PPM)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
        known_form = isinstance(value, dict) and not deeper_than(value, DEEPEST) and canonical(value) == data
    except (ValueError, RecursionError):
        _bad("not JSON")
    if not isinstance(value, dict) or not known_form:
        # another form is no terminal's: members that stand twice, numbers that are none, another coding
        _bad("no JSON object in its canonical form")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError("no text")
    value.encode()  # half of a surrogate pair raises ValueError
    return value


def _enrolment(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() != ENROLMENT:
        raise TypeError("no record of an enrolment")
    for name in ("id", "kind", "at", "decision"):
        _text(value[name])
    datetime.fromisoformat(value["at"])
    if value["consent"] is not None:
        _text(value["consent"])
    if any(type(value[name]) is not int or not 0 <= value[name] < MOST_MOMENTS for name in ("moments", "replaced")):
        raise TypeError("no number of moments")
    if not isinstance(value["own_similarity"], float | int | None) or isinstance(value["own_similarity"], bool):
        raise TypeError("no similarity")
    return value


def _credentials(value: object) -> tuple[CredentialReplica, ...]:
    if not isinstance(value, list) or len(value) > MOST_CREDENTIALS:
        raise TypeError("no credentials")
    found = []
    for one in value:
        if not isinstance(one, dict) or one.keys() != CREDENTIAL:
            raise TypeError("no credential")
        for text in one.values():
            _text(text)
        datetime.fromisoformat(one["created_at"])
        known = well_formed(one["hash"]) if one["kind"] == "pin" else one["kind"] == "badge" and DIGEST.fullmatch(one["hash"])
        if not known:
            raise ValueError("no hash")
        found.append(CredentialReplica(**one))
    ids = [one.id for one in found]
    if ids != sorted(set(ids)) or [one.kind for one in found].count("pin") > 1:
        raise ValueError("credentials that stand twice")
    return tuple(found)


def _bad(what: str) -> NoReturn:
    raise EnvelopeRejected("bad_content", f"an envelope that opens and holds {what}")
