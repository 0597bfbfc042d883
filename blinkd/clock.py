"""The only place that asks the time: wall time with its confidence, boot time, boot id."""

import ctypes
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

Confidence = Literal["synced", "unsynced", "replay"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BUILT = datetime(2026, 1, 1, tzinfo=UTC)  # no honest clock shows less: this program did not exist before
BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC_MARK = Path("/run/systemd/timesync/synchronized")
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES = 256  # struct timex has 208 bytes on 64-bit Linux; zeroed, so that the call only reads


@dataclass(frozen=True, slots=True)
class Instant:
    """utc: aware datetime; boot_s: seconds since boot, suspend included; boot_id: of the kernel; confidence: can `utc` be trusted."""

    utc: datetime
    boot_s: float
    boot_id: str
    confidence: Confidence


class Clock(Protocol):
    """What the parts know of time."""

    def now(self) -> Instant:
        """The present."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""


class SystemClock:
    """The machine's clocks. A wrong clock is never refused, only said: a Pi without a battery boots in the past."""

    def __init__(
        self,
        wall: Callable[[], datetime] | None = None,
        disciplined: Callable[[], bool] | None = None,
        boot_id_file: Path = BOOT_ID_FILE,
        *,
        trust_hardware: bool = False,
    ) -> None:
        """Ask the machine, or what a test puts in its place: the wall time (aware), whether something keeps it right, the boot's id.

        trust_hardware: the operator says that the clock is kept right without a time server.
        """
        self._wall = wall or (lambda: datetime.now(UTC))
        self._disciplined: Callable[[], bool] = (lambda: True) if trust_hardware else disciplined or _disciplined
        try:
            self._boot_id = boot_id_file.read_text(encoding="ascii").strip()
        except OSError:
            # one that no other process has, so that boot times of two boots are never compared
            self._boot_id = f"unknown-{uuid.uuid4()}"

    def now(self) -> Instant:
        """The present."""
        utc = self._wall().astimezone(UTC)
        trusted = utc >= BUILT and self._disciplined()
        return Instant(utc, time.clock_gettime(time.CLOCK_BOOTTIME), self._boot_id, "synced" if trusted else "unsynced")

    def monotonic(self) -> float:
        """Seconds of CLOCK_MONOTONIC."""
        return time.monotonic()


class ReplayClock:
    """Time of a recording: its start and the position in it. The same recording always takes place at the same time."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self.elapsed = 0.0

    def advance_to(self, t: float) -> None:
        """Set the position, in seconds from the start; it never goes back."""
        self.elapsed = max(self.elapsed, t)

    def now(self) -> Instant:
        """Start plus position."""
        return Instant(self._start + timedelta(seconds=self.elapsed), self.elapsed, f"replay-{self._start.isoformat()}", "replay")

    def monotonic(self) -> float:
        """The position."""
        return self.elapsed


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time; before 1970 they are negative."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(us: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)


def _disciplined() -> bool:
    return TIMESYNC_MARK.exists() or _kernel_synchronised()


def _kernel_synchronised() -> bool:
    """What adjtimex(2) says; any NTP client that disciplines the clock sets it."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    return 0 <= int(state) < TIME_ERROR
