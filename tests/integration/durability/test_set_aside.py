"""A crash while a damaged database is set aside: what it held, its log above all, must survive that too."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blinkd.store.database import DATABASE_FILE
from tests.integration.durability.terminal import opened

LOG = f"{DATABASE_FILE}-wal"
NAMING = ("rename", "replace", "link", "unlink", "remove")  # what sets aside can only do it by these


class Killed(BaseException):
    """Ends the work at once, as kill -9 does; nothing in the store catches it."""


def _damaged(folder: Path) -> tuple[bytes, bytes]:
    """A database damaged in most pages, with punches that are in its log only; returns both files' content."""
    source = folder.with_name("source")
    with opened(source) as terminal:
        terminal.punch()
        terminal.pragma("wal_checkpoint(TRUNCATE)")
        terminal.punch()
        shutil.copytree(source, folder)
    size = (folder / DATABASE_FILE).stat().st_size
    with (folder / DATABASE_FILE).open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\xa5" * (size // 3))
    return (folder / DATABASE_FILE).read_bytes(), (folder / LOG).read_bytes()


def _die_at(number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let so many changes of names happen and die instead of the next; returns those that happened."""
    done: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any, **options: Any) -> Any:
            if len(done) == number:
                raise Killed
            done.append(name)
            return real(*arguments, **options)

        return change

    for name in NAMING:
        monkeypatch.setattr(os, name, counted(name, getattr(os, name)))
    return done


def test_a_crash_at_any_moment_of_setting_aside_keeps_database_and_log_together(tmp_path: Path) -> None:
    for number in range(20):
        folder = tmp_path / str(number) / "state"
        database, log = _damaged(folder)
        with pytest.MonkeyPatch.context() as monkeypatch:
            _die_at(number, monkeypatch)
            try:
                with opened(folder):
                    whole = True
            except Killed:
                whole = False
        with opened(folder) as terminal:
            terminal.punch()
        pairs = [
            (aside.read_bytes(), aside.with_name(f"{aside.name}-wal").read_bytes())
            for aside in folder.glob(f"{DATABASE_FILE}.corrupt-*Z*")
            if aside.with_name(f"{aside.name}-wal").exists()
        ]
        assert (database, log) in pairs, f"killed before change {number} of names: {sorted(path.name for path in folder.iterdir())}"
        if whole:
            break
    assert whole
    assert number >= 2  # or nothing was interrupted
