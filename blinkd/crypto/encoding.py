"""Bytes as text and back, so strictly that each value has one form only; and lists of texts as bytes."""

import base64
import binascii


def b64(value: bytes | bytearray) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(value).decode("ascii")


def unb64(text: object, length: int | None = None) -> bytes:
    """The bytes of a base64 text; length: how many there must be.

    Raises ValueError for what is no text, for foreign characters, for another length, and for a text that `b64` would not have made.
    """
    if not isinstance(text, str) or not text.isascii():
        raise ValueError("not base64")
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if base64.b64encode(value).decode("ascii") != text:  # the unused bits of the last character are not zero
        raise ValueError("not the one base64 form")
    if length is not None and len(value) != length:
        raise ValueError(f"{len(value)} bytes instead of {length}")
    return value


def prefixed(*texts: str) -> bytes:
    """Each text in UTF-8 behind its length in two bytes, so that no two lists give the same bytes. Raises ValueError beyond 65,535 bytes."""
    parts = []
    for text in texts:
        encoded = text.encode()
        if len(encoded) > 0xFFFF:
            raise ValueError("longer than 65,535 bytes")
        parts += [len(encoded).to_bytes(2, "big"), encoded]
    return b"".join(parts)
