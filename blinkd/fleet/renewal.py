"""A certificate's successor, carried by a relay that is trusted with nothing.

The terminal leaves its request there by itself, days before its certificate ends; the administrator answers all that wait in one go, whenever the
authority's key is at hand; the terminal takes its answer by itself. So nobody visits a terminal, and the key stays off the network.

Both sides know each other already, so no code is needed. The request is signed by the terminal's signing key, which the authority's list names for
that terminal, and no other terminal's is taken in its place. The answer is a bundle that the authority has signed whose certificate is in place on
the terminal, for its name and its keys. The letter box is named by the terminal's name and signing key, so the authority finds it by its own list,
and the relay lets only the owner of that key fill it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from cryptography import x509
from cryptography.x509.oid import NameOID

from blinkd.crypto.authority import TERMINAL, Issued
from blinkd.crypto.certificates import UNREADABLE
from blinkd.crypto.encoding import prefixed
from blinkd.crypto.request import UNCLAIMED, Request
from blinkd.errors import BundleRefused, CertificateRefused
from blinkd.fleet.bundle import Bundle
from blinkd.fleet.claim import HASH_BYTES, handle

BEFORE_DAYS = 60  # of the end: a month before anybody is warned
CONTEXT = b"blinkd renewal 1\n"


@dataclass(frozen=True, slots=True)
class Standing:
    """A terminal that may have another certificate. signing: public key, 32 bytes; days: left of its newest one, negative past its end."""

    terminal: str
    signing: bytes
    days: int


def renewal_handle(org: str, terminal: str, signing: bytes) -> str:
    """What the carrier calls a terminal's letter box by: 20 hexadecimal characters. signing: public key, 32 bytes."""
    return hashlib.sha256(CONTEXT + prefixed(org, terminal) + signing).digest()[:HASH_BYTES].hex()


def box_of(request: Request) -> str:
    """The letter box into which a request belongs, a claim's or a renewal's; at the carrier. Raises CertificateRefused for what is neither."""
    try:
        names = x509.load_pem_x509_csr(request.csr).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        (org,) = [str(name.value) for name in names]
    except UNREADABLE:
        raise CertificateRefused("the request names no organisation") from None
    request.tls_key(org)
    return handle(request) if org == UNCLAIMED else renewal_handle(org, request.terminal, request.signing)


def standing(issued: list[Issued], org: str, today: date) -> Iterator[Standing]:
    """Every terminal whose newest certificate was not revoked, by name."""
    newest: dict[str, Issued] = {}
    for one in issued:
        if one.kind == TERMINAL and (one.name not in newest or one.not_after >= newest[one.name].not_after):
            newest[one.name] = one
    for name, one in sorted(newest.items()):
        if one.revoked is None and one.signing is not None:
            days = (date.fromisoformat(one.not_after) - today).days
            yield Standing(name.removeprefix(f"{org}/"), bytes.fromhex(one.signing), days)


def checked_renewal(value: object, org: str, wanted: Standing) -> Request:
    """What waits in a terminal's letter box, once it is found to be that terminal's. Raises CertificateRefused, BundleRefused."""
    request = Request.of(value)
    request.tls_key(org)
    if (request.terminal, request.signing) != (wanted.terminal, wanted.signing):
        raise BundleRefused(f"the relay has put another terminal's request in the place of {wanted.terminal}'s; bring it by hand")
    return request


def answered_by(value: object, authority_pem: bytes, terminal: str) -> bool:
    """Whether what lies in a letter box is an answer of this authority's to the terminal; anybody may have put something else there."""
    try:
        bundle = Bundle.of(value)
    except BundleRefused:
        return False
    return (bundle.authority, bundle.terminal) == (authority_pem, terminal)
