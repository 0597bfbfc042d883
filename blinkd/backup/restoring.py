"""Puts a back-up back: into a folder in which there is nothing, all of it or nothing of it."""

import os
import secrets
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from blinkd.backup.contents import BEFORE, SETTINGS, SNAPSHOT, occupants
from blinkd.backup.making import MEGABYTE, digest_of, opened
from blinkd.backup.sealed import PURPOSE, Header, file_key
from blinkd.clock import Clock
from blinkd.crypto.at_rest import TEMPLATE_KEY
from blinkd.crypto.keyfile import credential, sync_folder
from blinkd.crypto.keyring import Keyring
from blinkd.errors import BackupRefused
from blinkd.settings import Settings
from blinkd.store.database import Store, make_folder
from blinkd.store.lock import StateLock
from blinkd.store.schema import newest_version

COMING = ".restore-"  # begins the name of the folder of what is not here yet
RESTORED = "restored"  # kind of the entry of the book that says so
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Restored:
    """made: when the back-up was; people, entries: in it; aside: where what was here before lies; settings: the copy of the settings file."""

    terminal: str
    made: datetime
    people: int
    entries: int
    aside: Path | None
    settings: Path | None


def key_by(keyring: Keyring) -> Callable[[Header], bytes]:
    """How back-ups of an organisation open. Raises, when it is asked, BackupRefused for another's, KeyMissing for an epoch that is gone."""

    def key_of(header: Header) -> bytes:
        if header.organisation != keyring.organisation:
            raise BackupRefused(
                f"the back-up is of {header.organisation}, the keyring of {keyring.organisation}; give that keyring (--keyring)"
            )
        return file_key(keyring.working_key(header.epoch, PURPOSE, header.terminal), header.salt)

    return key_of


def restore(path: Path, settings: Settings, keyring: Keyring, clock: Clock, *, aside: bool) -> Restored:
    """Put it back. aside: what is in the state folder is moved into a folder of its own first.

    Raises BackupRefused, StateBusy while the daemon works, KeyMissing, StoreError; then the state folder is as it was.
    """
    folder = settings.state_dir
    make_folder(folder)
    with StateLock(folder):
        for left in folder.glob(f"{COMING}*"):  # by a power cut
            shutil.rmtree(left, ignore_errors=True)
        there = occupants(folder)
        if there and not aside:
            raise BackupRefused(
                f"{folder}: is not empty ({', '.join(there[:3])}{' …' if len(there) > 3 else ''}); give another state_dir, or --aside, which moves it all"
                f" into {BEFORE}…"
            )
        coming = folder / f"{COMING}{secrets.token_hex(8)}"
        coming.mkdir(mode=0o700)
        try:
            header = _unpack(path, coming, key_by(keyring))
            people, entries = _prepare(coming, settings, header, clock)
            moved = _change_places(folder, coming, there, clock.now().utc)
        except OSError as error:
            raise BackupRefused(f"{folder}: the back-up cannot be put back: {error.strerror}; nothing was changed") from None
        finally:
            shutil.rmtree(coming, ignore_errors=True)
    copy = folder / SETTINGS
    return Restored(header.terminal, header.made, people, entries, moved, copy if copy.exists() else None)


def _unpack(path: Path, into: Path, key_of: Callable[[Header], bytes]) -> Header:
    """Every file of it, each found to be as the manifest says, and the end of the back-up proved."""
    with opened(path, key_of) as (header, archive, manifest):
        schema, files = manifest.get("schema"), manifest["files"]
        if not isinstance(schema, int) or schema > newest_version():
            raise BackupRefused(
                f"{path}: was made by blinkd {header.version}, whose database is newer; install that version or a newer one"
            )
        assert isinstance(files, dict)
        seen = {}
        while (member := archive.next()) is not None:
            seen[member.name] = _take_out(archive, member, into, path)
        if seen != files or SNAPSHOT not in seen:
            raise BackupRefused(f"{path}: a file of it is not as its manifest says; take an older back-up")
    return header


def _take_out(archive: tarfile.TarFile, member: tarfile.TarInfo, into: Path, path: Path) -> str:
    file = archive.extractfile(member)
    if file is None or Path(member.name).name != member.name or member.name.startswith("."):
        raise BackupRefused(f"{path}: holds {member.name!r}, which no blinkd writes")
    target = into / member.name
    with open(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY), "w+b") as out:  # noqa: PTH123  a descriptor
        while data := file.read(MEGABYTE):
            out.write(data)
        out.flush()
        os.fsync(out.fileno())
        out.seek(0)
        return digest_of(out.read)


def _prepare(coming: Path, settings: Settings, header: Header, clock: Clock) -> tuple[int, int]:
    """Check the database, seal it by this machine's key where it has one, and say in the book that it was put back."""
    here, path = credential(TEMPLATE_KEY), coming / TEMPLATE_KEY.file
    with Store.open(coming, settings.store, repair=False) as store:
        store.examine()
        if path.exists():
            old = path.read_bytes()
            store.reseal(old, old if here is None else here)  # also by the same key: every record is found to open
            if here is not None:
                path.unlink()
        seq = store.book.append(RESTORED, {"made": header.made.isoformat(), "from": header.terminal}, clock.now())
        return len(store.people.all()), seq


def _change_places(folder: Path, coming: Path, there: list[str], now: datetime) -> Path | None:
    """The database first: without the keys that follow nothing begins a new one over it."""
    moved = None
    if there:
        moved = folder / f"{BEFORE}{now.strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(2)}"
        moved.mkdir(mode=0o700)
        for name in there:
            (folder / name).rename(moved / name)
    for path in sorted(coming.iterdir(), key=lambda path: path.name != SNAPSHOT):
        path.rename(folder / path.name)
    sync_folder(folder)
    return moved
