"""The file of a back-up: a line that says whose it is, then encrypted portions, of which none can be changed, moved or left out.

file    = header LF portion…                     header: JSON, below
portion = length, 4 bytes || AES-256-GCM(plain)  the last one has a bit in its nonce that no other has, so that a cut is noticed
nonce   = number of the portion, 8 bytes || 0 0 0 || 1 where it is the last, else 0
data    = SHA-256(header)                        associated data of every portion
key     = HKDF-SHA256(working key of the organisation's epoch for "backup" and the terminal, salt of the header)

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, 2015). The salt makes the key one of this file's own.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, unb64
from blinkd.errors import BackupRefused

FORM = "blinkd back-up 1"
PURPOSE = "backup"
CONTEXT = b"blinkd back-up key 1\n"
SALT_BYTES, KEY_BYTES, TAG_BYTES = 32, 32, 16
PORTION = 1 << 20  # bytes of plain text
LONGEST_HEADER = 1 << 18  # bytes; the wrapped keyring is in it
TORN = "cut off or changed; take an older back-up"
MEMBERS = frozenset({"form", "organisation", "terminal", "epoch", "salt", "made", "version", "keyring"})


@dataclass(frozen=True, slots=True)
class Header:
    """What can be read without a key. made: aware; version: of blinkd; keyring: the wrapped one, as its file has it, None where the terminal has none."""

    organisation: str
    terminal: str
    epoch: str
    salt: bytes
    made: datetime
    version: str
    keyring: dict[str, Any] | None

    def to_bytes(self) -> bytes:
        """The line."""
        members = {"form": FORM, "organisation": self.organisation, "terminal": self.terminal, "epoch": self.epoch}
        members |= {"salt": b64(self.salt), "made": self.made.isoformat(), "version": self.version}
        return canonical(members | {"keyring": self.keyring}) + b"\n"

    @classmethod
    def of(cls, line: bytes, name: object) -> "Header":
        """Read the line. name: of the file, for messages. Raises BackupRefused."""
        try:
            value = json.loads(line)
            if value["form"] != FORM:
                raise BackupRefused(
                    f"{name}: a back-up of another form ({str(value['form'])[:40]}); use the blinkd that made it, or a newer one"
                )
            made, keyring = datetime.fromisoformat(value["made"]), value["keyring"]
            if value.keys() != MEMBERS or made.tzinfo is None or not (keyring is None or isinstance(keyring, dict)):
                raise ValueError("not as written")
            organisation, terminal, epoch, version = (str(value[key]) for key in ("organisation", "terminal", "epoch", "version"))
            return cls(organisation, terminal, epoch, unb64(value["salt"], SALT_BYTES), made, version, keyring)
        except (TypeError, KeyError, ValueError, RecursionError):
            raise BackupRefused(f"{name}: is no back-up of blinkd, or its first line was changed") from None


def file_key(working_key: bytes, salt: bytes) -> bytes:
    """32 bytes, for one file. working_key: of the organisation's epoch, for PURPOSE and the terminal."""
    return HKDF(SHA256(), KEY_BYTES, salt=salt, info=CONTEXT).derive(working_key)


class SealedWriter:
    """Takes plain bytes and writes portions; the last one comes with `finish`, without which no reader takes the file."""

    def __init__(self, file: BinaryIO, header: Header, key: bytes) -> None:
        """Write the header at once. Raises OSError, as every call here does."""
        line = header.to_bytes()
        self._file = file
        self._aead = AESGCM(key)
        self._bound = hashlib.sha256(line).digest()
        self._waiting = bytearray()
        self._number = 0
        file.write(line)

    def write(self, data: bytes) -> int:
        """Take all of it."""
        self._waiting += data
        while len(self._waiting) > PORTION:  # never the last one, which nobody knows yet
            self._put(bytes(self._waiting[:PORTION]), last=False)
            del self._waiting[:PORTION]
        return len(data)

    def finish(self) -> None:
        """Nothing more comes."""
        self._put(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _put(self, plain: bytes, *, last: bool) -> None:
        sealed = self._aead.encrypt(_nonce(self._number, last=last), plain, self._bound)
        self._file.write(len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1


class SealedReader:
    """Gives plain bytes, each after it was found to be as it was written. `read` raises BackupRefused where it was not, or something is missing."""

    def __init__(self, file: BinaryIO, line: bytes, key: bytes, name: object) -> None:
        """file: behind its header; line: the header; name: of the file, for messages."""
        self._file = file
        self._aead = AESGCM(key)
        self._bound = hashlib.sha256(line).digest()
        self._name = name
        self._plain = memoryview(b"")
        self._number = 0
        self._ended = False

    def read(self, count: int) -> bytes:
        """So many bytes; fewer only at the proven end."""
        found = bytearray()
        while len(found) < count and not (self._ended and not self._plain):
            if not self._plain:
                self._next()
            taken = self._plain[: count - len(found)]
            found += taken
            self._plain = self._plain[len(taken) :]
        return bytes(found)

    def _next(self) -> None:
        length = int.from_bytes(self._exactly(4), "big")
        if not TAG_BYTES <= length <= PORTION + TAG_BYTES:
            raise BackupRefused(f"{self._name}: {TORN}")
        sealed = self._exactly(length)
        for last in (False, True):
            try:
                plain = self._aead.decrypt(_nonce(self._number, last=last), sealed, self._bound)
            except InvalidTag:
                continue
            self._plain, self._ended = memoryview(plain), last
            self._number += 1
            if last and self._file.read(1):
                raise BackupRefused(f"{self._name}: there is something behind its end; take an older back-up")
            return
        which = "it does not open: it is of another organisation, or was changed" if self._number == 0 else TORN
        raise BackupRefused(f"{self._name}: {which}")

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise BackupRefused(f"{self._name}: {TORN}")
        return data


def read_header(file: BinaryIO, name: object) -> tuple[Header, bytes]:
    """The header and its line; the file stands behind it. Raises BackupRefused."""
    line = file.readline(LONGEST_HEADER)
    return Header.of(line, name), line


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(8, "big") + bytes([0, 0, 0, int(last)])
