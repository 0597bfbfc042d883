"""Secret keys of the terminal: a systemd credential, or a file in the state folder that only its owner reads."""

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blinkd.errors import KeyMissing, StoreError

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
TEMPLATE_CREDENTIAL = "blinkd-template-key"  # of the stored templates
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeyName:
    """credential: name of the systemd credential; file: name in the state folder; remedy: what to do when it is lost."""

    credential: str
    file: str
    remedy: str


def load_key(state_dir: Path, name: KeyName, *, create: bool) -> bytes:
    """Return the 32 bytes: of the systemd credential when there is one, else of the file, made at random when `create` says so.

    Raises KeyMissing when it is missing, torn, readable by others or not readable at all, StoreError when a new one cannot be written.
    """
    if (given := credential(name)) is not None:
        return given
    path = state_dir / name.file
    try:
        if not path.exists():
            if not create:
                raise KeyMissing(f"{path}: {name.remedy}")
            write_new(path, secrets.token_bytes(KEY_BYTES))
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyMissing(f"{path}: readable by others; run: chmod 600 {path}")
        return _checked(path, path.read_bytes())
    except OSError as error:
        raise KeyMissing(f"{error.filename or path}: cannot be read: {error.strerror}; check its owner and mode") from None


def credential(name: KeyName) -> bytes | None:
    """The systemd credential, 32 bytes; None where there is none. Raises KeyMissing."""
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    path = Path(folder) / name.credential if folder else None
    try:
        return _checked(path, path.read_bytes()) if path is not None and path.exists() else None
    except OSError as error:
        raise KeyMissing(f"{path}: cannot be read: {error.strerror}; check its owner and mode") from None


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of what was there, whole or not at all, readable by its owner only, on the disk when this returns. Raises StoreError."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_synced(partial, content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}; free some space and check the owner of {path.parent}") from None


def _checked(path: Path, key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise KeyMissing(f"{path}: {len(key)} bytes instead of {KEY_BYTES}; put the right key back")
    return key


def write_new(path: Path, content: bytes) -> None:
    """Create the file whole or not at all, readable by its owner only; if another process was faster, its file stays. Raises StoreError."""
    # a random name: a process number comes again (in a container it is always the same), and a crash leaves the file behind
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_synced(partial, content)
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(partial)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}; free some space and check the owner of {path.parent}") from None


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While no other process that asks the same is at work on the folder, which is made when it is missing. Raises StoreError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be made or opened: {error.strerror}; check the owner and mode of it and of {folder.parent}"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which also ends the lock


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, which Path cannot open
        os.fchmod(descriptor, 0o600)  # the umask may have taken the owner's rights away too
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Names given and taken away in it so far are on the disk when this returns. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
