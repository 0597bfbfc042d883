"""Clocks for the tests of this folder."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from blinkd.clock import Confidence, Instant

NINE_IN_MADRID = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass
class SetClock:
    """A clock whose hands the test moves, each on its own."""

    utc: datetime = NINE_IN_MADRID
    boot_s: float = 1000.0
    boot_id: str = "boot-1"
    confidence: Confidence = "synced"

    def now(self) -> Instant:
        return Instant(self.utc, self.boot_s, self.boot_id, self.confidence)

    def monotonic(self) -> float:
        return self.boot_s

    def wait(self, **time: float) -> None:
        self.utc += timedelta(**time)
        self.boot_s += timedelta(**time).total_seconds()

    def reboot(self, boot_id: str = "boot-2") -> None:
        self.boot_id, self.boot_s = boot_id, 20.0
