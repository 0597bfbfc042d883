"""The organisation's keys: a file that opens by the organisation password, and the unlocked keys that a terminal works with.

    wrapping key = PBKDF2-HMAC-SHA256(UTF-8 of NFKC of the password, salt, iterations)      what a browser's WebCrypto can do too
    wrapped      = AES-256-GCM(wrapping key, {roots, index, admin}), bound to every other member of the file
    working key  = HKDF-SHA256(root, info = "blinkd 2" LF || organisation || purpose || terminal)      each text behind its length
    record name  = HMAC-SHA256(index, kind LF || id), shortened                       the same at every terminal, and for ever

Each epoch has a root of its own. The index never changes, for the relay's names of records must stay the same. The administrator's key signs
what only the holder of the password may do; it is in the file alone, never unlocked on a terminal.
"""

import contextlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from blinkd.crypto import wrapping
from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, prefixed, unb64
from blinkd.crypto.envelope import IV_BYTES, TAG_BYTES
from blinkd.crypto.names import is_name
from blinkd.crypto.signing import Signer
from blinkd.crypto.wrapping import KEY_BYTES, SALT_BYTES, kdf_json, kdf_of, wrapping_key
from blinkd.errors import KeyMissing, KeyringRefused, WrongPassword

VERSION = 1
EPOCH_BYTES = 4  # of an epoch's name, which is random
CONTEXT, WORKING = b"blinkd keyring 1\n", b"blinkd 2\n"
KID = re.compile(r"[0-9a-f]{8}")
MOST_BYTES = 1 << 20  # of a keyring file: thousands of epochs
RECORD_HEX, PART_HEX = 32, 16  # characters of a record's name, and of the part that names a template


@dataclass(frozen=True, slots=True)
class Epoch:
    """kid: its name; created: the date."""

    kid: str
    created: date


@dataclass(slots=True)
class Secrets:
    """What the password opens. roots: 32 bytes by epoch; index: 32 bytes; admin: Ed25519 seed, 32 bytes. Zeroed by `wipe`."""

    roots: dict[str, bytearray] = field(repr=False)
    index: bytearray = field(repr=False)
    admin: bytearray = field(repr=False)

    def wipe(self) -> None:
        """Overwrite all of it, as far as Python allows: copies that libraries have made are beyond reach."""
        for secret in (*self.roots.values(), self.index, self.admin):
            secret[:] = bytes(len(secret))

    def administrator(self) -> Signer:
        """The administrator's key, for signing."""
        return Signer(bytes(self.admin))


@dataclass(frozen=True, slots=True)
class KeyringFile:
    """The file that is handed from terminal to terminal. salt: of PBKDF2; iv, sealed: of what is wrapped, the tag at its end; admin: public
    Ed25519 key, 32 bytes; revision: grows with every change.
    """  # fmt: skip

    organisation: str
    iterations: int
    salt: bytes
    iv: bytes
    sealed: bytes
    admin: bytes
    current: str
    epochs: tuple[Epoch, ...]
    revision: int

    @classmethod
    def create(cls, organisation: str, password: str, today: date) -> "KeyringFile":
        """A new organisation's, with one epoch. Raises KeyringRefused when it cannot be called so, PasswordRefused for what is no text."""
        if not is_name(organisation):
            raise KeyringRefused(
                f"{organisation[:80]!r} cannot be an organisation's name: letters, digits, dots, hyphens and underscores, 63 at most, a letter or digit first"
            )
        admin = bytearray(secrets.token_bytes(KEY_BYTES))
        kid = secrets.token_hex(EPOCH_BYTES)
        secret = Secrets({kid: bytearray(secrets.token_bytes(KEY_BYTES))}, bytearray(secrets.token_bytes(KEY_BYTES)), admin)
        public = Ed25519PrivateKey.from_private_bytes(bytes(admin)).public_key().public_bytes_raw()
        try:
            return cls(organisation, wrapping.ITERATIONS, b"", b"", b"", public, kid, (Epoch(kid, today),), 1)._wrapped(secret, password)
        finally:
            secret.wipe()

    @classmethod
    def parse(cls, text: str | bytes) -> "KeyringFile":
        """Read the file. Raises KeyringRefused."""
        try:
            value = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise KeyringRefused("the keyring is no JSON; bring the file again from where `blinkd keys export` wrote it") from None
        return cls.of(value)

    @classmethod
    def of(cls, value: object) -> "KeyringFile":
        """Read its JSON value, which has one form only. Raises KeyringRefused."""
        try:
            if not isinstance(value, Mapping):
                raise TypeError("not an object")
            if value["v"] != VERSION:
                raise ValueError(f"of another version than {VERSION}, which this blinkd reads")
            wrapped, (salt, iterations) = value["wrapped"], kdf_of(value["kdf"])
            found = cls(
                value["organisation"],
                iterations,
                salt,
                unb64(wrapped["iv"], IV_BYTES),
                unb64(wrapped["ciphertext"]) + unb64(wrapped["tag"], TAG_BYTES),
                unb64(value["admin"], KEY_BYTES),
                value["current"],
                tuple(Epoch(one["kid"], date.fromisoformat(one["created"])) for one in value["epochs"]),
                value["revision"],
            )
            found._check()
            # what is read must be what would be written: no further members, no 1.0 or true for 1, no other way to write a date
            if canonical(found.to_json()) != canonical(value):
                raise ValueError("not in the form that blinkd writes")
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise KeyringRefused(f"the keyring cannot be used: {error}; bring the file again") from None
        return found

    def to_json(self) -> dict[str, Any]:
        """Its JSON value; nothing in it is secret to who does not know the password."""
        sealed = {"iv": b64(self.iv), "ciphertext": b64(self.sealed[:-TAG_BYTES]), "tag": b64(self.sealed[-TAG_BYTES:])}
        return {**self._bound(), "wrapped": sealed}

    @contextlib.contextmanager
    def opened(self, password: str) -> Iterator[Secrets]:
        """What is wrapped, wiped afterwards. Raises WrongPassword."""
        try:
            plain = AESGCM(wrapping_key(password, self.salt, self.iterations)).decrypt(
                self.iv, self.sealed, CONTEXT + canonical(self._bound())
            )
        except InvalidTag:
            raise WrongPassword("the organisation password is not the right one, or the keyring file was changed") from None
        secret = self._unpacked(plain)
        try:
            yield secret
        finally:
            secret.wipe()

    def rotated(self, password: str, today: date) -> "KeyringFile":
        """With a new epoch, which is the current one; the old ones stay, for what they seal is still there. Raises WrongPassword."""
        taken = {epoch.kid for epoch in self.epochs}
        while (kid := secrets.token_hex(EPOCH_BYTES)) in taken:
            pass  # once in four thousand million
        with self.opened(password) as secret:
            secret.roots[kid] = bytearray(secrets.token_bytes(KEY_BYTES))
            return replace(self, current=kid, epochs=(*self.epochs, Epoch(kid, today)), revision=self.revision + 1)._wrapped(
                secret, password
            )

    def without(self, password: str, kid: str) -> "KeyringFile":
        """Without an old epoch that seals nothing any more. Raises WrongPassword, KeyringRefused for the current one."""
        if kid == self.current:
            raise KeyringRefused(f"epoch {kid} is the current one; `blinkd keys rotate` makes a new one first")
        if kid not in {epoch.kid for epoch in self.epochs}:
            raise KeyringRefused(f"epoch {kid} is not in the keyring; `blinkd keys show` lists those that are")
        with self.opened(password) as secret:
            root = secret.roots.pop(kid)
            root[:] = bytes(len(root))
            epochs = tuple(epoch for epoch in self.epochs if epoch.kid != kid)
            return replace(self, epochs=epochs, revision=self.revision + 1)._wrapped(secret, password)

    def rewrapped(self, password: str, new: str) -> "KeyringFile":
        """For another password; the keys stay. Raises WrongPassword."""
        with self.opened(password) as secret:
            return replace(self, revision=self.revision + 1)._wrapped(secret, new)

    def _wrapped(self, secret: Secrets, password: str) -> "KeyringFile":
        found = replace(self, salt=secrets.token_bytes(SALT_BYTES), iv=secrets.token_bytes(IV_BYTES))
        value = {"roots": {kid: b64(root) for kid, root in secret.roots.items()}, "index": b64(secret.index), "admin": b64(secret.admin)}
        cipher = AESGCM(wrapping_key(password, found.salt, found.iterations))
        return replace(found, sealed=cipher.encrypt(found.iv, canonical(value), CONTEXT + canonical(found._bound())))

    def _unpacked(self, plain: bytes) -> Secrets:
        """What the right password has opened. Only a program that is none of ours can have put anything else in."""
        try:
            value = json.loads(plain)
            if value["roots"].keys() != {epoch.kid for epoch in self.epochs}:
                raise ValueError("its keys are not those of its epochs")
            found = Secrets(
                {kid: bytearray(unb64(root, KEY_BYTES)) for kid, root in value["roots"].items()},
                bytearray(unb64(value["index"], KEY_BYTES)),
                bytearray(unb64(value["admin"], KEY_BYTES)),
            )
            if found.administrator().public != self.admin:
                raise ValueError("its administrator's key is another one than it names")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise KeyringRefused(f"the keyring opens, but cannot be used: {error}; bring the file again") from None
        return found

    def _check(self) -> None:
        """Raise ValueError for members of the wrong kind."""
        if not is_name(self.organisation):
            raise ValueError("its organisation has no name")
        if type(self.revision) is not int or self.revision < 1:
            raise ValueError("its revision is no number")
        kids = [epoch.kid for epoch in self.epochs]
        if not all(isinstance(kid, str) and KID.fullmatch(kid) for kid in kids) or len(set(kids)) < len(kids):
            raise ValueError("its epochs have no names of their own")
        if self.current not in kids:
            raise ValueError("its current epoch is not in it")

    def _bound(self) -> dict[str, Any]:
        """Every member but what is wrapped."""
        return {
            "v": VERSION,
            "organisation": self.organisation,
            "kdf": kdf_json(self.salt, self.iterations),
            "admin": b64(self.admin),
            "current": self.current,
            "epochs": [{"kid": epoch.kid, "created": epoch.created.isoformat()} for epoch in self.epochs],
            "revision": self.revision,
        }


@dataclass(slots=True)
class Keyring:
    """Unlocked: what a terminal seals, opens and names records with. roots: 32 bytes by epoch; index: 32 bytes; admin: public, 32 bytes."""

    organisation: str
    current: str
    roots: dict[str, bytearray] = field(repr=False)
    index: bytearray = field(repr=False)
    admin: bytes

    def working_key(self, epoch: str, purpose: str, terminal: str) -> bytes:
        """32 bytes. Raises KeyMissing for an epoch that is not in it."""
        root = self.roots.get(epoch)
        if root is None:
            raise KeyMissing(f"epoch {epoch} is not in this terminal's keyring; it comes by the registry, or by `blinkd keys join`")
        info = WORKING + prefixed(self.organisation, purpose, terminal)
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(bytes(root))

    def person_record(self, person_id: str) -> str:
        """The relay's name of a person."""
        return self._name("person", person_id)[:RECORD_HEX]

    def template_record(self, person_id: str, template_id: str) -> str:
        """The relay's name of a template, which begins with its person's."""
        return f"{self.person_record(person_id)}.{self._name('template', template_id)[:PART_HEX]}"

    def take(self, epoch: str, root: bytes) -> bool:
        """Add an epoch's root, as a grant brings it; whether it was missing.

        Raises KeyringRefused when it is no root, or another one is known by this name.
        """
        if len(root) != KEY_BYTES or not KID.fullmatch(epoch):
            raise KeyringRefused(f"epoch {epoch[:80]!r}: not a root of {KEY_BYTES} bytes with a name of its own")
        if (known := self.roots.get(epoch)) is not None:
            if not hmac.compare_digest(known, root):
                raise KeyringRefused(
                    f"epoch {epoch}: another root is known by this name; run `blinkd keys join` with the newest keyring file"
                )
            return False
        self.roots[epoch] = bytearray(root)
        return True

    def forget(self, epoch: str) -> None:
        """Give up an old epoch. Raises KeyringRefused for the current one."""
        if epoch == self.current:
            raise KeyringRefused(f"epoch {epoch} is the current one")
        if (root := self.roots.pop(epoch, None)) is not None:
            root[:] = bytes(len(root))

    def wipe(self) -> None:
        """Overwrite the secrets, as far as Python allows."""
        for secret in (*self.roots.values(), self.index):
            secret[:] = bytes(len(secret))

    def _name(self, kind: str, identity: str) -> str:
        return hmac.digest(self.index, f"{kind}\n{identity}".encode(), "sha256").hex()


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members all have names of their own: of two with the same name, another reader might take the other one."""
    value = dict(members)
    if len(value) < len(members):
        raise ValueError("a member stands twice")
    return value
