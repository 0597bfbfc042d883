"""The unlocked keyring at rest: a terminal starts without the password, by a key of its own that systemd hands over or its folder holds."""

import json
import secrets
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, unb64
from blinkd.crypto.envelope import IV_BYTES
from blinkd.crypto.keyfile import KeyName, load_key, write_whole
from blinkd.crypto.keyring import MOST_BYTES, Keyring, KeyringFile, Secrets
from blinkd.crypto.wrapping import KEY_BYTES
from blinkd.errors import KeyMissing, KeyringRefused

KEYRING_KEY = KeyName(
    "blinkd-keyring-key",
    "keyring.key",
    "the key of the unlocked keyring is missing; put it back from the backup, or run `blinkd keys join` once more",
)
PORTABLE_FILE, UNLOCKED_FILE = "keyring.json", "keyring.sealed"  # in the state folder
CONTEXT = b"blinkd unlocked keyring 1\n"
VERSION = 1
MEMBERS = frozenset({"v", "organisation", "current", "admin", "iv", "sealed"})


def unlock(file: KeyringFile, opened: Secrets) -> Keyring:
    """What a terminal works with: all but the administrator's key."""
    roots = {kid: bytearray(root) for kid, root in opened.roots.items()}
    return Keyring(file.organisation, file.current, roots, bytearray(opened.index), file.admin)


def keep(state_dir: Path, file: KeyringFile | None, keyring: Keyring) -> None:
    """Write both files, the portable one where it is given, each whole or not at all. Raises KeyMissing, StoreError."""
    sealed = sealed_at_rest(load_key(state_dir, KEYRING_KEY, create=True), keyring)
    if file is not None:
        # first: a crash between the two leaves what `keys join` with this very file mends
        write_whole(state_dir / PORTABLE_FILE, canonical(file.to_json()) + b"\n")
    write_whole(state_dir / UNLOCKED_FILE, sealed)


def sealed_at_rest(key: bytes, keyring: Keyring) -> bytes:
    """What UNLOCKED_FILE holds. key: of the terminal, 32 bytes."""
    inner = {"roots": {kid: b64(root) for kid, root in keyring.roots.items()}, "index": b64(keyring.index)}
    bound = _bound(keyring)
    iv = secrets.token_bytes(IV_BYTES)
    sealed = AESGCM(key).encrypt(iv, canonical(inner), CONTEXT + canonical(bound))
    return canonical({**bound, "iv": b64(iv), "sealed": b64(sealed)}) + b"\n"


def has_keyring(state_dir: Path) -> bool:
    """Whether this terminal belongs to an organisation."""
    return (state_dir / UNLOCKED_FILE).exists()


def load(state_dir: Path) -> Keyring:
    """The unlocked keyring. Raises KeyMissing when there is none or its key is another, KeyringRefused when the file is torn."""
    path = state_dir / UNLOCKED_FILE
    try:
        value = json.loads(path.read_bytes())
        if value.keys() != MEMBERS or type(value["v"]) is not int or value["v"] != VERSION:
            raise ValueError("of another version")
        bound = canonical({name: value[name] for name in MEMBERS - {"iv", "sealed"}})
        iv, sealed, admin = unb64(value["iv"], IV_BYTES), unb64(value["sealed"]), unb64(value["admin"], KEY_BYTES)
    except FileNotFoundError:
        raise KeyMissing(f"{path}: this terminal has no keyring; run `blinkd keys init`, or `blinkd keys join FILE`") from None
    except OSError as error:
        raise KeyMissing(f"{path}: cannot be read: {error.strerror}; check its owner and mode") from None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise KeyringRefused(f"{path}: torn or edited; run `blinkd keys join` once more") from None
    try:
        inner = json.loads(AESGCM(load_key(state_dir, KEYRING_KEY, create=False)).decrypt(iv, sealed, CONTEXT + bound))
    except InvalidTag:
        raise KeyMissing(
            f"{path}: does not open: {KEYRING_KEY.file} is another key, or the file was changed; run `blinkd keys join` once more"
        ) from None
    roots = {kid: bytearray(unb64(root, KEY_BYTES)) for kid, root in inner["roots"].items()}
    index = bytearray(unb64(inner["index"], KEY_BYTES))
    return Keyring(value["organisation"], value["current"], roots, index, admin)


def load_file(path: Path) -> KeyringFile:
    """A portable keyring. Raises KeyringRefused."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise KeyringRefused(f"{path}: cannot be read: {error.strerror}") from None
    if len(text) > MOST_BYTES:
        raise KeyringRefused(f"{path}: too long for a keyring; name the file that `blinkd keys export` wrote")
    try:
        return KeyringFile.parse(text)
    except KeyringRefused as error:
        raise KeyringRefused(f"{path}: {error}") from None


def _bound(keyring: Keyring) -> dict[str, Any]:
    """What the file shows, and what its seal covers."""
    return {
        "v": VERSION,
        "organisation": keyring.organisation,
        "current": keyring.current,
        "admin": b64(keyring.admin),
    }
