"""The origin's bodies: users and attendance of its mobile app, with names, ids and times in clear."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from blinkd.crypto.encoding import b64
from blinkd.crypto.envelope import Envelope
from blinkd.errors import EnvelopeRejected
from blinkd.relay.api.plain import refuse_unsealed
from blinkd.sync.wire import Reader, reject

PERSON_STATES = frozenset({"ACTIVE", "DEACTIVATED"})
PUNCH_STATES = frozenset({"CHECK_IN", "CHECK_OUT"})
RECORD = re.compile(r"[\x21-\x7e]{1,128}")  # ids: the app makes UUIDs
MODE = re.compile(r"[A-Za-z0-9 ._-]{1,40}")
PUNCTUALITY = re.compile(r"[A-Z][A-Z_]{0,31}")  # ON_TIME, LATE, and what shifts add
MOMENT = re.compile(r"[0-9T:+.Z -]{10,40}")
LONGEST_NAME = 200  # characters
CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})  # Unicode categories; joiners (Cf) are part of how some names are written
V1_MEMBERS = frozenset({"ciphertext", "iv", "tag"})
FEWEST_BYTES, MOST_BYTES = 64, 16_384  # of ciphertext: from 16 numbers, below which it looks like any bytes, to several templates


@dataclass(frozen=True, slots=True)
class MobileUser:
    """A person of the app. envelope: the JSON members of an envelope of version 1 or 2, None for a person without a face."""

    id: str
    name: str
    envelope: Mapping[str, Any] | None
    model_mode: str
    enrolled_at: str
    status: str

    def to_json(self) -> dict[str, Any]:
        """The origin's members."""
        return {
            "id": self.id,
            "name": self.name,
            "encrypted_envelope_json": self.envelope,
            "model_mode": self.model_mode,
            "enrolled_at": self.enrolled_at,
            "status": self.status,
        }

    @classmethod
    def of(cls, value: object) -> "MobileUser":
        """Read one. Raises MessageRejected for another form, RequestRefused (plain_embedding) for an envelope that is none."""
        # the origin takes a person without the envelope's member for one without a face
        read = Reader(
            value, "user", frozenset({"id", "name", "model_mode", "enrolled_at", "status"}), frozenset({"encrypted_envelope_json"})
        )
        envelope = read.member("encrypted_envelope_json")
        return cls(
            read.matching("id", RECORD),
            _line(read, "name"),
            None if envelope is None else sealed_members(envelope),
            read.matching("model_mode", MODE),
            _moment(read, "enrolled_at"),
            read.one_of("status", PERSON_STATES),
        )


@dataclass(frozen=True, slots=True)
class MobilePunch:
    """A punch of the app. timestamp: as the app wrote it."""

    id: str
    person_id: str
    timestamp: str
    status: str
    punctuality: str

    @classmethod
    def of(cls, value: object) -> "MobilePunch":
        """Read one. Raises MessageRejected for another form."""
        read = Reader(value, "attendance", frozenset({"id", "person_id", "timestamp", "status", "punctuality"}))
        return cls(
            read.matching("id", RECORD),
            read.matching("person_id", RECORD),
            _moment(read, "timestamp"),
            read.one_of("status", PUNCH_STATES),
            read.matching("punctuality", PUNCTUALITY),
        )


def sealed_members(value: object) -> Mapping[str, Any]:
    """The members of an envelope, of version 1 (no v and no kid) or 2, as this program would write them.

    Raises MessageRejected for what is no envelope, RequestRefused (plain_embedding) where the ciphertext is none.
    """
    if isinstance(value, Mapping) and "v" in value:
        try:
            envelope = Envelope.of(value)
        except EnvelopeRejected as error:
            reject(f"user: encrypted_envelope_json: {error}")
        _demand_size(envelope.ciphertext)
        refuse_unsealed(envelope.ciphertext)
        return envelope.to_json()
    read = Reader(value, "user: encrypted_envelope_json", V1_MEMBERS)
    ciphertext, iv, tag = read.binary("ciphertext"), read.binary("iv", 12), read.binary("tag", 16)
    _demand_size(ciphertext)
    refuse_unsealed(ciphertext)
    return {"ciphertext": b64(ciphertext), "iv": b64(iv), "tag": b64(tag)}


def _demand_size(ciphertext: bytes) -> None:
    if not FEWEST_BYTES <= len(ciphertext) <= MOST_BYTES:
        reject(f"user: encrypted_envelope_json: ciphertext of {len(ciphertext)} bytes, not {FEWEST_BYTES} to {MOST_BYTES}")


def _line(read: Reader, name: str) -> str:
    """A text of one line, without control characters: a database refuses some of them, and a terminal's screen is steered by others."""
    value = read.words(name, LONGEST_NAME)
    if not value.strip() or any(unicodedata.category(letter) in CONTROLS for letter in value):
        reject(f"user: {name} is empty, or has control characters or line breaks")
    return value


def _moment(read: Reader, name: str) -> str:
    value = read.matching(name, MOMENT)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        reject(f"{name} is no date and time of ISO 8601, as in 2024-01-15T10:30:00Z")
    return value
