"""The organisation's keys: a file that opens by the organisation password, and the unlocked keys that a terminal works with.

    wrapping key = PBKDF2-HMAC-SHA256(password, salt, iterations)                     what a browser's WebCrypto can do too
    wrapped      = AES-256-GCM(wrapping key, {roots, index, admin}), bound to every other member of the file
    working key  = HKDF-SHA256(root, info = "blinkd 2" LF || organisation || purpose || terminal)      each text behind its length
    record name  = HMAC-SHA256(index, kind LF || id), shortened                       the same at every terminal, and for ever

Each epoch has a root of its own. The index never changes, for the relay's names of records must stay the same. The administrator's key signs
what only the holder of the password may do; it is in the file alone, never unlocked on a terminal.
"""

import contextlib
import hmac
import json
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
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, prefixed, unb64
from blinkd.crypto.envelope import IV_BYTES, TAG_BYTES
from blinkd.errors import KeyMissing, KeyringRefused, WrongPassword

VERSION = 1
KEY_BYTES, SALT_BYTES = 32, 16
EPOCH_BYTES = 4  # of an epoch's name, which is random
ITERATIONS = 600_000  # of PBKDF2-HMAC-SHA256, what OWASP asked for in 2023
MOST_ITERATIONS = 10_000_000  # a file that asks for more only wants to keep this process busy
KDF = "PBKDF2-HMAC-SHA256"
CONTEXT, WORKING = b"blinkd keyring 1\n", b"blinkd 2\n"
MEMBERS = frozenset({"v", "organisation", "kdf", "wrapped", "admin", "current", "epochs", "revision"})
RECORD_HEX, PART_HEX = 32, 16  # characters of a record's name, and of the part that names a template


@dataclass(frozen=True, slots=True)
class Epoch:
    """kid: its name; created: the date."""

    kid: str
    created: date


@dataclass(slots=True)
class Secrets:
    """What the password opens. roots: 32 bytes by epoch; index: 32 bytes; admin: Ed25519 seed, 32 bytes. Zeroed by `wipe`."""

    roots: dict[str, bytearray]
    index: bytearray
    admin: bytearray

    def wipe(self) -> None:
        """Overwrite all of it, as far as Python allows: copies that libraries have made are beyond reach."""
        for secret in (*self.roots.values(), self.index, self.admin):
            secret[:] = bytes(len(secret))


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
        """A new organisation's, with one epoch."""
        admin = bytearray(secrets.token_bytes(KEY_BYTES))
        kid = secrets.token_hex(EPOCH_BYTES)
        secret = Secrets({kid: bytearray(secrets.token_bytes(KEY_BYTES))}, bytearray(secrets.token_bytes(KEY_BYTES)), admin)
        public = Ed25519PrivateKey.from_private_bytes(bytes(admin)).public_key().public_bytes_raw()
        try:
            return cls(organisation, ITERATIONS, b"", b"", b"", public, kid, (Epoch(kid, today),), 1)._wrapped(secret, password)
        finally:
            secret.wipe()

    @classmethod
    def parse(cls, text: str | bytes) -> "KeyringFile":
        """Read the file. Raises KeyringRefused."""
        try:
            return cls.of(json.loads(text))
        except (ValueError, RecursionError):
            raise KeyringRefused("the keyring is no JSON; bring the file again from where `blinkd keys export` wrote it") from None

    @classmethod
    def of(cls, value: object) -> "KeyringFile":
        """Read its JSON value. Raises KeyringRefused."""
        try:
            if not isinstance(value, Mapping) or value.keys() != MEMBERS or value["v"] != VERSION:
                raise ValueError("not a keyring of this version")
            kdf, wrapped = value["kdf"], value["wrapped"]
            if kdf["name"] != KDF or type(kdf["iterations"]) is not int or not ITERATIONS <= kdf["iterations"] <= MOST_ITERATIONS:
                raise ValueError("a weak or unknown way to derive keys")
            if type(value["revision"]) is not int or not isinstance(value["organisation"], str) or not isinstance(value["current"], str):
                raise ValueError("a member of the wrong type")
            found = cls(
                value["organisation"],
                kdf["iterations"],
                unb64(kdf["salt"], SALT_BYTES),
                unb64(wrapped["iv"], IV_BYTES),
                unb64(wrapped["ciphertext"]) + unb64(wrapped["tag"], TAG_BYTES),
                unb64(value["admin"], KEY_BYTES),
                value["current"],
                tuple(Epoch(str(one["kid"]), date.fromisoformat(one["created"])) for one in value["epochs"]),
                value["revision"],
            )
            if found.current not in {epoch.kid for epoch in found.epochs}:
                raise ValueError("its current epoch is not in it")
        except (KeyError, TypeError, ValueError) as error:
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
            plain = AESGCM(self._wrapping_key(password)).decrypt(self.iv, self.sealed, CONTEXT + canonical(self._bound()))
        except InvalidTag:
            raise WrongPassword("the organisation password is not the right one, or the keyring file was changed") from None
        value = json.loads(plain)
        secret = Secrets(
            {kid: bytearray(unb64(root, KEY_BYTES)) for kid, root in value["roots"].items()},
            bytearray(unb64(value["index"], KEY_BYTES)),
            bytearray(unb64(value["admin"], KEY_BYTES)),
        )
        try:
            yield secret
        finally:
            secret.wipe()

    def rotated(self, password: str, today: date) -> "KeyringFile":
        """With a new epoch, which is the current one; the old ones stay, for what they seal is still there. Raises WrongPassword."""
        kid = secrets.token_hex(EPOCH_BYTES)
        with self.opened(password) as secret:
            secret.roots[kid] = bytearray(secrets.token_bytes(KEY_BYTES))
            return replace(self, current=kid, epochs=(*self.epochs, Epoch(kid, today)), revision=self.revision + 1)._wrapped(
                secret, password
            )

    def without(self, password: str, kid: str) -> "KeyringFile":
        """Without an old epoch that seals nothing any more. Raises WrongPassword, KeyringRefused for the current one."""
        if kid == self.current:
            raise KeyringRefused(f"epoch {kid} is the current one; `blinkd keys rotate` makes a new one first")
        with self.opened(password) as secret:
            if (root := secret.roots.pop(kid, None)) is not None:
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
        cipher = AESGCM(found._wrapping_key(password))
        return replace(found, sealed=cipher.encrypt(found.iv, canonical(value), CONTEXT + canonical(found._bound())))

    def _wrapping_key(self, password: str) -> bytes:
        return PBKDF2HMAC(SHA256(), KEY_BYTES, self.salt, self.iterations).derive(password.encode())

    def _bound(self) -> dict[str, Any]:
        """Every member but what is wrapped."""
        return {
            "v": VERSION,
            "organisation": self.organisation,
            "kdf": {"name": KDF, "iterations": self.iterations, "salt": b64(self.salt)},
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
        """Add an epoch's root; whether it was missing."""
        if epoch in self.roots:
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
