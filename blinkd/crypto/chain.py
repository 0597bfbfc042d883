"""How entries of the book hang together: commitment, hash and signature.

    commitment = SHA-256(salt || canonical JSON of the content)      says nothing about the content without the salt
    hash       = SHA-256(CONTEXT || book || seq || hash of the entry before || commitment)
    signature  = Ed25519(hash)

Whoever holds only seq, commitment, hash and signature (a relay) proves order, completeness and origin without learning the content, and
an entry whose content and salt were erased keeps its place.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONTEXT = b"blinkd book 1\n"
SALT_BYTES = 16
SUBJECT_MASK = 2**53 - 1
NO_HASH = bytes(32)  # before the first entry


@dataclass(frozen=True, slots=True)
class Link:
    """One entry's place in the chain. salt: 16 bytes, None once the content is erased; commitment, hash: 32 bytes; signature: 64 bytes,
    None where the signature of a later entry covers this one.
    """  # fmt: skip

    seq: int
    salt: bytes | None
    commitment: bytes
    hash: bytes
    signature: bytes | None


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one JSON form of a content of text, whole numbers, booleans, null, lists and objects: sorted keys, no blanks, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def commitment_of(salt: bytes, content: Mapping[str, Any]) -> bytes:
    """32 bytes."""
    return hashlib.sha256(salt + canonical(content)).digest()


def hash_of(book: str, seq: int, before: bytes, commitment: bytes) -> bytes:
    """32 bytes; book: its id, so that an entry cannot stand in another book; before: hash of the entry before."""
    name = book.encode()
    return hashlib.sha256(CONTEXT + len(name).to_bytes(2, "big") + name + seq.to_bytes(8, "big") + before + commitment).digest()


def new_salt() -> bytes:
    """Random bytes for one commitment."""
    return secrets.token_bytes(SALT_BYTES)


def note_digest(salt: bytes, note: str) -> str:
    """What a content keeps of somebody's words, so that the words can be erased alone. Hexadecimal."""
    return hashlib.sha256(salt + note.encode()).hexdigest()


def subject_of(salt: bytes, person_id: str) -> int:
    """A person's pseudonym: 53 bits, which every reader of JSON keeps exact, of SHA-256(salt || id).

    Without the salt it leads back to nobody. It is too short to prove whose it is: `state_of` and `binding_of` do that.
    """
    return int.from_bytes(hashlib.sha256(salt + person_id.encode()).digest()[:7]) & SUBJECT_MASK


def binding_of(salt: bytes, subject: int, person_id: str) -> str:
    """What the book keeps of somebody who is gone: whose the pseudonym was, for who knows the salt. Hexadecimal."""
    return hashlib.sha256(salt + f"{subject}:{person_id}".encode()).hexdigest()


def state_of(salt: bytes, subject: int, person_id: str, name: str, status: str, valid_from: str | None, valid_until: str | None) -> str:
    """How a person stands, for who knows the salt: whose the pseudonym is, and all that hours depend on. Hexadecimal."""
    state = {"subject": subject, "id": person_id, "name": name, "status": status, "from": valid_from, "until": valid_until}
    return hashlib.sha256(salt + canonical(state)).hexdigest()
