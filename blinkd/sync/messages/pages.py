"""How a terminal asks for the registry, and what it is given."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from blinkd.crypto.encoding import b64
from blinkd.sync.messages.common import DIGEST, HEX, MOST, SENDER, VERSION, mark_of
from blinkd.sync.messages.people import AGAIN, CHANGE_MEMBERS, Change
from blinkd.sync.wire import Reader, dump, load, reject

PAGE_MEMBERS = frozenset({"v", "request", "since", "upto", "head", "more", "certificates", "changes", "mark", "lost"})


@dataclass(frozen=True, slots=True)
class Pull:
    """Asks for the registry's changes after version `since`. request: hexadecimal, comes back in the page; mark: the word by which the page
    that ended there named it, None at the beginning.
    """  # fmt: skip

    org: str
    terminal: str
    since: int
    limit: int
    request: str
    mark: str | None = None

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "org": self.org, "terminal": self.terminal, "since": self.since, "limit": self.limit, "request": self.request}
            | {"mark": self.mark}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Pull":
        """Read a message."""
        read = Reader(load(data), "pull", SENDER | {"since", "limit", "request", "mark"})
        read.version(VERSION)
        return cls(
            read.name("org"),
            read.name("terminal"),
            read.number("since"),
            read.number("limit", 1, MOST),
            read.matching("request", HEX),
            mark_of(read),
        )


@dataclass(frozen=True, slots=True)
class PagedChange:
    """A record as it stands at the relay. terminal: who made the change; certificate: SHA-256 of the author's, in hexadecimal."""

    change: Change
    terminal: str
    version: int
    certificate: str

    def to_json(self) -> dict[str, Any]:
        """Its JSON."""
        return self.change.to_json() | {"terminal": self.terminal, "version": self.version, "certificate": self.certificate}

    @classmethod
    def of(cls, value: object) -> "PagedChange":
        """Read it."""
        read = Reader(value, "change", CHANGE_MEMBERS | {"terminal", "version", "certificate"}, AGAIN)
        return cls(Change.read(read), read.name("terminal"), read.number("version", least=1), read.matching("certificate", DIGEST))


@dataclass(frozen=True, slots=True)
class Page:
    """Records by version, after `since` and up to `upto`; head: the registry's newest version. certificates: DER by SHA-256; mark: the word
    for `upto`, None where there is none; lost: the relay does not know the version asked for by its mark, and nothing is in the page: up to
    `upto` it knows versions by that mark.
    """  # fmt: skip

    request: str
    since: int
    upto: int
    head: int
    more: bool
    certificates: Mapping[str, bytes]
    changes: tuple[PagedChange, ...]
    mark: str | None = None
    lost: bool = False

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "request": self.request, "since": self.since, "upto": self.upto, "head": self.head, "more": self.more}
            | {"certificates": {digest: b64(der) for digest, der in self.certificates.items()}}
            | {"changes": [change.to_json() for change in self.changes], "mark": self.mark, "lost": self.lost}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Page":
        """Read a message. The digests of the certificates hold."""
        read = Reader(load(data), "page", PAGE_MEMBERS)
        read.version(VERSION)
        changes = tuple(PagedChange.of(one) for one in read.items("changes", 0, MOST))
        names = read.member("certificates")
        if not isinstance(names, dict) or len(names) > MOST or not all(DIGEST.fullmatch(digest) for digest in names):
            reject("page: certificates are not named by their digests")
        held = Reader(names, "page: certificates", frozenset(names))
        certificates = {digest: held.binary(digest) for digest in names}
        if any(hashlib.sha256(der).hexdigest() != digest for digest, der in certificates.items()):
            reject("page: a certificate has not the digest by which it is named")
        if any(one.certificate not in certificates for one in changes):
            reject("page: a certificate is missing")
        since, upto, head = read.number("since"), read.number("upto"), read.number("head")
        versions = [since, *(one.version for one in changes)]
        lost = read.flag("lost")
        if any(later <= earlier for earlier, later in pairwise(versions)) or not (lost or versions[-1] <= upto):
            reject("page: the versions are not in order")
        if lost and (changes or upto > since):
            reject("page: what was lost holds nothing")
        return cls(read.matching("request", HEX), since, upto, head, read.flag("more"), certificates, changes, mark_of(read), lost)


@dataclass(frozen=True, slots=True)
class RegistryHead:
    """The registry's newest version."""

    version: int

    def to_bytes(self) -> bytes:
        """The message."""
        return dump({"v": VERSION, "version": self.version})

    @classmethod
    def parse(cls, data: bytes) -> "RegistryHead":
        """Read a message."""
        read = Reader(load(data), "head", frozenset({"v", "version"}))
        read.version(VERSION)
        return cls(read.number("version"))
