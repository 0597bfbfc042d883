"""The keys' own records: what the administrator has signed reaches every terminal, and this one's new keys reach its keyring."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from blinkd.crypto.box import Box
from blinkd.crypto.encoding import unb64
from blinkd.crypto.keyfile import alone
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.signing import Verifier
from blinkd.crypto.unlocked import PORTABLE_FILE, UNLOCKED_FILE, has_keyring, keep, load, load_file
from blinkd.errors import CertificateRefused, EnvelopeRejected, KeyringRefused
from blinkd.sync.messages import ADMIN_TYPES, Change, admin_signed

EPOCH, KEYRING, REVOCATION, TERMINAL = "epoch", "keyring", "revocation", "terminal"  # types of records

log = logging.getLogger(__name__)


class Checker(Protocol):
    """Whose certificates count."""

    def check(self, der: bytes, org: str, terminal: str) -> object:
        """Raises CertificateRefused."""

    def revoke(self, said: Mapping[str, Any]) -> None:
        """Heed a revocation. Raises CertificateRefused for one that is none."""


class Keeper:
    """Of one terminal's keyring, in memory and in the state folder."""

    def __init__(self, state_dir: Path, keyring: Keyring, box: Box, checker: Checker, terminal: str) -> None:
        self._state_dir = state_dir
        self._keyring = keyring
        self._box = box
        self._checker = checker
        self._terminal = terminal
        self._administrator = Verifier(keyring.admin)
        self._seen = self._stamp()

    def refresh(self) -> bool:
        """Take over what a command has changed in the state folder since; whether it was anything. Raises KeyMissing, KeyringRefused."""
        if (stamp := self._stamp()) == self._seen:
            return False
        self._seen = stamp
        self._merge()
        return True

    def heed(self, change: Change) -> None:
        """Take over what an open record says; a second time it changes nothing. Raises EnvelopeRejected, KeyMissing, StoreError."""
        org, said = self._keyring.organisation, change.open
        if change.type in ADMIN_TYPES and (change.admin is None or not self._administrator.holds(admin_signed(org, change), change.admin)):
            raise EnvelopeRejected("admin", f"{change.id}: not signed by the organisation's administrator")
        if said is None:  # a stolen terminal would be known no longer, and so could not be revoked
            raise EnvelopeRejected("bad_content", f"{change.id}: what everybody must know of keys and terminals is never deleted")
        try:
            if change.type == EPOCH:
                self._granted(change.id, said)
            elif change.type == KEYRING:
                self._renewed(KeyringFile.of(said))
            elif change.type == REVOCATION:
                self._checker.revoke(said)
            elif change.type == TERMINAL:
                self._checker.check(unb64(said["certificate"]), org, change.id.partition(".")[2])
        except (KeyError, ValueError, KeyringRefused, CertificateRefused) as error:
            raise EnvelopeRejected("bad_content", f"{change.id}: {error}") from None

    def forget_unused(self, needed: Mapping[str, bool]) -> list[str]:
        """Give up old epochs that seal nothing any more; returns which. needed: by epoch. Raises KeyMissing, StoreError."""
        if not [epoch for epoch in self.old_epochs() if not needed.get(epoch, True)]:
            return []
        with alone(self._state_dir):
            self._merge()
            unused = [epoch for epoch in self.old_epochs() if not needed.get(epoch, True)]
            for epoch in unused:
                self._keyring.forget(epoch)
            self._keep(None)
        log.info("keys of epochs %s are needed no longer and gone", ", ".join(unused))
        return unused

    @property
    def epoch(self) -> str:
        """The current one, by whose keys this terminal seals."""
        return self._keyring.current

    def epochs(self) -> frozenset[str]:
        """All of which the keys are here."""
        return frozenset(self._keyring.roots)

    def old_epochs(self) -> list[str]:
        """All but the current one."""
        return [epoch for epoch in self._keyring.roots if epoch != self._keyring.current]

    def _granted(self, record: str, said: Mapping[str, Any]) -> None:
        kid, terminal = str(said["kid"]), str(said["terminal"])
        if record != f"{EPOCH}.{kid}.{terminal}":
            raise EnvelopeRejected("bad_content", f"{record}: holds another grant")
        if terminal != self._terminal or kid in self._keyring.roots:
            return
        self._keyring.take(kid, self._box.open(said["grant"], self._keyring.organisation, kid, terminal))
        self._advance(None)
        log.info("keys of epoch %s have come", kid)

    def _renewed(self, file: KeyringFile) -> None:
        if file.organisation != self._keyring.organisation or file.admin != self._keyring.admin:
            raise EnvelopeRejected("bad_content", "the keyring is another organisation's")
        here = self._file()
        if here is None or file.revision > here.revision:
            self._advance(file)

    def _advance(self, file: KeyringFile | None) -> None:
        with alone(self._state_dir):  # a command may be rotating at this moment: its keys must not be overwritten by older ones
            self._merge()
            self._choose(file)
            self._keep(file)

    def _merge(self) -> None:
        """What the state folder has belongs to what is in memory."""
        if has_keyring(self._state_dir):
            for epoch, root in load(self._state_dir).roots.items():
                self._keyring.take(epoch, bytes(root))
        self._choose(None)

    def _choose(self, file: KeyringFile | None) -> None:
        """The newest epoch that this terminal has keys of is the one it seals by."""
        newest = file or self._file()
        if newest is not None and newest.current in self._keyring.roots:
            self._keyring.current = newest.current

    def _keep(self, file: KeyringFile | None) -> None:
        keep(self._state_dir, file, self._keyring)
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        """Of the file with the unlocked keyring, which is replaced whole."""
        try:
            stat = (self._state_dir / UNLOCKED_FILE).stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def _file(self) -> KeyringFile | None:
        path = self._state_dir / PORTABLE_FILE
        return load_file(path) if path.exists() else None
