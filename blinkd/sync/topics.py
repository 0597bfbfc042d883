"""The MQTT topics: made from organisation and terminal, and taken apart again."""

import re
from dataclasses import dataclass

PREFIX = "blink/v1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # of organisations and terminals: no slash, no wildcard, no dollar sign
ATTENDANCE, PEOPLE, PULL, STATUS = "attendance", "people", "pull", "status"  # from the terminal
RECEIPT, PAGE = "receipt", "page"  # to the terminal
HEAD = "head"  # to all of the organisation
FROM_TERMINALS = frozenset({ATTENDANCE, PEOPLE, PULL, STATUS})
SUFFIXES = FROM_TERMINALS | {RECEIPT, PAGE}


@dataclass(frozen=True, slots=True)
class Topic:
    """One terminal's topic. suffix: one of SUFFIXES."""

    org: str
    terminal: str
    suffix: str

    def __str__(self) -> str:
        """As MQTT has it."""
        return f"{PREFIX}/{self.org}/{self.terminal}/{self.suffix}"

    @classmethod
    def of(cls, text: str) -> "Topic | None":
        """Take a topic apart; None for any other."""
        parts = text.split("/")
        if len(parts) != 5 or "/".join(parts[:2]) != PREFIX or parts[4] not in SUFFIXES or not is_name(parts[2]) or not is_name(parts[3]):
            return None
        return cls(*parts[2:])


def head_topic(org: str) -> str:
    """Where the registry's newest version is announced."""
    return f"{PREFIX}/{org}/{HEAD}"


def is_name(text: str) -> bool:
    """Whether it can be an organisation's or a terminal's id."""
    return NAME.fullmatch(text) is not None
