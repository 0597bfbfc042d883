"""The terminal's signing key: Ed25519 (RFC 8032)."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from blinkd.crypto.keyfile import KeyName, load_key

SIGNING_KEY = KeyName(
    "blinkd-signing-key",
    "signing.key",
    "the key that signs the book is missing; put it back from the backup. Without it this book can only be read: "
    "move blinkd.db away, and a new book begins",
)


class Signer:
    """Signs with the terminal's key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()  # 32 bytes

    @classmethod
    def load(cls, state_dir: Path, *, create: bool) -> "Signer":
        """The key of a state folder, made when there is none and `create` says so. Raises KeyMissing, StoreError."""
        return cls(load_key(state_dir, SIGNING_KEY, create=create))

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


class Verifier:
    """Checks signatures by a public key of 32 bytes."""

    def __init__(self, public: bytes) -> None:
        self.public = public
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether the key's owner signed the message."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True
