"""What of a state folder belongs into a back-up."""

from collections.abc import Iterator
from pathlib import Path

from blinkd.models.speeds import SPEED_FILE
from blinkd.status_file import STATUS_FILE
from blinkd.store.connection import SIDE_FILES
from blinkd.store.database import DATABASE_FILE, REPAIR_FILE
from blinkd.store.links import HEAD_FILE
from blinkd.sync.runner import STATE_FILE

BEFORE = "before-restore-"  # begins the name of the folder of what was here before a back-up was put back
MANIFEST = "manifest.json"  # the first member: what the others are
SETTINGS = "settings.toml"  # a copy of the settings file, for whoever sets the new terminal up
SNAPSHOT = DATABASE_FILE
LARGEST = 1 << 20  # bytes of one file besides the database: keys and certificates have a few thousand
# of this machine and this moment only; the head of the book may be ahead of the copy, which would then look cut off
MOMENTARY = frozenset({REPAIR_FILE, STATUS_FILE, STATE_FILE, SPEED_FILE, HEAD_FILE, *(DATABASE_FILE + suffix for suffix in SIDE_FILES)})


def files_of(state_dir: Path) -> Iterator[Path]:
    """Keys, certificates and whatever else lies in the folder, but for the database, locks, hidden files and databases that were set aside."""
    for path in sorted(state_dir.iterdir()):
        if path.name.startswith(".") or path.is_symlink() or not path.is_file():
            continue
        if path.name in MOMENTARY or path.suffix == ".lock" or f"{DATABASE_FILE}.corrupt-" in path.name:
            continue
        if path.stat().st_size <= LARGEST:
            yield path


def occupants(state_dir: Path) -> list[str]:
    """What would be overwritten by a back-up that is put back."""
    if not state_dir.is_dir():
        return []
    return sorted(path.name for path in state_dir.iterdir() if not path.name.startswith((".", BEFORE)) and path.suffix != ".lock")
