"""A file of an export is there whole and for its owner only, or not at all."""

import errno
import os
from pathlib import Path

import pytest

from blinkd.cli.whole_file import write_whole
from blinkd.errors import ReportRefused


def test_the_file_holds_the_content_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    path.write_text("old")
    path.chmod(0o644)
    write_whole(str(path), b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert [file.name for file in tmp_path.iterdir()] == ["hours.csv"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_was_there_stays_when_the_disk_does_not_take_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "hours.csv"
    path.write_text("old")
    monkeypatch.setattr(os if call == "fsync" else Path, call, full)
    with pytest.raises(ReportRefused, match=r"hours\.csv: cannot be written: No space left"):
        write_whole(str(path), b"new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("hours.csv", "old")]


@pytest.mark.parametrize("name", ["missing/hours.csv", "x" * 300, "a\0b"])
def test_a_place_that_cannot_be_written_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReportRefused, match="cannot be written"):
        write_whole(str(tmp_path / name), b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_or_device_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ReportRefused, match="is no plain file"):
            write_whole(str(place), b"new")


def test_a_dash_is_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write_whole("-", "é\r\n".encode())
    assert capsysbinary.readouterr().out == "é\r\n".encode()
