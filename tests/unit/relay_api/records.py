"""Bodies as clients send them."""

import os
from typing import Any

from blinkd.crypto.encoding import b64
from blinkd.crypto.envelope import Envelope
from blinkd.sync.messages import Batch, Change, Changes, SealedEntry

BOOK = "3a1e6d6c-31f4-4b7e-9d0c-a5f9a3d5f001"


def v1_envelope(size: int = 512) -> dict[str, str]:
    return {"ciphertext": b64(os.urandom(size)), "iv": b64(os.urandom(12)), "tag": b64(os.urandom(16))}


def user(number: int = 1, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"user-{number:05}",
        "name": f"Person {number}",
        "encrypted_envelope_json": v1_envelope(),
        "model_mode": "ort",
        "enrolled_at": "2026-01-15T10:30:00Z",
        "status": "ACTIVE",
    } | changed


def punch(number: int = 1, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"att-{number:05}",
        "person_id": "user-00001",
        "timestamp": "2026-01-15T09:02:33Z",
        "status": "CHECK_IN",
        "punctuality": "ON_TIME",
    } | changed


def sealed(size: int = 1024, terminal: str = "door-1") -> Envelope:
    return Envelope(os.urandom(size), os.urandom(12), os.urandom(16), 2, f"0a1b2c3d.{terminal}")


def changes(number: int = 1, first: int = 0, org: str = "acme") -> Changes:
    found = [Change(f"{first + n:032x}", "person", 0, 1, sealed(), None, os.urandom(64)) for n in range(number)]
    return Changes(org, "door-1", b"a certificate", tuple(found))


def batch(number: int = 1, org: str = "acme") -> Batch:
    entries = tuple(SealedEntry(seq, os.urandom(32), os.urandom(64), sealed()) for seq in range(number))
    return Batch(org, "door-1", BOOK, b"a certificate", bytes(32), entries)
