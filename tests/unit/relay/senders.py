"""Terminals as the relay sees them: books with signed entries, changes of the registry, certificates of an authority."""

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from blinkd.crypto.certificates import CertificateChecker
from blinkd.crypto.chain import NO_HASH, hash_of
from blinkd.crypto.envelope import Envelope
from blinkd.crypto.signing import Signer
from blinkd.sync.messages import Batch, Change, Changes, SealedEntry, admin_signed, change_signed, entry_signed
from tests.services.certificates import Authority

ORG = "acme"


def envelope(mark: int, name: str = "door-1") -> Envelope:
    """Bytes that nobody can open, as if a terminal had sealed them."""
    return Envelope(mark.to_bytes(4, "big") * 256, bytes(12), bytes(16), 2, f"e1.{name}")


@dataclass
class Sender:
    """A terminal. entries: of its book, with the hash before each."""

    authority: Authority
    name: str = "door-1"
    book: str = field(default_factory=lambda: str(uuid.uuid4()))
    hashes: list[bytes] = field(default_factory=list)
    entries: list[SealedEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.credentials = self.authority.terminal(self.name)
        assert self.credentials.signing is not None
        self.signer = Signer(self.credentials.signing.private_bytes_raw())

    def write(self, count: int, mark: int = 0) -> "Sender":
        """Add entries to the book."""
        for _ in range(count):
            seq, before = len(self.entries), self.hashes[-1] if self.hashes else NO_HASH
            commitment = (seq * 1000 + mark).to_bytes(32, "big")
            value = hash_of(self.book, seq, before, commitment)
            sealed = envelope(seq * 1000 + mark, self.name)
            signature = self.signer.sign(entry_signed(ORG, self.name, value, sealed.digest()))
            self.hashes.append(value)
            self.entries.append(SealedEntry(seq, commitment, signature, sealed))
        return self

    def batch(self, first: int, last: int) -> Batch:
        """Entries from first to last, both included."""
        before = self.hashes[first - 1] if first else NO_HASH
        return Batch(ORG, self.name, self.book, self.credentials.der, before, tuple(self.entries[first : last + 1]))

    def copy(self) -> "Sender":
        """The same terminal with a copy of its card, which goes its own way from now on."""
        other = replace(self, hashes=list(self.hashes), entries=list(self.entries))
        other.credentials, other.signer = self.credentials, self.signer
        return other

    def change(
        self,
        record: str,
        base: int,
        edit: int,
        *,
        kind: str = "person",
        deleted: bool = False,
        opened: dict[str, Any] | None = None,
        admin: Signer | None = None,
        mark: int = 0,
    ) -> Change:
        """A signed change."""
        sealed = None if deleted or opened is not None else envelope(edit * 100 + mark, self.name)
        change = Change(record, kind, base, edit, sealed, opened, b"")
        change = replace(change, signature=self.signer.sign(change_signed(ORG, self.name, change)))
        return change if admin is None else replace(change, admin=admin.sign(admin_signed(ORG, change)))

    def changes(self, *changes: Change) -> Changes:
        """A message."""
        return Changes(ORG, self.name, self.credentials.der, changes)


def checker(authority: Authority) -> CertificateChecker:
    """Who counts."""
    return CertificateChecker(authority.pem, authority.crl())


def keyring(admin: Signer) -> dict[str, Any]:
    """As much of a portable keyring as the relay looks at."""
    from blinkd.crypto.encoding import b64

    return json.loads(json.dumps({"v": 1, "admin": b64(admin.public)}))
