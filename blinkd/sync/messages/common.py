"""What all messages share."""

import re

from blinkd.sync.wire import Reader, reject

VERSION = 2
MOST = 500  # entries or changes in a message
LONGEST_CERTIFICATE = 4096  # bytes
HASH_BYTES, SIGNATURE_BYTES = 32, 64
NOTHING = bytes(HASH_BYTES)  # in the place of the digest of what is not there
BOOK = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HEX = re.compile(r"[0-9a-f]{1,64}")
DIGEST = re.compile(r"[0-9a-f]{64}")
SENDER = frozenset({"v", "org", "terminal"})


def mark_of(read: Reader) -> str | None:
    """The word by which a version is named."""
    return None if read.member("mark") is None else read.matching("mark", HEX)


def certificate_of(read: Reader) -> bytes:
    """The sender's, DER."""
    certificate = read.binary("certificate")
    if not 0 < len(certificate) <= LONGEST_CERTIFICATE:
        reject(f"certificate of {len(certificate)} bytes")
    return certificate
