import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blinkd.errors import StateBusy, StoreError
from blinkd.store.lock import LOCK_FILE, StateLock, daemon_of
from tests.unit.store.stores import mode

HOLD = (
    "import sys; from pathlib import Path; from blinkd.store.lock import StateLock\n"
    "with StateLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.readline()\n"
)


@contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()


def test_a_second_daemon_is_told_which_process_holds_the_folder(tmp_path: Path) -> None:
    with daemon(tmp_path) as child:
        assert daemon_of(tmp_path) == child.pid
        with pytest.raises(StateBusy, match=rf"process {child.pid}\).*another state_dir"), StateLock(tmp_path):
            pass


def test_a_killed_daemon_holds_nothing(tmp_path: Path) -> None:
    with daemon(tmp_path) as child:
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        assert daemon_of(tmp_path) is None
        with StateLock(tmp_path):
            assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_the_lock_can_be_taken_again_after_an_orderly_end(tmp_path: Path) -> None:
    for _ in range(2):
        with StateLock(tmp_path):
            assert daemon_of(tmp_path) == os.getpid()
    assert daemon_of(tmp_path) is None


def test_two_folders_have_two_locks(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with StateLock(tmp_path / "a"), StateLock(tmp_path / "b"):
        assert daemon_of(tmp_path / "a") == daemon_of(tmp_path / "b") == os.getpid()


def test_a_holder_without_a_number_is_still_a_holder(tmp_path: Path) -> None:
    with (tmp_path / LOCK_FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert daemon_of(tmp_path) == 0
        with pytest.raises(StateBusy, match="process unknown"), StateLock(tmp_path):
            pass


def test_a_folder_that_may_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with mode(tmp_path, 0o500), pytest.raises(StoreError, match="check the owner and mode"), StateLock(tmp_path):
        pass


def test_a_disk_too_full_for_the_number_does_not_keep_the_daemon_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with StateLock(tmp_path):
        assert daemon_of(tmp_path) == 0
