"""Templates at rest: AES-256-GCM, each sealed to its record, under a key that systemd hands over or that lies in the state folder."""

import os
import secrets
import stat
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from blinkd.errors import KeyMissing
from blinkd.vision.face import Embedding

CREDENTIAL = "blinkd-template-key"  # name of the systemd credential
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
KEY_FILE = "template.key"
KEY_BYTES, NONCE_BYTES = 32, 12
FORMAT = b"\x01"  # first byte of a sealed template


class TemplateCipher:
    """Seals and opens templates. The associated data binds format, template, person and model: a record moved elsewhere does not open."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

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
                f"put the right {KEY_FILE} back, or delete the person and enrol again"
            ) from None
        return np.frombuffer(plain, "<f4").astype(np.float32)


def load_key(state_dir: Path, *, create: bool) -> bytes:
    """Return the key: the systemd credential when there is one, else template.key in the state folder, made when `create` says so.

    Raises KeyMissing when it is missing, torn, or readable by others.
    """
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    if folder and (credential := Path(folder) / CREDENTIAL).exists():
        return _checked(credential, credential.read_bytes())
    path = state_dir / KEY_FILE
    if not path.exists():
        if not create:
            raise KeyMissing(f"{path}: the key of the stored templates is missing; put it back from the backup, or enrol everybody again")
        _write_new(path, secrets.token_bytes(KEY_BYTES))
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyMissing(f"{path}: readable by others; run: chmod 600 {path}")
    return _checked(path, path.read_bytes())


def _checked(path: Path, key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise KeyMissing(f"{path}: {len(key)} bytes instead of {KEY_BYTES}; put the right key back")
    return key


def _write_new(path: Path, key: bytes) -> None:
    """Create the file whole or not at all; if another process was faster, its key stays."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, key)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _bound(*parts: str) -> bytes:
    """Length-prefixed, so that no two lists of parts give the same bytes."""
    return FORMAT + b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
