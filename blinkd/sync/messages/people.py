"""Changes of the registry: of people, and of what all terminals must know of each other."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, prefixed
from blinkd.crypto.envelope import Envelope
from blinkd.errors import MessageRejected
from blinkd.sync.messages.common import MOST, NOTHING, SENDER, SIGNATURE_BYTES, VERSION, certificate_of
from blinkd.sync.wire import RECORD_ID, Reader, dump, load, reject

OPEN_TYPES = frozenset({"terminal", "epoch", "revocation", "keyring"})  # records that are no secret
ADMIN_TYPES = frozenset({"epoch", "revocation", "keyring"})  # and of these the ones that need the administrator's signature
SEALED_TYPES = frozenset({"person", "template"})
CHANGE_MEMBERS = frozenset({"id", "type", "base", "edit", "envelope", "open", "admin", "signature"})
AGAIN = frozenset({"again"})


@dataclass(frozen=True, slots=True)
class Change:
    """A new state of one record. base: the relay's version that its author knew, 0 for none; edit: counts the author's changes of it;
    envelope and open both None: the record is deleted. signature: of `change_signed`; admin: of `admin_signed`, where the type needs it;
    again: nothing has changed, it is what version `base` was, for a relay that has lost that.
    """  # fmt: skip

    id: str
    type: str
    base: int
    edit: int
    envelope: Envelope | None
    open: Mapping[str, Any] | None
    signature: bytes
    admin: bytes | None = None
    again: bool = False

    @property
    def deleted(self) -> bool:
        """Whether it is a tombstone."""
        return self.envelope is None and self.open is None

    def to_json(self) -> dict[str, Any]:
        """Its JSON."""
        return {
            "id": self.id,
            "type": self.type,
            "base": self.base,
            "edit": self.edit,
            "envelope": None if self.envelope is None else self.envelope.to_json(),
            "open": self.open,
            "admin": None if self.admin is None else b64(self.admin),
            "signature": b64(self.signature),
            **({"again": True} if self.again else {}),
        }

    @classmethod
    def of(cls, value: object) -> "Change":
        """Read it."""
        return cls.read(Reader(value, "change", CHANGE_MEMBERS, AGAIN))

    @classmethod
    def read(cls, read: Reader) -> "Change":
        """Of an object that has other members besides."""
        kind, record = read.one_of("type", OPEN_TYPES | SEALED_TYPES), read.matching("id", RECORD_ID)
        # an open record's name begins with its type, and no other's does: else a record of a type that anybody may change could take the
        # place of one that needs the administrator
        named = record.partition(".")[0]
        if named != kind and (named in OPEN_TYPES or kind in OPEN_TYPES):
            reject(f"change: {record} is no name of a record of type {kind}")
        envelope, plain, admin = read.envelope("envelope"), read.plain("open"), read.some_binary("admin", SIGNATURE_BYTES)
        if (envelope if kind in OPEN_TYPES else plain) is not None:
            reject(f"change: a record of type {kind} is {'open' if kind in OPEN_TYPES else 'sealed'}")
        if kind in ADMIN_TYPES and admin is None:
            raise MessageRejected("unsigned", f"change: a record of type {kind} needs the administrator's signature")
        return cls(
            record,
            kind,
            read.number("base"),
            read.number("edit", least=1),
            envelope,
            plain,
            read.binary("signature", SIGNATURE_BYTES),
            admin,
            "again" in read and read.flag("again"),
        )

    def digest(self) -> bytes:
        """Of what it holds, 32 bytes."""
        if self.envelope is not None:
            return self.envelope.digest()
        return NOTHING if self.open is None else hashlib.sha256(canonical(self.open)).digest()


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of the registry by one terminal. certificate: DER."""

    org: str
    terminal: str
    certificate: bytes
    changes: tuple[Change, ...]

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "org": self.org, "terminal": self.terminal, "certificate": b64(self.certificate)}
            | {"changes": [change.to_json() for change in self.changes]}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Changes":
        """Read a message."""
        read = Reader(load(data), "people", SENDER | {"certificate", "changes"})
        read.version(VERSION)
        changes = tuple(Change.of(one) for one in read.items("changes", 1, MOST))
        return cls(read.name("org"), read.name("terminal"), certificate_of(read), changes)


def change_signed(org: str, terminal: str, change: Change) -> bytes:
    """What a terminal signs of a change."""
    head = (b"blinkd change again 2\n" if change.again else b"blinkd change 2\n") + prefixed(org, terminal, change.type, change.id)
    return head + change.base.to_bytes(8, "big") + change.edit.to_bytes(8, "big") + change.digest()


def admin_signed(org: str, change: Change) -> bytes:
    """What the administrator signs of a change: what it says, whoever sends it and when."""
    return b"blinkd admin 2\n" + prefixed(org, change.type, change.id) + change.digest()
