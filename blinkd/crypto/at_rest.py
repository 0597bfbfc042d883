"""Templates at rest: AES-256-GCM, each sealed to its record, under a key that systemd hands over or that lies in the state folder."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from blinkd.errors import KeyMissing, StoreError
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

    Raises KeyMissing when it is missing, torn, readable by others or not readable at all, StoreError when a new one cannot be written.
    """
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    credential = Path(folder) / CREDENTIAL if folder else None
    path = state_dir / KEY_FILE
    try:
        if credential is not None and credential.exists():
            return _checked(credential, credential.read_bytes())
        if not path.exists():
            if not create:
                raise KeyMissing(
                    f"{path}: the key of the stored templates is missing; put it back from the backup, or enrol everybody again"
                )
            _write_new(path, secrets.token_bytes(KEY_BYTES))
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyMissing(f"{path}: readable by others; run: chmod 600 {path}")
        return _checked(path, path.read_bytes())
    except OSError as error:
        raise KeyMissing(f"{error.filename or path}: cannot be read: {error.strerror}; check its owner and mode") from None


def _checked(path: Path, key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise KeyMissing(f"{path}: {len(key)} bytes instead of {KEY_BYTES}; put the right key back")
    return key


def _write_new(path: Path, key: bytes) -> None:
    """Create the file whole or not at all; if another process was faster, its key stays. Raises StoreError."""
    # a random name: a process number comes again (in a container it is always the same), and a crash leaves the file behind
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_synced(partial, key)
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(partial)
        finally:
            partial.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}; free some space and check the owner of {path.parent}") from None


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, which Path cannot open
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _bound(*parts: str) -> bytes:
    """Length-prefixed, so that no two lists of parts give the same bytes."""
    return FORMAT + b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
