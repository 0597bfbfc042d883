"""Version 1 envelopes. They are made here with AES-GCM itself, as the mobile app did; blinkd has nothing that writes them."""

import base64
import hashlib
import json
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blinkd.crypto.origin import OriginReader, open_origin
from blinkd.errors import EnvelopeRejected
from blinkd.vision.face import Embedding

PASSWORD, SALT = "the app's password", b"the app's salt"
KEY = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, 10_000)
READER = OriginReader(PASSWORD, SALT)


def sealed(plain: bytes, iv: bytes = bytes(range(12))) -> dict[str, Any]:
    found = AESGCM(KEY).encrypt(iv, plain, None)
    parts = {"ciphertext": found[:-16], "iv": iv, "tag": found[-16:]}
    return {name: base64.b64encode(part).decode() for name, part in parts.items()}


def refused(value: object) -> str:
    with pytest.raises(EnvelopeRejected) as error:
        READER.open(value)
    return error.value.reason


@given(hnp.arrays(np.float32, st.integers(1, 512), elements=st.floats(-1, 1, width=32)), st.binary(min_size=12, max_size=12))
def test_an_envelope_of_the_app_opens_as_the_vector_that_it_sealed(vector: Embedding, iv: bytes) -> None:
    opened = READER.open(json.loads(json.dumps(sealed(vector.astype("<f4").tobytes(), iv))))
    assert opened.dtype == np.float32
    assert opened.tobytes() == vector.tobytes()


def test_line_breaks_of_androids_encoder_are_nothing_to_it() -> None:
    value = sealed(np.ones(128, "<f4").tobytes())
    value["ciphertext"] = base64.encodebytes(base64.b64decode(value["ciphertext"])).decode()
    assert "\n" in value["ciphertext"]
    assert READER.open(value).tolist() == [1.0] * 128


def test_another_password_or_salt_opens_nothing() -> None:
    value = sealed(np.ones(4, "<f4").tobytes())
    assert open_origin(value, PASSWORD, SALT).tolist() == [1.0] * 4
    for password, salt in ((PASSWORD + "x", SALT), (PASSWORD, SALT + b"x")):
        with pytest.raises(EnvelopeRejected) as error:
            open_origin(value, password, salt)
        assert error.value.reason == "tampered"


def test_every_bit_flip_is_refused() -> None:
    value = sealed(np.ones(4, "<f4").tobytes())
    for name, text in value.items():
        part = base64.b64decode(text)
        for bit in range(len(part) * 8):
            flipped = bytearray(part)
            flipped[bit // 8] ^= 1 << bit % 8
            assert refused(value | {name: base64.b64encode(flipped).decode()}) == "tampered"


@pytest.mark.parametrize("plain", [b"", b"123", b"12345", bytes(4 * 4097), np.array([1, np.nan], "<f4").tobytes(), b"\x00\x00\x80\x7f"])
def test_what_is_no_finite_vector_is_refused_though_the_seal_holds(plain: bytes) -> None:
    assert refused(sealed(plain)) == "bad_content"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 1},
        {"iv": None},
        {"iv": "AAAA"},
        {"tag": ""},
        {"ciphertext": 7},
        {"ciphertext": "ä"},
        {"ciphertext": "A" * 100_000},
        {"iv": "AAECAwQFBgcICQoM=="},
    ],
)
def test_another_form_is_refused(change: dict[str, Any]) -> None:
    assert refused(sealed(bytes(4)) | change) == "malformed"


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_whatever_else_comes_is_refused(value: object) -> None:
    assert refused(value) == "malformed"
