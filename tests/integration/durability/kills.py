"""A fork server that kills terminals: `python -m tests.integration.durability.kills FOLDER SEED KILLS [FAULT]` prints one JSON object.

Forked children have everything imported, so a life costs milliseconds. A child opens the store, punches, checkpoints, closes, and writes the
id of each announced punch to a pipe that the parent reads to its end after the kill. Some kills come from outside after a random delay,
the others hit one exact step of SQLite's work on the files. A chain of lives works on one folder, so that recovery from a kill is itself killed;
after each kill the folder, or a copy of it, is audited.

FAULT breaks the terminal on purpose, to show that the audit sees it: `announces_early` tells people before the commit, `writes_apart` writes
punch and scan log in transactions of their own.
"""

import collections
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from blinkd.store.database import DATABASE_FILE
from tests.integration.durability.audit import Violation, audit
from tests.integration.durability.executioner import Death, Executioner, Page
from tests.integration.durability.file_layer import OK, FileLayer, Step
from tests.integration.durability.terminal import Terminal, kept, opened
from tests.unit.store.stores import old_database

LIVES_OF_A_FOLDER = {"new": 6, "old": 6, "grown": 8}  # then the next begins, so that audits stay short
FIRST_LIVES = 3  # of a folder that is new or old: most are killed while they make or migrate the database
EXACT = 0.6  # of the kills hit one exact step, the others come from outside
SHORTEST_DELAY_S = 10e-6  # after the phase that is aimed at has begun; evenly by their logarithm up to about its length
LONGEST_DELAY_S = {"open": 0.01, "punches": 0.02, "checkpoint": 0.002, "close": 0.002}
AIMS = ("open", "punches", "punches", "punches", "checkpoint", "close")
ON_A_COPY = 0.6  # of the audits, so that the next child finds what the kill has left
GO_ON = 0.1  # of the audits punch once more
PATIENCE_S = 20.0  # for the phase that is aimed at
OLD_VERSIONS = (1, 2, 3, 4)  # those of the origin, with rows in their tables
GROWN = 20  # punches in a folder that is not new


class Life:
    """One child, from its fork to its death, and what its parent learns of it."""

    def __init__(self, chance: random.Random, page: Page, layer: FileLayer, fault: str, aim: str, steps: int) -> None:
        """Aim at a phase of its life, which is known to take about so many steps."""
        self._page = page
        self._layer = layer
        self._fault = fault
        self._aim = aim
        self._punches = chance.choice((1, 3, 6))
        self._autocheckpoint = chance.choice((4, 20, 1000))  # pages of the log
        self._checkpoint = chance.choice(("PASSIVE", "FULL", "RESTART", "TRUNCATE"))
        self._exact = steps > 0 and chance.random() < EXACT
        how: Any = chance.choice(("before", "middle", "after"))
        self._death = Death(chance.randrange(steps) if self._exact else -1, aim, how, chance.random())
        self._delay_s = SHORTEST_DELAY_S * (LONGEST_DELAY_S[aim] / SHORTEST_DELAY_S) ** chance.random()

    def run(self, folder: Path) -> tuple[list[str], bool]:
        """Live and die in the folder; returns the announced punches, and whether it was killed (or came to its own end)."""
        self._page.clear()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            self._live(folder, writing)
        os.close(writing)
        if not self._exact:
            until = time.monotonic() + PATIENCE_S
            while self._page.is_before(self._aim) and time.monotonic() < until:
                time.sleep(5 * SHORTEST_DELAY_S)
            time.sleep(self._delay_s)
            os.kill(child, signal.SIGKILL)
        with open(reading, encoding="ascii") as pipe:  # noqa: PTH123  a descriptor
            lines = pipe.read().splitlines()
        _, status = os.waitpid(child, 0)
        if status not in (0, signal.SIGKILL):
            raise Violation(f"the terminal failed by itself (status {status}); its traceback is above")
        return lines, status == signal.SIGKILL

    def _live(self, folder: Path, pipe: int) -> None:
        code = 1
        try:
            self._layer.watcher = Executioner(self._page, self._death)
            self._page.phase("open")
            with opened(folder) as terminal:
                terminal.pragma(f"wal_autocheckpoint = {self._autocheckpoint}")
                punch = _broken(self._fault, terminal)
                self._page.phase("punches")
                for _ in range(self._punches):
                    punch(lambda text: os.write(pipe, f"{text}\n".encode()))
                self._page.phase("checkpoint")
                terminal.pragma(f"wal_checkpoint({self._checkpoint})")
                self._page.phase("close")
            self._page.phase("end")
            code = 0
        finally:
            if code:
                sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            os._exit(code)


class Unsynced:
    """A watcher for the parent: what it does itself need not reach the disk, and so is faster."""

    def before(self, step: Step) -> int | None:
        """A sync does nothing."""
        return OK if step.kind == "sync" else None

    def after(self, step: Step) -> None:
        """Nothing."""


class Apart:
    """A book whose writes are in no common transaction."""

    def __init__(self, book: Any) -> None:
        self._book = book

    def transaction(self) -> AbstractContextManager[object]:
        """None at all."""
        return contextlib.nullcontext()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)


def _broken(fault: str, terminal: Terminal) -> Callable[[Callable[[str], object]], None]:
    """How this terminal punches, and tells of it."""

    def sound(tell: Callable[[str], object]) -> None:
        tell(terminal.punch())

    def announces_early(tell: Callable[[str], object]) -> None:
        with terminal.store.transaction():
            tell(terminal.punch())

    def writes_apart(tell: Callable[[str], object]) -> None:
        terminal.clerk._book = Apart(terminal.store.book)
        tell(terminal.punch())

    return {"": sound, "announces_early": announces_early, "writes_apart": writes_apart}[fault]


class Killer:
    """Kills until there were enough, and counts what was hit."""

    def __init__(self, folder: Path, seed: int, fault: str) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._fault = fault
        self._page = Page()
        self._layer = FileLayer(folder, Unsynced())  # before the first child is forked, which finds it in place
        self._steps: dict[tuple[str, bool, str], int] = {}  # that lives of that kind, first ones or later, took in a phase
        self.hit: collections.Counter[str] = collections.Counter()

    def kill(self, wanted: int) -> None:
        """Raises Violation."""
        folders: Iterator[tuple[str, Path, tuple[str, ...]]] = self._folders()
        while self.hit["kills"] < wanted:
            kind, folder, before = next(folders)
            self._chain(kind, folder, before)
            shutil.rmtree(folder, ignore_errors=True)

    def _folders(self) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
        """New and old ones in turn: what kind, where, and the punches that are in it already."""
        number, templates = 0, self._folder / "templates"
        grown = templates / "grown"
        with opened(grown) as terminal:
            for _ in range(GROWN):
                terminal.punch()
        for version in OLD_VERSIONS:
            old_database(templates / f"v{version}" / DATABASE_FILE, version)
        origin = {}
        for version in OLD_VERSIONS:
            with _copy(templates / f"v{version}", self._folder / "look") as copy, opened(copy) as terminal:
                origin[version] = kept(terminal).punches
        while True:
            number += 1
            folder = self._folder / str(number)
            kind = self._chance.choice(("new", "old", "grown"))
            if kind == "new":
                yield kind, folder, ()
            elif kind == "grown":
                shutil.copytree(grown, folder)
                yield kind, folder, ()
            else:
                version = self._chance.choice(OLD_VERSIONS)
                shutil.copytree(templates / f"v{version}", folder)
                yield kind, folder, origin[version]

    def _chain(self, kind: str, folder: Path, before: tuple[str, ...]) -> None:
        announced: list[str] = []
        if kind == "grown":
            announced = list(audit(folder, [], GROWN).punches)
        doubtful = 0
        for number in range(LIVES_OF_A_FOLDER[kind]):
            aim = self._chance.choice(AIMS)
            if kind != "grown" and number < FIRST_LIVES and self._chance.random() < 0.7:
                aim = "open"
            of_its_kind = (kind, number == 0, aim)
            life = Life(self._chance, self._page, self._layer, self._fault, aim, self._steps.get(of_its_kind, 0))
            told, killed = life.run(folder)
            self._steps[of_its_kind] = max(self._steps.get(of_its_kind, 0), self._page.steps(aim))
            announced += told
            self.hit["lives"] += 1
            self.hit["announced"] += len(told)
            if not killed:
                continue
            doubtful += 1
            self._count(kind)
            go_on = self._chance.random() < GO_ON
            if self._chance.random() < ON_A_COPY and folder.exists():
                with _copy(folder, self._folder / "copy") as copy:
                    audit(copy, announced, doubtful, before, go_on=go_on)
            else:
                # what is found now is on the disk and known, so it must stay from here on
                announced = list(audit(folder, announced, doubtful, before, go_on=go_on).punches[len(before) :])
                doubtful = 0
            self.hit["audits"] += 1

    def _count(self, kind: str) -> None:
        place = self._page.place()
        self.hit["kills"] += 1
        self.hit[f"in {place.phase}"] += 1
        for lock in place.locks:
            self.hit[f"holding the {lock} lock"] += 1
        if place.phase == "open" and kind == "old" and "write" in place.locks:
            self.hit["migrating"] += 1
        if place.step != "none":
            self.hit[f"at {place.step} of {place.file}"] += 1
        self.hit["torn writes"] += place.torn


@contextlib.contextmanager
def _copy(folder: Path, place: Path) -> Iterator[Path]:
    shutil.copytree(folder, place)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def main(folder: str, seed: str, kills: str, fault: str = "") -> None:
    """Print what was hit, and the violation if there was one."""
    killer = Killer(Path(folder), int(seed), fault)
    violation = ""
    try:
        killer.kill(int(kills))
    except Violation as found:
        violation = f"seed {seed}: {found}"
    json.dump({"violation": violation, "hit": dict(killer.hit)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
