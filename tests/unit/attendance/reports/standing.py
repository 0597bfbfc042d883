"""Punches as the store gives them to reports, made of plain rows."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from blinkd.clock import microseconds


@dataclass(frozen=True)
class Doubtful:
    seq: int
    subject: int = 1
    recorded: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    after: datetime | None = None
    before: datetime | None = None
    counted: bool = True


class Punches:
    """As the store gives them."""

    def __init__(
        self, rows: list[tuple[int, int, datetime, bool]], uncertain: tuple[Doubtful, ...] = (), disowned: tuple[int, ...] = ()
    ) -> None:
        self.seq = np.array([row[0] for row in rows], np.int64)
        self.subject = np.array([row[1] for row in rows], np.int64)
        self.us = np.array([microseconds(row[2]) for row in rows], np.int64)
        self.entering = np.array([row[3] for row in rows], np.bool_)
        self.uncertain = uncertain
        self.disowned = disowned
        self.corrected: tuple[int, ...] = ()
        self.amended: tuple[int, ...] = ()
