"""The envelope: what travels, and what everybody on the way may see of it.

associated data = "blinkd aad 2" LF || v || kid || organisation || record type || record id     each text behind its length
plaintext       = content || 0x80 || zeros, up to the next of a few sizes                        ISO/IEC 7816-4 padding
digest          = SHA-256("blinkd envelope 2" LF || v || kid || iv || tag || ciphertext)         what a signature names
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blinkd.crypto.encoding import b64, prefixed, unb64
from blinkd.errors import EnvelopeRejected

VERSION = 2
IV_BYTES, TAG_BYTES = 12, 16
SIZES = (1024, 4096, 16_384, 65_536, 262_144)  # of padded plaintexts
TEMPLATE_SIZES = (1280, *SIZES[1:])  # 192 numbers of 4 bytes and what goes with them fit the first
LONGEST_KID = 128
MEMBERS = frozenset({"ciphertext", "iv", "tag", "v", "kid"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """iv: 12 bytes; tag: 16; ciphertext: as long as the padded plaintext; kid: `EPOCH.TERMINAL`, whose key seals it."""

    ciphertext: bytes
    iv: bytes
    tag: bytes
    v: int
    kid: str

    def to_json(self) -> dict[str, Any]:
        """The members, the origin's three first."""
        return {"ciphertext": b64(self.ciphertext), "iv": b64(self.iv), "tag": b64(self.tag), "v": self.v, "kid": self.kid}

    @classmethod
    def of(cls, value: object) -> "Envelope":
        """Read the JSON form. Raises EnvelopeRejected for anything that `to_json` would not have made."""
        if not isinstance(value, Mapping) or value.keys() != MEMBERS:
            raise EnvelopeRejected("malformed", f"an envelope has exactly the members {', '.join(sorted(MEMBERS))}")
        version, kid = value["v"], value["kid"]
        if type(version) is not int or version != VERSION:
            raise EnvelopeRejected("other_version", f"envelope of version {str(version)[:20]!r}; this blinkd reads version {VERSION}")
        if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID or not kid.isascii() or not kid.isprintable():
            raise EnvelopeRejected("malformed", "kid is no key's name")
        try:
            ciphertext = unb64(value["ciphertext"])
            iv, tag = unb64(value["iv"], IV_BYTES), unb64(value["tag"], TAG_BYTES)
        except ValueError as error:
            raise EnvelopeRejected("malformed", f"ciphertext, iv or tag: {error}") from None
        if len(ciphertext) not in SIZES and len(ciphertext) not in TEMPLATE_SIZES:
            raise EnvelopeRejected("malformed", f"ciphertext of {len(ciphertext)} bytes; none of the sizes that are used")
        return cls(ciphertext, iv, tag, version, kid)

    def digest(self) -> bytes:
        """32 bytes."""
        head = b"blinkd envelope 2\n" + bytes([self.v]) + prefixed(self.kid)
        return hashlib.sha256(head + self.iv + self.tag + self.ciphertext).digest()


def associated_data(kid: str, organisation: str, record_type: str, record_id: str) -> bytes:
    """What an envelope is bound to without containing it."""
    return b"blinkd aad 2\n" + bytes([VERSION]) + prefixed(kid, organisation, record_type, record_id)


def pad(content: bytes, sizes: tuple[int, ...] = SIZES) -> bytes:
    """Content, 0x80 and zeros, as long as the smallest size that fits. Raises EnvelopeRejected (too_large)."""
    for size in sizes:
        if len(content) < size:
            return content + b"\x80" + bytes(size - len(content) - 1)
    raise EnvelopeRejected("too_large", f"{len(content)} bytes; an envelope takes {sizes[-1] - 1}")


def unpad(padded: bytes) -> bytes:
    """The content of what `pad` made. Raises EnvelopeRejected (bad_padding)."""
    content = padded.rstrip(b"\x00")
    if content[-1:] != b"\x80":
        raise EnvelopeRejected("bad_padding", "the padding is not the one of this version")
    return content[:-1]
