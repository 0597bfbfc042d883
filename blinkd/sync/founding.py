"""How a terminal comes to its organisation's keyring: founds the organisation, or joins it."""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

from blinkd.crypto import unlocked
from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64
from blinkd.crypto.grants import OpenRecord, keyring_record
from blinkd.crypto.keyfile import alone
from blinkd.crypto.keyring import KeyringFile, Secrets
from blinkd.crypto.unlocked import PORTABLE_FILE, UNLOCKED_FILE
from blinkd.errors import KeyringRefused
from blinkd.store.registry import Registry
from blinkd.sync.messages import Change, admin_signed

FINGERPRINT_HEX = 32  # characters that people compare: 128 bits, which nobody makes a second keyring to match

OpenRegistry = Callable[[], AbstractContextManager[Registry]]


def found(folder: Path, registry: OpenRegistry, organisation: str, password: str, today: date) -> KeyringFile:
    """Make the keyring of a new organisation, here. Raises KeyringRefused, StoreError."""
    refuse_second(folder)
    with alone(folder):
        refuse_second(folder)
        file = KeyringFile.create(organisation, password, today)
        with file.opened(password) as secret:
            keep(folder, file, secret)
            with registry() as waiting:
                publish(waiting, file, secret, [keyring_record(file)])
    return file


def join(folder: Path, file: KeyringFile, password: str) -> None:
    """Take a keyring over from another terminal, or a newer one of the same organisation. Raises WrongPassword, KeyringRefused, StoreError."""
    refuse_unfit(folder, file)
    # opened before anything is locked: the sync process would wait for as long as it takes
    with file.opened(password) as secret, alone(folder):
        refuse_unfit(folder, file)
        keep(folder, file, secret)


def publish(registry: Registry, file: KeyringFile, secret: Secrets, records: Iterable[OpenRecord]) -> None:
    """Sign them by the administrator's key, and let them wait for the relay."""
    administrator = secret.administrator()
    for one in records:
        change = Change(one.id, one.type, 0, 1, None, one.open, b"")
        registry.publish(one.id, one.type, one.open, administrator.sign(admin_signed(file.organisation, change)))


def refuse_second(folder: Path) -> None:
    """Raise KeyringRefused where there is a keyring."""
    if there := [file for file in (PORTABLE_FILE, UNLOCKED_FILE) if (folder / file).exists()]:
        raise KeyringRefused(f"{folder / there[0]}: there is a keyring already; what it seals would be lost for ever, so it stays")


def refuse_unfit(folder: Path, file: KeyringFile) -> None:
    """Raise KeyringRefused when the file would undo what is here."""
    if not (folder / PORTABLE_FILE).exists():
        return
    here = unlocked.load_file(folder / PORTABLE_FILE)
    if (file.organisation, file.admin) != (here.organisation, here.admin):
        raise KeyringRefused(
            f"the file is the keyring of {file.organisation} ({grouped(file)}), here is that of {here.organisation} ({grouped(here)}); "
            f"to change the organisation, begin with an empty state folder instead of {folder}"
        )
    if file.revision < here.revision:
        raise KeyringRefused(
            f"the file has revision {file.revision}, here is {here.revision} already: an old copy could bring back keys that were given up; "
            "run `blinkd keys export` once more where the newest one is"
        )
    if file.revision == here.revision and file != here:
        raise KeyringRefused(
            f"two different keyrings of revision {file.revision}: it was changed at two terminals at once; run `blinkd keys rotate` "
            "at one of them, and join its file at the other"
        )


def keep(folder: Path, file: KeyringFile, secret: Secrets) -> None:
    """Put it into the state folder, with what this terminal works with. Raises KeyMissing, StoreError."""
    keyring = unlocked.unlock(file, secret)
    try:
        unlocked.keep(folder, file, keyring)
    finally:
        keyring.wipe()


def fingerprint(file: KeyringFile) -> str:
    """Of what never changes and is no secret: the organisation and its administrator's public key."""
    return hashlib.sha256(canonical({"organisation": file.organisation, "admin": b64(file.admin)})).hexdigest()[:FINGERPRINT_HEX]


def grouped(file: KeyringFile) -> str:
    """The fingerprint as people compare it."""
    text = fingerprint(file)
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))
