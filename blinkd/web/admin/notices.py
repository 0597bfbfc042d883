"""What a page says once: that the thing before it was done, or why not."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

MOST_SESSIONS, MOST_EACH = 64, 8

Kind = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Notice:
    """words: a sentence for people."""

    kind: Kind
    words: str


class Notices:
    """By session; in memory, for they are worth nothing a minute later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, list[Notice]] = OrderedDict()

    def say(self, session_id: str, kind: Kind, words: str) -> None:
        """On the next page of that session."""
        with self._lock:
            waiting = self._waiting.setdefault(session_id, [])
            waiting.append(Notice(kind, words))
            del waiting[:-MOST_EACH]
            self._waiting.move_to_end(session_id)
            while len(self._waiting) > MOST_SESSIONS:
                self._waiting.popitem(last=False)

    def take(self, session_id: str) -> list[Notice]:
        """What waits; it is said now."""
        with self._lock:
            return self._waiting.pop(session_id, [])
