"""Several files put in their places: all of them or none, whenever the power fails.

First every content is written into a folder of its own inside the state folder; then a plan that names them, with one rename: from that moment
on all of them are as good as in place. Whoever comes next (`resume`) puts the rest where it belongs. A folder without a plan is thrown away.

Root does this in a folder that belongs to the daemon's user. So that a daemon in somebody else's hands cannot have root write what and where it
likes, a plan counts only for the user who has made it, and no link is followed on the way.
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blinkd.crypto.keyfile import sync_folder
from blinkd.errors import BundleRefused, StoreError

FOLDER, PLAN = "arriving", "plan.json"
SECRET = 0o600
LISTED = 0o711  # the files in it are closed, but doctor, as another user, sees whether there is a plan


@dataclass(frozen=True, slots=True)
class Place:
    """target: absolute; mode: permission bits; owner: user and group, None for whoever runs this."""

    target: Path
    content: bytes
    mode: int = SECRET
    owner: tuple[int, int] | None = None


def place_all(state_dir: Path, places: Sequence[Place]) -> None:
    """Put them in their places, in their order. The caller holds the folder's lock (`alone`). Raises StoreError; nothing is changed then.

    Should this be interrupted after all has been written once, `resume` ends it.
    """
    folder = state_dir / FOLDER
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        with _opened(folder) as descriptor:
            os.fchmod(descriptor, LISTED)
        plan = []
        for number, place in enumerate(places):
            put(folder / str(number), place.content, SECRET, None)
            digest = hashlib.sha256(place.content).hexdigest()
            plan.append({"target": str(place.target), "sha256": digest, "mode": place.mode, "owner": place.owner})
        put(folder / PLAN, json.dumps(plan).encode(), SECRET, None)
        sync_folder(state_dir)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(
            f"{folder}: cannot be written: {error.strerror}; nothing was changed: free some space and check the owner"
        ) from None
    resume(state_dir)


def resume(state_dir: Path) -> list[Path]:
    """End what an interruption has left: the files that are in place now. The caller holds the folder's lock.

    Raises StoreError where a target cannot be written (run it again once that is mended), BundleRefused where what was written is torn.
    """
    folder = state_dir / FOLDER
    if not os.path.lexists(folder):
        return []
    done = []
    try:
        with _opened(folder) as descriptor:
            for number, one in enumerate(_plan(folder, descriptor)):
                content, target = _read(str(number), descriptor), Path(one["target"])
                if hashlib.sha256(content).hexdigest() != one["sha256"]:
                    raise BundleRefused(f"{folder / str(number)}: torn by the disk; remove {folder} and install the bundle once more")
                target.parent.mkdir(parents=True, exist_ok=True)
                put(target, content, one["mode"], one["owner"])
                done.append(target)
            if done:
                os.unlink(PLAN, dir_fd=descriptor)  # first: without it the rest is thrown away
                os.fsync(descriptor)
        shutil.rmtree(folder)
    except OSError as error:
        raise StoreError(
            f"{error.filename or folder}: cannot be written: {error.strerror}; mend that, and run the same command again: it goes on where it stood"
        ) from None
    return done


def put(target: Path, content: bytes, mode: int, owner: Sequence[int] | None) -> None:
    """One file, whole or not at all, on the disk when this returns. Raises OSError."""
    partial = f".{target.name}.arriving"  # always the same: what a crash leaves, the next attempt takes away
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=descriptor)
        made = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET, dir_fd=descriptor)
        with open(made, "wb") as file:  # noqa: PTH123  a descriptor
            if owner is not None:
                os.fchown(file.fileno(), owner[0], owner[1])
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target.name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Its descriptor. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(name: str, folder: int) -> bytes:
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "rb") as file:  # noqa: PTH123  a descriptor
        return file.read()


def _plan(folder: Path, descriptor: int) -> list[dict[str, Any]]:
    """Empty where nothing was decided yet. Raises BundleRefused for a plan of somebody else's."""
    try:
        plan = _read(PLAN, descriptor)
    except FileNotFoundError:
        return []
    found, me = os.fstat(descriptor), os.geteuid()
    if found.st_uid != me or stat.S_IMODE(found.st_mode) & 0o022:
        raise BundleRefused(
            f"{folder}: an installation that user {found.st_uid} has begun, and you are user {me}; run the same `blinkd fleet install` as that "
            "user, which ends it, or remove the folder"
        )
    try:
        return list(json.loads(plan))
    except ValueError:
        raise BundleRefused(f"{folder / PLAN}: torn by the disk; remove {folder} and install the bundle once more") from None
