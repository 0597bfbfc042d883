"""People of the origin's mobile app, whose embeddings lie in envelopes of version 1."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from blinkd.attendance.punch import PersonStatus
from tests.integration.faces.commands import Answer
from tests.unit.cli.passwords import with_passwords
from tests.unit.store.stores import open_store, vector

SALT, PASSWORD = "blink-2024", "what the app was built with"


def envelope(numbers: Any, password: str = PASSWORD) -> dict[str, str]:
    """As the app seals it."""
    key = PBKDF2HMAC(SHA256(), 32, SALT.encode(), 10_000).derive(password.encode())
    sealed = AESGCM(key).encrypt(bytes(12), np.asarray(numbers, "<f4").tobytes(), None)
    parts = {"ciphertext": sealed[:-16], "iv": bytes(12), "tag": sealed[-16:]}
    return {name: base64.b64encode(part).decode() for name, part in parts.items()}


def user(number: int, sealed: object, status: str = "ACTIVE") -> dict[str, Any]:
    return {
        "id": f"u{number}",
        "name": f"Person {number}",
        "encrypted_envelope_json": sealed,
        "model_mode": "int8",
        "enrolled_at": "2025-01-02T08:00:00Z",
        "status": status,
    }


def adopt(state: Path, *arguments: str, salt: str = SALT) -> Answer:
    return with_passwords("people", "adopt", *arguments, "--json", state=state, lines=(PASSWORD,), BLINKD_SYNC__ORIGIN_SALT=salt)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    users = [
        user(1, envelope(vector(1) * 1.2)),
        user(2, json.dumps(envelope(vector(2))), "DEACTIVATED"),
        user(3, envelope(vector(3), "another")),
        user(4, envelope(vector(4, 128))),
        user(5, envelope([0.0] * 192)),
    ]
    path = tmp_path / "users.json"
    path.write_text(json.dumps({"success": True, "users": users}))
    return path


def test_who_opens_and_fits_is_taken_over_once_and_the_others_are_named(tmp_path: Path, file: Path) -> None:
    state = tmp_path / "state"
    done = adopt(state, str(file))
    assert (done.code, done.json["adopted"], sorted(done.json["refused"])) == (1, ["u1", "u2"], ["u3", "u4", "u5"])
    assert adopt(state, str(file)).json["adopted"] == ["u1", "u2"]
    with open_store(state) as store:
        assert [(one.id, one.name, one.status, one.templates) for one in store.people.all()] == [
            ("u1", "Person 1", PersonStatus.ACTIVE, 1),
            ("u2", "Person 2", PersonStatus.DEACTIVATED, 1),
        ]
        (first, _) = store.people.templates("mobilefacenet")
        assert np.allclose(first.vector, vector(1), atol=1e-6)


def test_what_the_origins_database_brought_is_opened_too(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with open_store(state) as store:
        store.people.enrol("u1", "Zoë", [])
        store.people.enrol("u2", "Bo", [])
        with store.transaction():
            sql = "UPDATE people SET envelope = ? WHERE id = ?"
            store.connection().execute(sql, (json.dumps(envelope(vector(1))), "u1"))
            store.connection().execute(sql, ("{torn", "u2"))
    done = adopt(state)
    assert (done.json["adopted"], list(done.json["refused"])) == (["u1"], ["u2"])


@pytest.mark.parametrize("text", ["", "{}", '{"users": 5}', '[{"id": "u1"}]', "[5]"])
def test_a_file_that_is_something_else_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "users.json"
    path.write_text(text)
    done = adopt(tmp_path / "state", str(path))
    assert done.code == 1
    assert str(path) in done.err


def test_without_the_salt_nothing_is_asked(tmp_path: Path, file: Path) -> None:
    done = adopt(tmp_path / "state", str(file), salt="")
    assert (done.code, "sync.origin_salt" in done.err) == (1, True)
