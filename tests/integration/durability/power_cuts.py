"""Cuts the power, thousands of times: `python -m tests.integration.durability.power_cuts FOLDER SEED CUTS [SYNCHRONOUS]` prints one JSON object.

A kill leaves the kernel's page cache whole, so a lost sync would never show. Here the file layer records what SQLite does to the files
while a terminal opens, punches, checkpoints, closes and migrates, and when punches are announced. From that record `disk.py` makes the
states in which a power cut at any step may leave the files; each is opened as a terminal opens it, and audited against what had been announced by
then. Some states are recorded as they recover, and the power is cut again.

With `failing` in the place of SYNCHRONOUS some syncs fail while punches are made. "normal" and "off" weaken the terminal on purpose, to show
that this sees it.
"""

import collections
import contextlib
import json
import random
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import peewee

from blinkd.errors import StoreError
from blinkd.store.database import DATABASE_FILE
from tests.integration.durability.audit import Violation, audit
from tests.integration.durability.disk import LOSSES, Disk, Loss
from tests.integration.durability.file_layer import OK, FileLayer, Step
from tests.integration.durability.terminal import kept, opened
from tests.unit.store.stores import old_database

PUNCHES = 12  # in each of the two sittings of a record
ORIGINS = (None, 1, 4)  # what a record begins with: nothing, or a database of that version
SECOND_CUTS = 0.02  # of the states are recorded as they recover, and cut again so many times:
CUTS_OF_A_RECOVERY = 12
FAILING = 0.2  # of the syncs fail, where some shall
SQLITE_IOERR_FSYNC = 10 | 4 << 8  # what SQLite's own layer answers when fsync fails
GO_ON = 0.1  # of the states are punched in once more


@dataclass(frozen=True, slots=True)
class Failed:
    """A sync that did not work."""

    sync: Step


@dataclass
class Record:
    """A watcher that writes down steps and announcements.

    A sync that is not recorded does nothing, for what it is for need not last. A recorded one happens, because within it SQLite syncs the
    folder of a new log or journal.
    """

    steps: list[Step | Failed | str] = field(default_factory=list)
    on: bool = False
    failing: random.Random | None = None
    likely: float = FAILING

    @property
    def failures(self) -> int:
        """How many syncs failed."""
        return sum(isinstance(step, Failed) for step in self.steps)

    def before(self, step: Step) -> int | None:
        """Skip a sync that nobody records; fail some where they shall."""
        if step.kind == "sync" and self.on and self.failing is not None and self.failing.random() < self.likely:
            self.steps.append(Failed(step))
            return SQLITE_IOERR_FSYNC
        return OK if step.kind == "sync" and not self.on else None

    def after(self, step: Step) -> None:
        """Write it down."""
        if self.on and step.kind not in ("lock", "unlock"):
            self.steps.append(step)


class PowerCuts:
    """Records, cuts, audits, counts."""

    def __init__(self, folder: Path, seed: int, synchronous: str) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._synchronous = synchronous
        # the punch in flight; and one of which only the sync has failed is taken for committed by the next process
        self._doubtful = 2 if synchronous == "failing" else 1
        self._record = Record()
        FileLayer(folder, self._record)
        self.counts: collections.Counter[str] = collections.Counter()
        self._keys: dict[str, bytes] = {}

    def cut(self, wanted: int) -> None:
        """Raises Violation."""
        for origin in ORIGINS:
            work = self._folder / "work"
            if origin is not None:
                old_database(work / DATABASE_FILE, origin)
                copy = self._folder / "copy"
                shutil.copytree(work, copy)
                with opened(copy) as terminal:
                    before = kept(terminal).punches
                shutil.rmtree(copy)
            else:
                work.mkdir(parents=True)
                before = ()
            start = _content(work)
            steps = self._sittings(work)
            self._keep_keys(work)
            shutil.rmtree(work)
            self._cut_record(start, steps, before, wanted // len(ORIGINS))

    def _keep_keys(self, work: Path) -> None:
        """The keys are synced before the database first needs them, and what cannot be read back is none of the file layer's."""
        self._keys = {name: data for name, data in _content(work).items() if name.endswith(".key")}

    def _sittings(self, work: Path) -> list[Step | Failed | str]:
        """A terminal is started twice, and people punch; every step of it."""
        record = self._record
        record.steps, record.on = [], True
        for pages in (10, 40):
            with opened(work) as terminal:
                if self._synchronous == "failing":
                    record.failing = self._chance
                elif self._synchronous:
                    terminal.pragma(f"synchronous = {self._synchronous}")
                terminal.pragma(f"wal_autocheckpoint = {pages}")
                for number in range(PUNCHES):
                    with contextlib.suppress(StoreError):
                        record.steps.append(terminal.punch())
                    if number == PUNCHES // 2:
                        with contextlib.suppress(peewee.OperationalError):
                            terminal.pragma("wal_checkpoint(TRUNCATE)")
                if record.failing:
                    record.likely = 1.0  # nothing is synced any more, not at the close either; then the next process begins
                    with contextlib.suppress(StoreError):
                        record.steps.append(terminal.punch())
            record.failing, record.likely = None, FAILING
        record.on = False
        self.counts["failed syncs"] += record.failures
        return record.steps

    def _cut_record(self, start: dict[str, bytes], steps: list[Step | Failed | str], before: tuple[str, ...], wanted: int) -> None:
        """Cut after each step at least once, and oftener up to the number wanted."""
        disk, announced = Disk(start), list[str]()
        each = max(1, wanted // len(steps))
        for step in steps:
            if isinstance(step, str):
                announced.append(step)
            elif isinstance(step, Failed):
                disk.fail(step.sync, self._chance)
            else:
                disk.do(step)
            for loss in self._chance.sample(LOSSES, min(each, len(LOSSES))) if disk.loose else ["all"]:
                again = self._chance.random() < SECOND_CUTS
                self._one(disk, loss, announced, before, again=again)

    def _one(self, disk: Disk, loss: Loss, announced: list[str], before: tuple[str, ...], *, again: bool = False) -> None:
        state = disk.after_cut(loss, self._chance)
        place = self._folder / "cut"
        _make(place, state | self._keys)
        record = self._record
        record.steps, record.on = [], again
        try:
            audit(place, announced, self._doubtful, before, go_on=again or self._chance.random() < GO_ON)
        finally:
            record.on = False
            shutil.rmtree(place)
        self.counts["cuts"] += 1
        self.counts[f"losing {loss}"] += 1
        self.counts["things that could be lost"] += disk.loose
        if again:
            self._cut_again(state, record.steps, announced, before)

    def _cut_again(self, state: dict[str, bytes], steps: list[Step | Failed | str], announced: list[str], before: tuple[str, ...]) -> None:
        moments = {self._chance.randrange(len(steps)) for _ in range(CUTS_OF_A_RECOVERY)} if steps else set[int]()
        disk = Disk(state)
        for number, step in enumerate(steps):
            assert isinstance(step, Step)
            disk.do(step)
            if number in moments:
                place = self._folder / "again"
                _make(place, disk.after_cut(self._chance.choice(LOSSES), self._chance) | self._keys)
                audit(place, announced, self._doubtful + 1, before)  # the audit's own punch too
                shutil.rmtree(place)
                self.counts["cuts in a recovery"] += 1


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _make(folder: Path, content: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(data)


def main(folder: str, seed: str, cuts: str, synchronous: str = "") -> None:
    """Print what was done, and the violation if there was one."""
    cutter = PowerCuts(Path(folder), int(seed), synchronous)
    violation = ""
    try:
        cutter.cut(int(cuts))
    except Violation as found:
        violation = f"seed {seed}: {found}"
    json.dump({"violation": violation, "counts": dict(cutter.counts)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
