"""One thing looked at."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and the remedy (empty when all is well)."""

    name: str
    status: Status
    detail: str
    fix: str = ""
