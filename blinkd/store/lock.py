"""One daemon a state folder."""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from blinkd.errors import StateBusy, StoreError

LOCK_FILE = "blinkd.lock"


class StateLock:
    """Held by the daemon, or another long-running process of its own lock file, while it runs; the kernel drops it when the process ends,
    however it ends.
    """  # fmt: skip

    def __init__(self, state_dir: Path, name: str = LOCK_FILE) -> None:
        self._path = state_dir / name
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock. Raises StateBusy naming the other process, StoreError when the folder cannot be written."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be opened: {error.strerror}; check the owner and mode of the state folder") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StateBusy(
                f"{self._path.parent}: another blinkd (process {holder}) works on this state folder; stop it, or give this one another state_dir"
            ) from None
        # the number only helps whoever finds the lock taken: a disk too full for it must not keep the door shut
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Release it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def daemon_of(state_dir: Path, name: str = LOCK_FILE) -> int | None:
    """The process that holds a lock of a state folder: None when nobody does, 0 when its number cannot be read."""
    try:
        descriptor = os.open(state_dir / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)
    return None
