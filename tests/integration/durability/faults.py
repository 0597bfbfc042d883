"""Makes every single call to the disk fail: `python -m tests.integration.durability.faults FOLDER FAULT…` prints one JSON object.

For each stage of a terminal's work the fault is put at the first call of its kind, then at the second, and so on until the stage makes no
more calls. What was announced must be there, what failed must not be (or, where only the sync failed, may be after a crash), the error
must be a StoreError in words, and once the fault is gone the same process must go on.
"""

import collections
import contextlib
import errno
import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blinkd.errors import StoreError
from blinkd.store.database import DATABASE_FILE
from tests.integration.durability.audit import Violation, audit, check
from tests.integration.durability.file_layer import OK, Call, Failure, FileLayer, Step
from tests.integration.durability.terminal import Terminal, kept, opened
from tests.unit.store.stores import old_database

SQLITE_IOERR_FSYNC = 10 | 4 << 8  # what SQLite's own layer answers when fsync fails
PAGE = 4096  # bytes of a page of the database, SQLite's default
EVERY_CALL = 12  # of opening and migrating is tried; of the calls beyond one of so many:
STRIDE = 13
EARLY = "early "  # before a fault's name: the terminal is broken on purpose and announces before it commits; this must be found
GROWN = 6  # punches in the folder that stages begin with


@dataclass(frozen=True, slots=True)
class Fault:
    """calls: those that fail; lasts: from the first failing one on, or only that one; short: half of a write is done first.

    place: it is not the calls that are counted, but the pages of the database; one of them cannot be read, however often.
    """

    calls: tuple[str, ...]
    errno: int
    lasts: bool
    short: bool = False
    place: bool = False


FAULTS = {
    "full": Fault(("write",), errno.ENOSPC, lasts=True),
    "full once": Fault(("write",), errno.ENOSPC, lasts=False),
    "short write": Fault(("write",), errno.ENOSPC, lasts=True, short=True),
    "write error": Fault(("write",), errno.EIO, lasts=True),
    "write error once": Fault(("write",), errno.EIO, lasts=False),
    "sync error": Fault(("sync",), errno.EIO, lasts=True),
    "sync error once": Fault(("sync",), errno.EIO, lasts=False),
    "read error": Fault(("read",), errno.EIO, lasts=True),
    "read error once": Fault(("read",), errno.EIO, lasts=False),
    "bad sector": Fault(("read",), errno.EIO, lasts=True, place=True),
    "read-only": Fault(("write", "truncate", "unlink", "open"), errno.EROFS, lasts=True),
}
PUNCHING = {"first punch": 1000, "later punch": 1000, "checkpoint": 1}  # stages, with the pages of the log that make a checkpoint
OPENING = ("new folder", "migration", "sound folder", "folder of a crash")


class Injector:
    """Watcher and system calls in one: counts the calls of a fault while it is armed, and fails them from a number on."""

    def __init__(self) -> None:
        self._fault: Fault | None = None
        self._at = self._count = 0
        self._pread = os.pread
        self.failed = 0

    def arm(self, fault: Fault, at: int) -> None:
        """Fail the call with that number, counted from now."""
        self._fault, self._at, self._count, self.failed = fault, at, 0, 0

    def disarm(self) -> int:
        """The disk is well again; returns how many calls failed."""
        self._fault = None
        return self.failed

    def _fails(self, name: str) -> Fault | None:
        fault = self._fault
        if fault is None or name not in fault.calls:
            return None
        if fault.place:
            return None
        number, self._count = self._count, self._count + 1
        if number < self._at or (number > self._at and not fault.lasts):
            return None
        self.failed += 1
        return fault

    def _unreadable(self, call: Call) -> bool:
        """Whether a read meets the bad sector; it lies at the end of a page."""
        if self._fault is None or not self._fault.place or not call.path.endswith(DATABASE_FILE):
            return False
        sector = (self._at + 1) * PAGE - 1
        bad = call.offset <= sector < call.offset + call.count
        self.failed += bad
        return bad

    def pread(self, descriptor: int, count: int, offset: int) -> bytes:
        """What Python reads itself meets it too."""
        if self._unreadable(Call("read", descriptor, count, offset)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._pread(descriptor, count, offset)

    def before(self, step: Step) -> int | None:
        """A sync does nothing, for no power is lost here, or fails."""
        if step.kind != "sync":
            return None
        return SQLITE_IOERR_FSYNC if self._fails("sync") else OK

    def after(self, step: Step) -> None:
        """Nothing."""

    def call(self, call: Call) -> Failure | None:
        """Whether a system call fails."""
        if call.name == "open" and not call.flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return None  # for reading only, which a read-only file system allows
        if call.name == "read" and self._unreadable(call):
            return Failure(errno.EIO)
        if (fault := self._fails(call.name)) is None:
            return None
        return Failure(fault.errno, call.count // 2 if fault.short and self.failed == 1 else 0)


class Trial:
    """All stages under one fault."""

    def __init__(self, folder: Path, injector: Injector, name: str) -> None:
        self._folder = folder
        self._injector = injector
        self._name = name
        self._fault = FAULTS[name.removeprefix(EARLY)]
        self.counts: collections.Counter[str] = collections.Counter()
        self.words: collections.Counter[str] = collections.Counter()

    @property
    def _doubtful(self) -> int:
        """Punches of which only the sync failed may be there after a crash; and those whose last page was half written over an older form of
        itself that ends alike, so that it is whole all the same.
        """  # fmt: skip
        return 1 if "sync" in self._fault.calls or self._fault.short else 0

    def run(self) -> None:
        """Raises Violation."""
        self._prepare()
        for stage in (*PUNCHING, *OPENING, "closing"):
            for at in self._numbers(stage):
                self._work = self._folder / "work"
                shutil.copytree(self._folder / self._template(stage), self._work)
                try:
                    if stage in PUNCHING:
                        failed = self._punch(stage, at)
                    elif stage in OPENING:
                        failed = self._open(stage, at)
                    else:
                        failed = self._close(at)
                except Violation as found:
                    raise Violation(f"{self._name} at call {at} of stage {stage}: {found}") from found
                shutil.rmtree(self._work)
                self.counts[stage] += failed > 0
                if not failed and not self._fault.place:
                    break  # the stage makes no more calls of the kind

    def _numbers(self, stage: str) -> Iterator[int]:
        if self._fault.place:
            database = self._folder / self._template(stage) / DATABASE_FILE
            yield from range(database.stat().st_size // PAGE if database.exists() else 1)
            return
        if stage not in OPENING:
            yield from itertools.count()
        yield from range(EVERY_CALL)
        yield from itertools.count(EVERY_CALL, STRIDE)

    def _template(self, stage: str) -> str:
        return {"new folder": "empty", "migration": "old", "folder of a crash": "crashed"}.get(stage, "grown")

    def _prepare(self) -> None:
        (self._folder / "empty").mkdir(parents=True)
        old_database(self._folder / "old" / DATABASE_FILE, 4)
        shutil.copytree(self._folder / "old", self._folder / "look")
        with opened(self._folder / "look") as terminal:
            self._origin = kept(terminal).punches
        with opened(self._folder / "grown") as terminal:
            self._grown = [terminal.punch() for _ in range(GROWN)]
        with opened(self._folder / "source") as terminal:
            terminal.pragma("wal_autocheckpoint = 20")  # so that a part is in the database, and a part in the log only
            self._crashed = [terminal.punch() for _ in range(GROWN)]
            shutil.copytree(self._folder / "source", self._folder / "crashed")

    def _before(self, stage: str) -> tuple[list[str], tuple[str, ...]]:
        """What was announced before a stage, and what was there even earlier."""
        known: dict[str, list[str]] = {"old": [], "empty": [], "crashed": self._crashed, "grown": self._grown}
        template = self._template(stage)
        return list(known[template]), self._origin if template == "old" else ()

    def _punch(self, stage: str, at: int) -> int:
        announced, _ = self._before(stage)
        doubtful = 0
        with opened(self._work) as terminal:
            terminal.pragma(f"wal_autocheckpoint = {PUNCHING[stage]}")
            if stage != "first punch":
                announced.append(terminal.punch())
            self._injector.arm(self._fault, at)
            try:
                self._attend(terminal, announced)
            except StoreError as error:
                self._note(error)
                doubtful = self._doubtful
            failed = self._injector.disarm()
            self._audit_copy(announced, doubtful)
            check(kept(terminal), announced, 0)
            announced.append(terminal.punch())  # the same process goes on
            check(kept(terminal), announced, 0)
        audit(self._work, announced, 0, go_on=True)
        return failed

    def _attend(self, terminal: Terminal, announced: list[str]) -> None:
        with terminal.store.transaction() if self._name.startswith(EARLY) else contextlib.nullcontext():
            announced.append(terminal.punch())

    def _open(self, stage: str, at: int) -> int:
        announced, before = self._before(stage)
        self._injector.arm(self._fault, at)
        doubtful = self._doubtful
        try:
            with opened(self._work) as terminal:
                announced.append(terminal.punch())
        except StoreError as error:
            self._note(error)
        failed = self._injector.disarm()
        self._audit_copy(announced, doubtful, before)
        audit(self._work, announced, doubtful, before, go_on=True)
        return failed

    def _close(self, at: int) -> int:
        announced, _ = self._before("closing")
        with opened(self._work) as terminal:
            announced.append(terminal.punch())
            self._injector.arm(self._fault, at)
        failed = self._injector.disarm()
        self._audit_copy(announced, 0)
        audit(self._work, announced, 0, go_on=True)
        return failed

    def _audit_copy(self, announced: list[str], doubtful: int, before: tuple[str, ...] = ()) -> None:
        """As if the process had died now."""
        copy = self._folder / "copy"
        shutil.copytree(self._work, copy)
        audit(copy, announced, doubtful, before)
        shutil.rmtree(copy)

    def _note(self, error: StoreError) -> None:
        if not str(error).startswith(str(self._work)):
            raise Violation(f"an error that does not say where: {error}")
        self.words[re.sub(r"\d+", "N", str(error).replace(str(self._work), "FOLDER"))] += 1


def main(folder: str, *names: str) -> None:
    """For each fault print what was tried, in which words it was reported, and the violation if there was one."""
    injector, found = Injector(), {}
    FileLayer(Path(folder), injector, injector.call)
    os.pread = injector.pread
    for name in names:
        trial = Trial(Path(folder) / name, injector, name)
        violation = ""
        try:
            trial.run()
        except Violation as broken:
            violation = str(broken)
        found[name] = {"violation": violation, "counts": dict(trial.counts), "words": dict(trial.words)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
