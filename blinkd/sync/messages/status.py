"""How a terminal is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blinkd.sync.messages.common import SENDER, VERSION
from blinkd.sync.wire import Reader, dump, load


@dataclass(frozen=True, slots=True)
class Status:
    """A terminal's state. version: of its blinkd; health: short words and numbers, never a name or a time of day."""

    org: str
    terminal: str
    online: bool
    version: str
    health: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The message."""
        return dump(
            {"v": VERSION, "org": self.org, "terminal": self.terminal, "online": self.online, "version": self.version}
            | {"health": dict(self.health)}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Status":
        """Read a message."""
        read = Reader(load(data), "status", SENDER | {"online", "version", "health"})
        read.version(VERSION)
        return cls(read.name("org"), read.name("terminal"), read.flag("online"), read.words("version", 40), read.plain("health") or {})
