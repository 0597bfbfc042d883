"""Makes a back-up while the terminal works, reads it back, and only then lets go of older ones."""

import contextlib
import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import blinkd
from blinkd.backup.contents import MANIFEST, SETTINGS, SNAPSHOT, files_of
from blinkd.backup.sealed import PURPOSE, SALT_BYTES, Header, SealedReader, SealedWriter, file_key, read_header
from blinkd.crypto.at_rest import TEMPLATE_KEY
from blinkd.crypto.chain import canonical
from blinkd.crypto.keyfile import load_key, sync_folder
from blinkd.crypto.keyring import Keyring
from blinkd.crypto.unlocked import PORTABLE_FILE
from blinkd.errors import BackupRefused, KeyMissing
from blinkd.settings import BackupSettings, Settings
from blinkd.store.database import DATABASE_FILE, Store
from blinkd.store.lock import StateLock
from blinkd.store.schema import newest_version

SUFFIX = ".blinkd-backup"
LOCK_FILE = "backup.lock"
PARTIAL, COPY = ".partial-", ".backup-"  # begin the names of what is not done yet
MEGABYTE = 1 << 20
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Made:
    """size: bytes; removed: names of older ones."""

    path: Path
    size: int
    removed: tuple[str, ...]


def make(store: Store, settings: Settings, keyring: Keyring, now: datetime, config: Path | None = None) -> Made:
    """Make one. config: the settings file, which goes along.

    Raises BackupRefused, StateBusy while another is being made, StoreError, KeyMissing. Older back-ups stay unless this one was read back.
    """
    folder = folder_of(settings)
    with StateLock(settings.state_dir, LOCK_FILE):
        _sweep(folder, settings)
        name = f"{settings.terminal.id}-{now.strftime('%Y%m%dT%H%M%SZ')}{SUFFIX}"
        partial, path = folder / f"{PARTIAL}{name}", folder / name
        if path.exists():
            raise BackupRefused(f"{path}: is there already; wait a second and try again")
        try:
            with _copy_of(store, settings) as copy:
                header = _header(settings, keyring, now)
                key = file_key(keyring.working_key(header.epoch, PURPOSE, header.terminal), header.salt)
                digests = _write(partial, header, key, settings.state_dir, copy, config)
            check(partial, lambda _: key, digests)
            partial.rename(path)
            sync_folder(folder)
        except OSError as error:
            raise BackupRefused(f"{folder}: the back-up cannot be written: {error.strerror}; older ones are untouched") from None
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return Made(path, path.stat().st_size, _remove_old(folder, settings, path))


def folder_of(settings: Settings) -> Path:
    """Where back-ups go. Raises BackupRefused where none is named, it is not there, or lies on the disk of the state."""
    wanted: BackupSettings = settings.backup
    if wanted.folder is None:
        raise BackupRefused('no folder for back-ups is set; name one in [backup] of the settings: folder = "/mnt/…"')
    try:
        same = wanted.folder.stat().st_dev == settings.state_dir.stat().st_dev
    except OSError as error:
        raise BackupRefused(
            f"{wanted.folder}: {error.strerror}; mount the disk, or make the folder and give it to the daemon's user"
        ) from None
    if not wanted.folder.is_dir():
        raise BackupRefused(f"{wanted.folder}: is no folder; look at backup.folder")
    if same and wanted.other_disk:
        raise BackupRefused(
            f"{wanted.folder}: lies on the disk of {settings.state_dir}; mount the other disk, or set backup.other_disk = false if it really shall"
        )
    return wanted.folder


def backups(folder: Path, terminal: str | None = None) -> list[tuple[Path, Header]]:
    """Those in a folder, oldest first; terminal: only its own. What is no back-up is passed over. Raises BackupRefused."""
    found = []
    try:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if path.name.startswith("."):
                continue
            with path.open("rb") as file, contextlib.suppress(BackupRefused):
                header, _ = read_header(file, path)
                if terminal in (None, header.terminal):
                    found.append((path, header))
    except OSError as error:
        raise BackupRefused(f"{folder}: cannot be read: {error.strerror}") from None
    return sorted(found, key=lambda one: (one[1].made, one[0].name))


def check(path: Path, key_of: Callable[[Header], bytes], digests: dict[str, str] | None = None) -> Header:
    """Read a back-up to its end; every member is as its manifest says. digests: which the manifest must name. Raises BackupRefused, KeyMissing."""
    with opened(path, key_of) as (header, archive, manifest):
        if digests is not None and manifest["files"] != digests:
            raise BackupRefused(f"{path}: does not hold what was written; look at the disk")
        seen = {}
        while (member := archive.next()) is not None:
            file = archive.extractfile(member)
            seen[member.name] = "" if file is None else digest_of(file.read)
        if seen != manifest["files"]:
            raise BackupRefused(f"{path}: a file of it is not as its manifest says; take an older back-up")
    return header


@contextlib.contextmanager
def opened(path: Path, key_of: Callable[[Header], bytes]) -> Iterator[tuple[Header, tarfile.TarFile, dict[str, object]]]:
    """Header, archive behind its manifest, and manifest. Raises BackupRefused for whatever was changed, at the latest when the block ends."""
    try:
        with path.open("rb") as file:
            header, line = read_header(file, path)
            reader = SealedReader(file, line, key_of(header), path)
            try:
                with tarfile.open(fileobj=reader, mode="r|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
                    first = archive.next()
                    content = None if first is None or first.name != MANIFEST else archive.extractfile(first)
                    manifest = None if content is None else json.loads(content.read())
                    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
                        raise BackupRefused(f"{path}: has no manifest; take an older back-up")
                    yield header, archive, manifest
                while reader.read(MEGABYTE):  # up to the proven end
                    pass
            except (tarfile.TarError, ValueError) as error:
                raise BackupRefused(f"{path}: is not as it was written ({error}); take an older back-up") from None
    except OSError as error:
        raise BackupRefused(f"{path}: cannot be read: {error.strerror}") from None


def digest_of(read: Callable[[int], bytes]) -> str:
    """SHA-256 of what can be read, hexadecimal."""
    digest = hashlib.sha256()
    while data := read(MEGABYTE):
        digest.update(data)
    return digest.hexdigest()


def _header(settings: Settings, keyring: Keyring, now: datetime) -> Header:
    wrapped = settings.state_dir / PORTABLE_FILE
    portable = json.loads(wrapped.read_bytes()) if wrapped.exists() else None
    return Header(
        keyring.organisation, settings.terminal.id, keyring.current, secrets.token_bytes(SALT_BYTES), now, blinkd.__version__, portable
    )


@contextlib.contextmanager
def _copy_of(store: Store, settings: Settings) -> Iterator[Path]:
    """The database at one moment, while others write. It holds names, so it stays in the state folder, and goes."""
    size, free = (settings.state_dir / DATABASE_FILE).stat().st_size, shutil.disk_usage(settings.state_dir).free
    if free < size + settings.store.min_free_mb * MEGABYTE:
        raise BackupRefused(
            f"{settings.state_dir}: {free // MEGABYTE} MB free, the copy takes {size // MEGABYTE} and {settings.store.min_free_mb} stay for punches"
            " (store.min_free_mb); free some space"
        )
    copy = settings.state_dir / f"{COPY}{secrets.token_hex(8)}.db"
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY))
    try:
        with store.reading():
            store.connection().execute("VACUUM INTO ?", (str(copy),))  # one moment of it, and nothing of what was deleted
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _write(partial: Path, header: Header, key: bytes, state_dir: Path, copy: Path, config: Path | None) -> dict[str, str]:
    """Returns the digest of each member."""
    small = {path.name: path.read_bytes() for path in files_of(state_dir) if path.name != TEMPLATE_KEY.file}
    if config is not None and config.is_file():
        small[SETTINGS] = config.read_bytes()
    if (sealing := _template_key(state_dir)) is not None:
        small[TEMPLATE_KEY.file] = sealing
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in small.items()}
    with copy.open("rb") as database:
        digests[SNAPSHOT] = digest_of(database.read)
        database.seek(0)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
        with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, which Path cannot open
            writer = SealedWriter(file, header, key)
            with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
                manifest = canonical({"schema": newest_version(), "files": digests})
                for name, content in ((MANIFEST, manifest), *small.items()):
                    archive.addfile(_member(name, len(content)), io.BytesIO(content))
                archive.addfile(_member(SNAPSHOT, copy.stat().st_size), database)
            writer.finish()
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # what is read back comes from the disk
    return digests


def _template_key(state_dir: Path) -> bytes | None:
    """It may be a credential, which lies in no folder; None where nothing has been sealed by one."""
    try:
        return load_key(state_dir, TEMPLATE_KEY, create=False)
    except KeyMissing:
        if (state_dir / TEMPLATE_KEY.file).exists():
            raise
        return None


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, OWNER_ONLY
    return info


def _sweep(folder: Path, settings: Settings) -> None:
    """What was left when the power went."""
    with contextlib.suppress(OSError):
        for path in (*settings.state_dir.glob(f"{COPY}*"), *folder.glob(f"{PARTIAL}{settings.terminal.id}-*")):
            path.unlink()


def _remove_old(folder: Path, settings: Settings, newest: Path) -> tuple[str, ...]:
    """newest: was just made, and stays whatever the clock has made of its date."""
    others = [path for path, _ in backups(folder, settings.terminal.id) if path != newest]
    removed = []
    for path in others[: max(0, len(others) - settings.backup.keep + 1)]:
        with contextlib.suppress(OSError):  # next time
            path.unlink()
            removed.append(path.name)
    return tuple(removed)
