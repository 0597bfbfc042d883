"""Inside the process that will be killed: notes where it is, in memory that outlives it, and may end it at one exact step."""

import mmap
import os
import signal
import time
from dataclasses import dataclass
from typing import Literal, NoReturn

from tests.integration.durability.file_layer import LOG_LOCKS, Step

PHASES = ("start", "open", "punches", "checkpoint", "close", "end")
STEPS = ("none", "create", "delete", "write", "truncate", "sync", "sync_folder", "lock", "unlock")
PHASE, LOCKS, STEP, FILE, TORN = range(5)  # where on the page
COUNTS = 16  # from here on, two bytes for each phase: how many steps were taken in it
FILES = ("none", "database", "log", "journal")


@dataclass(frozen=True, slots=True)
class Death:
    """step: number of the step, counted in a phase, at which the process kills itself; -1 for never. how: before it, after it, or with a
    write half done.
    """

    step: int
    phase: str
    how: Literal["before", "middle", "after"] = "before"
    part: float = 0.5  # how much of the write is done


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process was when it died; locks: those of the log that it held for writing, checkpointing or recovering."""

    phase: str
    locks: frozenset[str]
    step: str
    file: str
    torn: bool


class Page:
    """A page shared with the parent, which reads it when the child is dead."""

    def __init__(self) -> None:
        self.bytes = mmap.mmap(-1, mmap.PAGESIZE)

    def clear(self) -> None:
        """For the next child."""
        self.bytes[: COUNTS + 2 * len(PHASES)] = bytes(COUNTS + 2 * len(PHASES))

    def phase(self, name: str) -> None:
        """The child does something else now."""
        self.bytes[PHASE] = PHASES.index(name)

    def is_before(self, phase: str) -> bool:
        """Whether the child has not come to that phase yet."""
        return self.bytes[PHASE] < PHASES.index(phase)

    def steps(self, phase: str) -> int:
        """How many steps were taken in that phase."""
        at = COUNTS + 2 * PHASES.index(phase)
        return int.from_bytes(self.bytes[at : at + 2], "little")

    def place(self) -> Place:
        """What the page says."""
        held = frozenset(name for number, name in enumerate(LOG_LOCKS) if self.bytes[LOCKS] >> number & 1)
        return Place(PHASES[self.bytes[PHASE]], held, STEPS[self.bytes[STEP]], FILES[self.bytes[FILE]], bool(self.bytes[TORN]))


class Executioner:
    """A watcher of the file layer."""

    def __init__(self, page: Page, death: Death) -> None:
        self._page = page.bytes
        self._death = death
        self._phase = PHASES.index(death.phase)
        self._count = 0

    def before(self, step: Step) -> None:
        """Note the step; die before or in the middle of it if it is the one."""
        page = self._page
        page[STEP] = STEPS.index(step.kind)
        page[FILE] = _file(step.path)
        if step.kind == "unlock":
            page[LOCKS] &= ~(1 << LOG_LOCKS.index(step.lock))
        if page[PHASE] == self._phase and self._count == self._death.step:
            if self._death.how == "middle" and step.kind == "write":
                _write_part(step, self._death.part)
                page[TORN] = 1
                die()
            if self._death.how == "before":
                die()

    def after(self, step: Step) -> None:
        """Note that it is done; die after it if it is the one."""
        page = self._page
        if step.kind == "lock":
            page[LOCKS] |= 1 << LOG_LOCKS.index(step.lock)
        if page[PHASE] == self._phase:
            if self._count == self._death.step:
                die()
            self._count += 1
            at = COUNTS + 2 * self._phase
            page[at : at + 2] = self._count.to_bytes(2, "little")
        page[STEP] = 0


def die() -> NoReturn:
    """As kill -9 from outside, at this very instruction."""
    os.kill(os.getpid(), signal.SIGKILL)
    while True:  # the signal comes before the call returns; this is for the type checker
        time.sleep(1)


def _file(path: str) -> int:
    if path.endswith("-wal"):
        return FILES.index("log")
    return FILES.index("journal" if path.endswith("-journal") else "database")


def _write_part(step: Step, part: float) -> None:
    descriptor = os.open(step.path, os.O_WRONLY)
    os.pwrite(descriptor, step.data[: int(len(step.data) * part)], step.offset)
