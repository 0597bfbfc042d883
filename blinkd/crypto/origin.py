"""Version 1 envelopes, as the mobile app wrote them: read, never written.

key       = PBKDF2-HMAC-SHA256(password, salt, 10,000 iterations)      the same salt for everybody, so guesses serve for all at once
envelope  = {ciphertext, iv, tag} of AES-256-GCM without associated data: nothing ties it to a person, its sender must say whose it is
plaintext = the embedding, float32 little-endian
"""

from collections.abc import Mapping

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from blinkd.crypto.encoding import unb64
from blinkd.crypto.envelope import IV_BYTES, TAG_BYTES
from blinkd.errors import EnvelopeRejected
from blinkd.vision.face import Embedding

ITERATIONS = 10_000
KEY_BYTES, NUMBER_BYTES = 32, 4
MEMBERS = frozenset({"ciphertext", "iv", "tag"})
MOST_NUMBERS = 4096  # in an embedding; known models have 512 at most
LONGEST = 4 * MOST_NUMBERS * NUMBER_BYTES  # characters of a member, with room for line breaks


class OriginReader:
    """Opens what was sealed by one password and salt; deriving the key takes some milliseconds, once."""

    def __init__(self, password: str, salt: bytes) -> None:
        # the app took the password's UTF-8 as it was typed, so it is not normalised here
        self._aead = AESGCM(PBKDF2HMAC(SHA256(), KEY_BYTES, salt, ITERATIONS).derive(password.encode(errors="surrogateescape")))

    def open(self, value: object) -> Embedding:
        """The float32 (D,) vector. Raises EnvelopeRejected: malformed, tampered (or another password), bad_content."""
        if not isinstance(value, Mapping) or value.keys() != MEMBERS:
            raise EnvelopeRejected("malformed", f"an envelope of version 1 has exactly the members {', '.join(sorted(MEMBERS))}")
        try:
            ciphertext = _binary(value["ciphertext"])
            iv, tag = _binary(value["iv"], IV_BYTES), _binary(value["tag"], TAG_BYTES)
        except ValueError as error:
            raise EnvelopeRejected("malformed", f"ciphertext, iv or tag: {error}") from None
        try:
            plain = self._aead.decrypt(iv, ciphertext + tag, None)
        except InvalidTag:
            raise EnvelopeRejected("tampered", "the envelope of version 1 was changed, or password or salt are not the app's") from None
        if not plain or len(plain) % NUMBER_BYTES or len(plain) > MOST_NUMBERS * NUMBER_BYTES:
            raise EnvelopeRejected("bad_content", f"the envelope of version 1 holds {len(plain)} bytes, which are no vector of float32")
        vector = np.frombuffer(plain, "<f4").astype(np.float32)
        if not np.isfinite(vector).all():
            raise EnvelopeRejected("bad_content", "the envelope of version 1 holds a vector that is not finite")
        return vector


def open_origin(value: object, password: str, salt: bytes) -> Embedding:
    """One envelope of version 1. As `OriginReader.open`."""
    return OriginReader(password, salt).open(value)


def _binary(text: object, length: int | None = None) -> bytes:
    if not isinstance(text, str) or len(text) > LONGEST:
        raise ValueError("not base64, or too long")
    return unb64("".join(text.split()), length)  # Android's encoder breaks lines
