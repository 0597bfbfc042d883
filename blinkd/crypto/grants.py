"""What a rotation tells the others: a grant of the new epoch for each terminal that stays, a revocation for each that goes, the new keyring.

These are the open records of the registry; whoever holds the organisation password makes them, and its administrator's key signs them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from blinkd.crypto.box import Box, seal_to
from blinkd.crypto.certificates import TerminalCertificate
from blinkd.crypto.keyring import KID, KeyringFile, Secrets
from blinkd.errors import EnvelopeRejected, KeyringRefused

EPOCH, REVOCATION, KEYRING = "epoch", "revocation", "keyring"  # types of records
GRANT_MEMBERS = frozenset({"kid", "terminal", "created", "grant"})


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A record that is no secret. id: the relay's name of it; open: its JSON."""

    id: str
    type: str
    open: Mapping[str, Any]


def grants_for(opened: Secrets, kid: str, terminals: Iterable[TerminalCertificate], created: date) -> list[OpenRecord]:
    """The root of an epoch for each of these terminals, in their order. Raises CertificateRefused, KeyringRefused for an unknown epoch."""
    root = opened.roots.get(kid)
    if root is None:
        raise KeyringRefused(f"epoch {kid} is not in the keyring; `blinkd keys show` lists those that are")
    return [
        OpenRecord(
            f"{EPOCH}.{kid}.{one.terminal}",
            EPOCH,
            {
                "kid": kid,
                "terminal": one.terminal,
                "created": created.isoformat(),
                "grant": seal_to(one.box, one.org, kid, one.terminal, bytes(root)),
            },
        )
        for one in terminals
    ]


def open_grant(value: object, box: Box, organisation: str, terminal: str) -> tuple[str, bytes]:
    """The epoch and its root, 32 bytes, out of a grant's JSON, for `Keyring.take`. Raises EnvelopeRejected when it is not for this terminal.

    Who has made it is not asked: that is what the administrator's signature of the record says.
    """
    if (
        not isinstance(value, Mapping)
        or value.keys() != GRANT_MEMBERS
        or not isinstance(value["kid"], str)
        or not KID.fullmatch(value["kid"])
    ):
        raise EnvelopeRejected("malformed", "not a grant of an epoch")
    if value["terminal"] != terminal:
        raise EnvelopeRejected("other_terminal", f"the grant of epoch {value['kid']} is for another terminal")
    return value["kid"], box.open(value["grant"], organisation, value["kid"], terminal)


def revocation_of(certificate: TerminalCertificate) -> OpenRecord:
    """That a terminal's certificate counts no longer. It names the signing key too, for the terminal may have had other certificates before."""
    serial = f"{certificate.serial:x}"
    said = {"serial": serial, "terminal": certificate.terminal, "signing": certificate.signing.hex()}
    return OpenRecord(f"{REVOCATION}.{serial}", REVOCATION, said)


def is_revoked(certificate: TerminalCertificate, said: Iterable[Mapping[str, Any]]) -> bool:
    """Whether revocations that the administrator has signed shut it out, by its own serial number or by the terminal's key."""
    return any(f"{certificate.serial:x}" == one.get("serial") or certificate.signing.hex() == one.get("signing") for one in said)


def keyring_record(file: KeyringFile) -> OpenRecord:
    """The portable keyring, as every terminal and the relay keep it."""
    return OpenRecord(KEYRING, KEYRING, file.to_json())
