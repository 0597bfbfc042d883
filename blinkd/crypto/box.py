"""Sealed to one terminal: X25519 with an ephemeral key, HKDF-SHA256, AES-256-GCM. For what only that terminal may open: a new epoch's root.

shared key = HKDF-SHA256(X25519(ephemeral, terminal's), info = "blinkd box 1" LF || ephemeral public || terminal's public)
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from blinkd.crypto.encoding import b64, prefixed, unb64
from blinkd.crypto.envelope import IV_BYTES
from blinkd.crypto.keyfile import KeyName, load_key
from blinkd.errors import CertificateRefused, EnvelopeRejected

BOX_KEY = KeyName(
    "blinkd-box-key",
    "box.key",
    "the key by which this terminal is given new keys is missing; put it back from the backup, or run `blinkd keys join` after each rotation",
)
CONTEXT, GRANT = b"blinkd box 1\n", b"blinkd grant 1\n"
KEY_BYTES = 32
MEMBERS = frozenset({"ephemeral", "iv", "sealed"})


class Box:
    """A terminal's box, which anybody can fill and only the terminal can empty."""

    def __init__(self, secret: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()  # 32 bytes

    @classmethod
    def load(cls, state_dir: Path, *, create: bool) -> "Box":
        """The key of a state folder, made when there is none and `create` says so. Raises KeyMissing, StoreError."""
        return cls(load_key(state_dir, BOX_KEY, create=create))

    def open(self, grant: Mapping[str, Any], organisation: str, epoch: str, terminal: str) -> bytes:
        """The root of an epoch, 32 bytes. Raises EnvelopeRejected when the grant is not for this terminal, organisation and epoch."""
        try:
            if grant.keys() != MEMBERS:
                raise ValueError("not a grant")
            ephemeral = unb64(grant["ephemeral"], KEY_BYTES)
            iv, sealed = unb64(grant["iv"], IV_BYTES), unb64(grant["sealed"])
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            root = AESGCM(_key(shared, ephemeral, self.public)).decrypt(iv, sealed, GRANT + prefixed(organisation, epoch, terminal))
            if len(root) != KEY_BYTES:
                raise ValueError("not a root")
            return root
        except (AttributeError, KeyError, TypeError, ValueError, InvalidTag):
            raise EnvelopeRejected(
                "tampered", f"the grant of epoch {epoch} does not open: it is for another terminal, or was changed"
            ) from None


def seal_to(public: bytes, organisation: str, epoch: str, terminal: str, root: bytes) -> dict[str, str]:
    """A grant: the root of an epoch for the terminal whose box this public key is. Raises CertificateRefused for a key that hides nothing."""
    ephemeral = X25519PrivateKey.generate()
    own, iv = ephemeral.public_key().public_bytes_raw(), secrets.token_bytes(IV_BYTES)
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # a point of small order: everybody would know the shared key
        raise CertificateRefused(f"terminal {terminal}: its box key is none that can keep a secret; make its keys anew") from None
    sealed = AESGCM(_key(shared, own, public)).encrypt(iv, root, GRANT + prefixed(organisation, epoch, terminal))
    return {"ephemeral": b64(own), "iv": b64(iv), "sealed": b64(sealed)}


def _key(shared: bytes, ephemeral: bytes, public: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=CONTEXT + ephemeral + public).derive(shared)
