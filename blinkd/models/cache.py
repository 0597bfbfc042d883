"""The cache folder of fetched packages and media, and the lock that keeps runs at the same time apart."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blinkd.errors import ModelError

LOCK_FILE = ".lock"


def default_cache_dir() -> Path:
    """$BLINKD_CACHE_DIR, else blinkd below $XDG_CACHE_HOME, else ~/.cache/blinkd."""
    if named := os.environ.get("BLINKD_CACHE_DIR"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "blinkd"


@contextmanager
def cache_lock(folder: Path) -> Iterator[None]:
    """Hold the folder alone; others wait. Removes what an interrupted run left half done. Raises ModelError when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ModelError(f"{folder}: the cache cannot be written: {error.strerror}; set BLINKD_CACHE_DIR to a folder that can") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in folder.glob("tmp-*"):  # whoever made it died: the lock is ours
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)
