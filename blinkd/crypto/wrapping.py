"""What a password protects: PBKDF2-HMAC-SHA256 makes the key, AES-256-GCM wraps with it.

A person's password has few bits, so the derivation is slow on purpose; a browser's WebCrypto knows both algorithms too.
"""

import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, unb64
from blinkd.crypto.envelope import IV_BYTES, TAG_BYTES
from blinkd.crypto.passwords import password_bytes
from blinkd.errors import KeyringRefused, WrongPassword

KDF = "PBKDF2-HMAC-SHA256"
KEY_BYTES, SALT_BYTES = 32, 16
ITERATIONS = 600_000  # of PBKDF2-HMAC-SHA256, what OWASP asked for in 2023
MOST_ITERATIONS = 10_000_000  # a file that asks for more only wants to keep this process busy
VERSION = 1
MEMBERS = frozenset({"v", "kdf", "iv", "sealed"})


def wrapping_key(password: str, salt: bytes, iterations: int) -> bytes:
    """32 bytes. Raises PasswordRefused for what is no text."""
    return PBKDF2HMAC(SHA256(), KEY_BYTES, salt, iterations).derive(password_bytes(password))


def kdf_json(salt: bytes, iterations: int) -> dict[str, Any]:
    """How the key is derived, for who has the password."""
    return {"name": KDF, "iterations": iterations, "salt": b64(salt)}


def kdf_of(value: Any) -> tuple[bytes, int]:  # noqa: ANN401  JSON
    """Salt and iterations. Raises ValueError, KeyError or TypeError for what `kdf_json` would not have made, or what is too weak."""
    if value.keys() != {"name", "iterations", "salt"} or value["name"] != KDF or type(value["iterations"]) is not int:
        raise ValueError("an unknown way to derive keys")
    if not ITERATIONS <= value["iterations"] <= MOST_ITERATIONS:
        raise ValueError(f"{value['iterations']} iterations; {ITERATIONS} to {MOST_ITERATIONS} are taken")
    return unb64(value["salt"], SALT_BYTES), value["iterations"]


def wrap(content: bytes, password: str, context: bytes) -> bytes:
    """A JSON object that `unwrap` opens. context: what kind of thing it is, so that it is not taken for another."""
    salt, iv = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(IV_BYTES)
    head = {"v": VERSION, "kdf": kdf_json(salt, ITERATIONS)}
    sealed = AESGCM(wrapping_key(password, salt, ITERATIONS)).encrypt(iv, content, context + canonical(head))
    return canonical({**head, "iv": b64(iv), "sealed": b64(sealed)}) + b"\n"


def unwrap(data: bytes, password: str, context: bytes) -> bytes:
    """The content. Raises WrongPassword; KeyringRefused when it is nothing that `wrap` made."""
    try:
        value = json.loads(data)
        if value.keys() != MEMBERS or type(value["v"]) is not int or value["v"] != VERSION:
            raise ValueError("another version")
        salt, iterations = kdf_of(value["kdf"])
        iv, sealed = unb64(value["iv"], IV_BYTES), unb64(value["sealed"])
        if len(sealed) < TAG_BYTES:
            raise ValueError("too short")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise KeyringRefused("torn or edited; put it back from the backup") from None
    head = {"v": VERSION, "kdf": kdf_json(salt, iterations)}
    try:
        return AESGCM(wrapping_key(password, salt, iterations)).decrypt(iv, sealed, context + canonical(head))
    except InvalidTag:
        raise WrongPassword("the password is not the right one, or the file was changed") from None
