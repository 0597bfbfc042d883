"""A disk that loses its power: from a log of what was done to the files, the states in which a power cut may leave them.

The model, which is POSIX's and harsher than any file system in use: what a sync of a file has returned for is there. Of what came later, each
sector of 512 bytes may be there or not, in any order; a write may be torn within a sector (SQLite counts on no more than that bytes beside
a write stay as they are, its "powersafe overwrite"); a file may have grown without its content, which then reads as zeros or as whatever lay on
the disk; a truncation may have been lost. Names (files made and deleted) are there once their folder was synced, and until then each on
its own may be there or not.

A sync that fails is as on Linux: what was waiting for it may have reached the disk or not, and no later sync brings it there.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.integration.durability.file_layer import Step

SECTOR = 512  # bytes that a disk writes as a whole

Loss = Literal["all", "nothing", "order", "torn", "some"]
LOSSES: tuple[Loss, ...] = ("all", "nothing", "order", "torn", "some")
"""What a cut does to the things not synced: loses all; keeps all; keeps the first of them; the same, and the next one half; any of them."""


@dataclass(slots=True, eq=False)
class Inode:
    """A file without its name."""

    synced: bytes = b""
    pending: list[Step] = field(default_factory=list)

    def settle(self) -> None:
        """All of it is on the disk."""
        content = bytearray(self.synced)
        for step in self.pending:
            _apply(content, step)
        self.synced = bytes(content)
        self.pending = []

    def fail(self, chance: random.Random) -> None:
        """The sync failed."""
        self.synced = self._some(chance)
        self.pending = []

    def after_cut(self, loss: Loss, chance: random.Random) -> bytes:
        """What may be found."""
        pending, content = self.pending, bytearray(self.synced)
        if loss == "all":
            pending = []
        elif loss in ("order", "torn"):
            kept = chance.randrange(len(pending) + 1)
            torn = pending[kept : kept + 1] if loss == "torn" else []
            pending = pending[:kept]
            for step in torn:
                if step.kind == "write":
                    part = step.data[: chance.randrange(len(step.data) + 1)]
                    pending = [*pending, Step("write", step.path, step.offset, part)]
        elif loss == "some":
            return self._some(chance)
        for step in pending:
            _apply(content, step)
        return bytes(content)

    def _some(self, chance: random.Random) -> bytes:
        content = bytearray(self.synced)
        likely = chance.choice((0.1, 0.5, 0.9))
        lost_fill = chance.choice((b"\0", b"\xa5"))
        longest = len(content)
        for step in self.pending:
            if step.kind == "truncate":
                if chance.random() < likely:
                    _apply(content, step)
                continue
            end = step.offset + len(step.data)
            longest = max(longest, end)
            start = step.offset
            while start < end:
                stop = min(end, start - start % SECTOR + SECTOR)
                if chance.random() < likely:
                    _apply(content, Step("write", step.path, start, step.data[start - step.offset : stop - step.offset]), lost_fill)
                start = stop
        if longest > len(content) and chance.random() < 0.5:  # its length was written, its content was not
            content += lost_fill * (longest - len(content))
        return bytes(content)


class Disk:
    """One folder as its files go through steps."""

    def __init__(self, content: dict[str, bytes]) -> None:
        """Begin with these files, all of them safe."""
        self._safe_names = {name: Inode(data) for name, data in content.items()}
        self._names = dict(self._safe_names)
        self._renaming: list[tuple[str, Inode | None]] = []  # names that were given or taken away since the folder was synced

    def fail(self, step: Step, chance: random.Random) -> None:
        """Take over a sync that failed."""
        self._inode(Path(step.path).name).fail(chance)

    def do(self, step: Step) -> None:
        """Take over one step."""
        name = Path(step.path).name
        match step.kind:
            case "create":
                self._name(name, Inode())
            case "delete":
                self._name(name, None)
            case "write" | "truncate":
                self._inode(name).pending.append(step)
            case "sync":
                self._inode(name).settle()
            case "sync_folder":
                self._safe_names = dict(self._names)
                self._renaming = []

    def _name(self, name: str, inode: Inode | None) -> None:
        self._renaming.append((name, inode))
        if inode is None:
            self._names.pop(name, None)
        else:
            self._names[name] = inode

    def _inode(self, name: str) -> Inode:
        if name not in self._names:  # made by Python before SQLite opened it
            self._name(name, Inode())
        return self._names[name]

    @property
    def loose(self) -> int:
        """How many things a power cut could lose now."""
        return len(self._renaming) + sum(len(inode.pending) for inode in {id(i): i for i in self._all()}.values())

    def _all(self) -> Iterator[Inode]:
        yield from self._safe_names.values()
        yield from self._names.values()

    def after_cut(self, loss: Loss, chance: random.Random) -> dict[str, bytes]:
        """The files that may be found, by name."""
        names = dict(self._safe_names)
        for name, inode in self._renaming:
            if loss == "nothing" or (loss != "all" and chance.random() < 0.5):
                if inode is None:
                    names.pop(name, None)
                else:
                    names[name] = inode
        return {name: inode.after_cut(loss, chance) for name, inode in names.items()}


def _apply(content: bytearray, step: Step, fill: bytes = b"\0") -> None:
    if step.kind == "truncate":
        del content[step.offset :]
        content += fill * (step.offset - len(content))
        return
    if step.data:
        content += fill * (step.offset - len(content))
        content[step.offset : step.offset + len(step.data)] = step.data
