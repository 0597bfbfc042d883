"""No embedding in clear gets past the API, whatever it is called and wherever it lies."""

import json
import random
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.crypto.encoding import b64
from blinkd.relay.api.plain import looks_plain
from blinkd.relay.api.storage import ApiStorage
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.core import FakeCore
from tests.unit.relay_api.records import batch, changes, punch, user, v1_envelope

USERS, ATTENDANCE = "/api/v1/sync/users", "/api/v1/sync/attendance"
VECTOR = [random.Random(7).gauss(0, 0.09) for _ in range(128)]


def unit(kind: str, size: int, seed: int = 1) -> bytes:
    vector = np.random.default_rng(seed).normal(size=size)
    return (vector / np.linalg.norm(vector)).astype(kind).tobytes()


@pytest.mark.parametrize("plain_records", [True, False])
@pytest.mark.parametrize(
    "extra", [{"embedding": VECTOR}, {"Vector": "x"}, {"face_descriptor": None}, {"x": VECTOR}, {"x": {"y": [VECTOR]}}, {"status": VECTOR}]
)
def test_a_vector_in_any_member_is_refused_by_its_own_name(
    connect: Callable[..., Client], plain_records: bool, extra: dict[str, Any]
) -> None:
    client = connect(plain_records=plain_records)
    sealed_users, sealed_batch = json.loads(changes().to_bytes()), json.loads(batch().to_bytes())
    nested = json.loads(changes().to_bytes())
    nested["changes"][0] |= extra
    for path, body in [
        (USERS, [user(1, **extra)]),
        (ATTENDANCE, [punch(1, **extra)]),
        (USERS, sealed_users | extra),
        (USERS, nested),
        (ATTENDANCE, sealed_batch | extra),
        (USERS, extra),
    ]:
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (422, "plain_embedding"), body


@pytest.mark.parametrize(
    "content",
    [unit("<f4", 128), unit(">f4", 128), unit("<f8", 128), unit("<f4", 192), bytes(512), json.dumps(VECTOR).encode(), b"0.1," * 128],
    ids=["float32", "big-endian", "float64", "192", "zeros", "json", "text"],
)
def test_an_envelope_with_a_vector_instead_of_ciphertext_is_refused_everywhere(
    connect: Callable[..., Client], storage: ApiStorage, core: FakeCore, content: bytes
) -> None:
    client = connect()
    answer = client.post(USERS, json=[user(1, encrypted_envelope_json=v1_envelope() | {"ciphertext": b64(content)})])
    assert (answer.status_code, answer.json()["error"]) == (422, "plain_embedding")
    for path, message, name in [(USERS, changes(), "changes"), (ATTENDANCE, batch(), "entries")]:
        body = json.loads(message.to_bytes())
        body[name][0]["envelope"]["ciphertext"] = b64(content.ljust(1024, b"\x00")[:1024])
        assert client.post(path, json=body).json()["error"] == "plain_embedding"
    assert (storage.users("acme", "", 10), core.changes, core.batches) == ([], [], [])


@given(st.integers(), st.sampled_from([64, 128, 512, 768, 1024, 1280, 4096]))
def test_ciphertext_is_never_taken_for_a_vector(seed: int, size: int) -> None:
    assert not looks_plain(random.Random(seed).randbytes(size))


@pytest.mark.parametrize(("kind", "size"), [("<f4", 128), ("<f4", 192), ("<f4", 512), ("<f2", 128), ("<f2", 192), ("<f8", 128)])
def test_a_vector_behind_other_bytes_is_found(kind: str, size: int) -> None:
    for seed in range(50):
        assert looks_plain(random.Random(seed).randbytes(37) + unit(kind, size, seed))


@given(st.lists(st.floats(-1, 1, width=32).filter(lambda one: one == 0 or abs(one) > 1e-7), min_size=16, max_size=300))
def test_floats_are_always_found(vector: list[float]) -> None:
    numbers = array("f", vector)
    assert looks_plain(numbers.tobytes())
    numbers.byteswap()
    assert looks_plain(numbers.tobytes())
    assert looks_plain(array("d", vector).tobytes())


def test_a_body_nested_without_end_is_refused_in_words(connect: Callable[..., Client]) -> None:
    client = connect()
    for depth in (70, 5_000, 400_000):
        answer = client.post(USERS, content=b"[" * depth + b"]" * depth, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]) == (422, "malformed")
