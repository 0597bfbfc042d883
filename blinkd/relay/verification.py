"""What the relay can prove without being able to read: who sent a message, and that each part of it is that terminal's own word.

Nothing here touches the database.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from blinkd.crypto.certificates import TerminalCertificate
from blinkd.crypto.envelope import Envelope
from blinkd.crypto.signing import Verifier
from blinkd.errors import CertificateRefused
from blinkd.sync.messages import CERTIFICATE as BY_CERTIFICATE
from blinkd.sync.messages import OPEN_TYPES, Batch, Change, Changes, Rejected, change_signed, entry_signed
from blinkd.sync.topics import ATTENDANCE, PEOPLE, Topic

SIGNATURE, FOREIGN = "signature", "foreign"  # reasons: it does not hold; the envelope is one that another terminal sealed
DELETED = "deleted"  # reason: an open record, which nobody deletes
MOST_KEYS = 1024  # signing keys that are kept ready


class Checker(Protocol):
    """Whose certificates count."""

    def check(self, der: bytes, org: str, terminal: str, at: datetime | None = None) -> TerminalCertificate:
        """The certificate, read. Raises CertificateRefused."""

    def revoke(self, said: Mapping[str, Any]) -> None:
        """Heed a revocation. Raises CertificateRefused for one that is none."""


class NoAuthority:
    """For a relay that serves only the origin's app: it can check no terminal, and so takes nothing of them."""

    def check(self, der: bytes, org: str, terminal: str, at: datetime | None = None) -> TerminalCertificate:  # noqa: ARG002  Checker's
        """Raises CertificateRefused."""
        raise CertificateRefused("this relay knows no authority; set relay.ca_file")

    def revoke(self, said: Mapping[str, Any]) -> None:
        """None counts anyway."""


@dataclass(frozen=True, slots=True)
class VerifiedBatch:
    """hashes: of each entry, 32 bytes; good: those whose signature holds, over an envelope of the sender's own; rejected: the others."""

    batch: Batch
    sender: TerminalCertificate
    hashes: tuple[bytes, ...]
    good: tuple[bool, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class VerifiedChanges:
    """changes: those that may be stored, in their order; refused: the others, each with the reason.
    digest: SHA-256 of the sender's certificate, hexadecimal.
    """  # fmt: skip

    org: str
    terminal: str
    sender: TerminalCertificate
    digest: str
    changes: tuple[Change, ...]
    refused: tuple[tuple[Change, str], ...]


class Verification:
    """Of the terminals that one authority vouches for."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._keys: dict[bytes, Verifier] = {}

    def batch(self, batch: Batch, topic: Topic | None = None) -> VerifiedBatch | Rejected:
        """Entries with their places in the chain; or why the whole message is refused. topic: the one that it came by, which the broker's
        rules tie to the sender's certificate.
        """  # fmt: skip
        sender = self._sender(batch.org, batch.terminal, batch.certificate, topic, ATTENDANCE)
        if isinstance(sender, Rejected):
            return sender
        key, hashes = self._key(sender.signing), batch.hashes()
        good, rejected = [], []
        for entry, entry_hash in zip(batch.entries, hashes, strict=True):
            reason = None
            if not key.holds(entry_signed(batch.org, batch.terminal, entry_hash, entry.digest()), entry.signature):
                reason = SIGNATURE, "the terminal's signature does not hold"
            elif not _own(entry.envelope, batch.terminal):
                reason = FOREIGN, "the envelope was sealed by another terminal"
            good.append(reason is None)
            if reason is not None:
                rejected.append(Rejected(ATTENDANCE, entry.seq, *reason))
        return VerifiedBatch(batch, sender, tuple(hashes), tuple(good), tuple(rejected))

    def changes(self, changes: Changes, topic: Topic | None = None) -> VerifiedChanges | Rejected:
        """Changes of the registry; or why the whole message is refused."""
        sender = self._sender(changes.org, changes.terminal, changes.certificate, topic, PEOPLE)
        if isinstance(sender, Rejected):
            return sender
        key = self._key(sender.signing)
        good, refused = list[Change](), list[tuple[Change, str]]()
        for change in changes.changes:
            if not key.holds(change_signed(changes.org, changes.terminal, change), change.signature):
                refused.append((change, SIGNATURE))
            elif not _own(change.envelope, changes.terminal):
                refused.append((change, FOREIGN))
            elif change.type in OPEN_TYPES and change.deleted:  # a stolen terminal would be known no longer, and so could not be revoked
                refused.append((change, DELETED))
            else:
                good.append(change)
        return VerifiedChanges(
            changes.org,
            changes.terminal,
            sender,
            hashlib.sha256(changes.certificate).hexdigest(),
            tuple(good),
            tuple(refused),
        )

    def _sender(self, org: str, terminal: str, der: bytes, topic: Topic | None, suffix: str) -> TerminalCertificate | Rejected:
        if topic is not None and (topic.org, topic.terminal) != (org, terminal):
            return Rejected(suffix, None, "topic", "the message names another terminal than its topic")
        try:
            return self._checker.check(der, org, terminal)
        except CertificateRefused as error:
            return Rejected(suffix, None, BY_CERTIFICATE, str(error)[:500])

    def _key(self, public: bytes) -> Verifier:
        if (key := self._keys.get(public)) is None:
            if len(self._keys) >= MOST_KEYS:
                self._keys.clear()
            key = self._keys[public] = Verifier(public)
        return key


def _own(envelope: Envelope | None, terminal: str) -> bool:
    """Whether a terminal's envelope is sealed by its own keys, as far as the name of the key tells: nobody signs for what another has sealed."""
    return envelope is None or envelope.kid.partition(".")[2] == terminal
