"""Templates, and hashes of PINs and badges, at rest: AES-256-GCM, each sealed to its record."""

import hashlib
import hmac
import secrets
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from blinkd.crypto.keyfile import TEMPLATE_CREDENTIAL, KeyName, load_key
from blinkd.errors import KeyMissing
from blinkd.vision.face import Embedding

TEMPLATE_KEY = KeyName(
    TEMPLATE_CREDENTIAL,
    "template.key",
    "the key of the stored templates is missing; put it back from the backup, or enrol everybody again",
)
NONCE_BYTES = 12
FORMAT = b"\x01"  # first byte of a sealed template
TEXT_FORMAT = b"\x02"  # and of a sealed text
LOOKUP = b"blinkd badge lookup 1\n"


class TemplateCipher:
    """Seals and opens templates. The associated data binds format, template, person and model: a record moved elsewhere does not open."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._key = key

    def seal(self, template_id: str, person_id: str, model_id: str, vector: Embedding) -> bytes:
        """Return format byte, nonce, ciphertext and tag of a float32 (D,) vector, stored little-endian."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return FORMAT + nonce + self._aead.encrypt(nonce, vector.astype("<f4").tobytes(), _bound(template_id, person_id, model_id))

    def open(self, template_id: str, person_id: str, model_id: str, sealed: bytes) -> Embedding:
        """Return the float32 (D,) vector. Raises KeyMissing naming the record when key or record are not the right ones."""
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            if sealed[:1] != FORMAT or len(nonce) < NONCE_BYTES:
                raise InvalidTag
            plain = self._aead.decrypt(nonce, body, _bound(template_id, person_id, model_id))
        except InvalidTag:
            raise KeyMissing(
                f"template {template_id} of person {person_id} does not open: the key is another one or the record was changed; "
                f"put the right {TEMPLATE_KEY.file} back, or delete the person and enrol again"
            ) from None
        return np.frombuffer(plain, "<f4").astype(np.float32)

    def seal_text(self, record_id: str, person_id: str, kind: str, text: str) -> bytes:
        """Return format byte, nonce, ciphertext and tag; bound to record, person and kind."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return TEXT_FORMAT + nonce + self._aead.encrypt(nonce, text.encode(), _bound(record_id, person_id, kind, form=TEXT_FORMAT))

    def open_text(self, record_id: str, person_id: str, kind: str, sealed: bytes) -> str:
        """Return the text. Raises KeyMissing naming the person when key or record are not the right ones."""
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            if sealed[:1] != TEXT_FORMAT or len(nonce) < NONCE_BYTES:
                raise InvalidTag
            return self._aead.decrypt(nonce, body, _bound(record_id, person_id, kind, form=TEXT_FORMAT)).decode()
        except InvalidTag:
            raise KeyMissing(
                f"the {kind} of person {person_id} does not open: the key is another one or the record was changed; "
                f"put the right {TEMPLATE_KEY.file} back, or set a new {kind}"
            ) from None

    def lookup(self, digest: str) -> bytes:
        """What a badge's digest is found by: 32 bytes that say nothing without the key."""
        return hmac.digest(self._key, LOOKUP + digest.encode(), hashlib.sha256)


def template_key(state_dir: Path, *, create: bool) -> bytes:
    """Return the key of the stored templates, made when there is none and `create` says so. Raises as `load_key`."""
    return load_key(state_dir, TEMPLATE_KEY, create=create)


def _bound(*parts: str, form: bytes = FORMAT) -> bytes:
    """Length-prefixed, so that no two lists of parts give the same bytes."""
    return form + b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
