"""The part of real_disks.sh that punches; started by it, as root and in a mount namespace of its own."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from blinkd.errors import StoreError
from blinkd.settings import StoreSettings
from blinkd.store.database import Store
from tests.integration.durability.audit import Violation, audit, check
from tests.integration.durability.terminal import Terminal, kept, opened

BALLAST_BYTES = 300_000  # what is removed to make room
MOST_PUNCHES = 20_000  # a disk of a few megabytes is full long before
MORE_TRIES = 20  # while the disk is full
DISK_MB = 6


def _run(*command: str | Path, allowed: tuple[int, ...] = (0,)) -> None:
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if ended.returncode not in allowed:
        raise SystemExit(f"FAILED: {ended.args}: {ended.stderr.strip()}")


def _punch_until_refused(terminal: Terminal, announced: list[str]) -> str:
    """Punch until the disk takes no more; returns what the terminal said."""
    for _ in range(MOST_PUNCHES):
        try:
            announced.append(terminal.punch())
        except StoreError as error:
            return str(error)
    raise Violation(f"{MOST_PUNCHES} punches and the disk is not full")


def _try_more(terminal: Terminal, announced: list[str]) -> None:
    for _ in range(MORE_TRIES):
        with contextlib.suppress(StoreError):
            announced.append(terminal.punch())


def _audit_elsewhere(folder: Path, announced: list[str], doubtful: int = 0) -> None:
    """As if the power had gone now, and the files were looked at on a disk that works."""
    with tempfile.TemporaryDirectory() as elsewhere:
        copy = Path(elsewhere) / "state"
        shutil.copytree(folder, copy)
        audit(copy, announced, doubtful)


def fills_up(folder: Path) -> str:
    """A full disk lets nobody in; with room again the same process goes on; a new one opens what the full disk holds."""
    ballast = [folder / "ballast-1", folder / "ballast-2"]
    for file in ballast:
        file.write_bytes(b"b" * BALLAST_BYTES)
    state, announced = folder / "state", list[str]()
    with opened(state) as terminal:
        said = _punch_until_refused(terminal, announced)
        if "the disk is full" not in said:
            raise Violation(said)
        _try_more(terminal, announced)
        _audit_elsewhere(state, announced)
        ballast[0].unlink()
        announced.append(terminal.punch())
        check(kept(terminal), announced, 0)
        _punch_until_refused(terminal, announced)
        _audit_elsewhere(state, announced)
    audit(state, announced, 0)  # a new process, while the disk is still full
    ballast[1].unlink()
    audit(state, announced, 0, go_on=True)
    return f"{len(announced)} punches; said: {said}"


def turns_read_only_by_itself(folder: Path, image: Path) -> str:
    """The kernel makes an ext4 read-only under the open terminal; after a repair a new process goes on."""
    device = next(line.split()[0] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1] == str(folder))
    state, announced = folder / "state", list[str]()
    with opened(state) as terminal:
        announced += [terminal.punch() for _ in range(50)]
        Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("1\n")
        said = _punch_until_refused(terminal, announced)
        _try_more(terminal, announced)
        _audit_elsewhere(state, announced, 1)
    try:
        with opened(state):
            raise Violation("a read-only disk was opened for writing")
    except StoreError:
        pass
    with Store.open(state, StoreSettings(), read_only=True) as store:
        seen = [punch.id for punch in store.book.punches()]
    if seen[: len(announced)] != announced:
        raise Violation("the log of a read-only disk does not show all punches")
    _run("umount", folder)
    _run("e2fsck", "-fy", image, allowed=(0, 1))
    _run("mount", "-o", "loop,errors=remount-ro", image, folder)
    audit(state, announced, 1, go_on=True)
    return f"{len(announced)} punches; said: {said}"


def is_remounted_between(folder: Path) -> str:
    """Read-only when a process starts, writable when the next one does."""
    state, announced = folder / "state", list[str]()
    with opened(state) as terminal:
        announced += [terminal.punch() for _ in range(20)]
    _run("mount", "-o", "remount,ro", folder)
    try:
        with opened(state):
            raise Violation("a read-only disk was opened for writing")
    except StoreError as error:
        said = str(error)
    _run("mount", "-o", "remount,rw", folder)
    audit(state, announced, 0, go_on=True)
    return f"{len(announced)} punches; said: {said}"


@contextlib.contextmanager
def _tmpfs() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder)
        try:
            yield Path(folder)
        finally:
            _run("umount", folder)


@contextlib.contextmanager
def _ext4() -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        image, disk = Path(folder) / "image", Path(folder) / "disk"
        with image.open("wb") as file:
            file.truncate(DISK_MB * 2**20)
        _run("mkfs.ext4", "-q", image)
        disk.mkdir()
        _run("mount", "-o", "loop,errors=remount-ro", image, disk)
        try:
            yield disk, image
        finally:
            _run("umount", disk)


def main() -> int:
    """Run all; 0 when nothing was found."""
    found = 0
    trials: list[tuple[str, Callable[[], str]]] = [
        ("a tmpfs fills up", lambda: _on_tmpfs(fills_up)),
        ("an ext4 fills up", lambda: _on_ext4(lambda disk, _: fills_up(disk))),
        ("an ext4 turns read-only under an open terminal", lambda: _on_ext4(turns_read_only_by_itself)),
        ("a tmpfs is remounted read-only and back", lambda: _on_tmpfs(is_remounted_between)),
    ]
    for name, trial in trials:
        try:
            sys.stdout.write(f"ok: {name}: {trial()}\n")
        except (Violation, StoreError) as broken:
            found += 1
            sys.stdout.write(f"FAILED: {name}: {broken}\n")
    return 1 if found else 0


def _on_tmpfs(trial: Callable[[Path], str]) -> str:
    with _tmpfs() as folder:
        return trial(folder)


def _on_ext4(trial: Callable[[Path, Path], str]) -> str:
    with _ext4() as (disk, image):
        return trial(disk, image)


if __name__ == "__main__":
    sys.exit(main())
