"""What the camera loop notices of a terminal that brings away a long queue beside it."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from blinkd.capture.frame import Frame
from blinkd.errors import ServerFailed
from blinkd.measure.bench import Timing
from blinkd.measure.servers.server import Server
from blinkd.measure.traffic.books import punch
from blinkd.measure.traffic.site import Site
from blinkd.parts import REPLAY_SEED, Parts
from blinkd.session.terminal import Terminal
from blinkd.settings import Settings
from blinkd.store.database import Store

EVERYTHING = -1  # the number before the first entry
SETTLED_S = 0.3  # after which what was on its way has arrived
BEGUN_S = 60.0  # within which a queue must begin to empty when its relay works again
LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Camera:
    """quiet, draining: milliseconds of the main line for one frame; frames: in each of the two; waiting: entries that still waited when the
    draining ended; rss_mb: the most memory that the sync process had.
    """  # fmt: skip

    quiet: Timing
    draining: Timing
    frames: int
    waiting: int
    rss_mb: float

    @property
    def growth(self) -> float:
        """Of the 95th percentile, as a share."""
        return self.draining.p95 / self.quiet.p95 - 1

    def as_json(self) -> dict[str, Any]:
        """The figures, rounded."""
        return {
            "frames": self.frames,
            "quiet_ms": self.quiet.as_json(),
            "draining_ms": self.draining.as_json(),
            "growth": round(self.growth, 4),
            "waiting_at_end": self.waiting,
            "rss_mb": self.rss_mb,
        }


class SyncOfDoor(Server):
    """`blinkd sync run` as the daemon starts it, for one terminal."""

    def __init__(self, name: str, environment: dict[str, str], folder: Path) -> None:
        """name: of the terminal."""
        super().__init__(name, "connected to", environment, None, folder)

    def command(self) -> Sequence[str | Path]:
        """What to run."""
        return [sys.executable, "-m", "blinkd", "sync", "run"]


def measure_camera(site: Site, settings: Settings, frames: Sequence[Frame], store: Store, punches: int, rounds: int) -> Camera:
    """Show a recording to the main line again and again, in turn while the sync process works on a queue of so many punches and while its
    relay is frozen, so that it waits.

    store: the terminal's, with somebody of the recording enrolled; its book is written by both, as at a door. Raises ServerFailed when
    the queue is too short.
    """
    parts = Parts(settings)
    punch(parts, store, punches)
    show = _shown(parts.terminal(store, store, parts.clock, seed=REPLAY_SEED), frames)
    next(show)  # what is slow the first time
    quiet, draining, waiting, rss_mb = list[float](), list[float](), punches, 0.0
    sync = SyncOfDoor(settings.terminal.id, site.environment(settings), settings.state_dir)
    with site.relays(1) as (relay,):
        try:
            for _ in range(rounds):
                _refill(site, store, sync)
                relay.freeze()
                time.sleep(SETTLED_S)
                quiet += next(show)
                before = _waiting(store)
                relay.thaw()
                _begun(store, before)
                draining += next(show)
                waiting = min(waiting, _waiting(store))
                if waiting == 0:
                    raise ServerFailed(f"{punches} punches were brought away before the recording had ended; give more with --punches")
            rss_mb = _peak_mb(sync.pid)
        finally:
            sync.stop()
    return Camera(Timing.of(quiet), Timing.of(draining), len(draining), waiting, rss_mb)


def _refill(site: Site, store: Store, sync: SyncOfDoor) -> None:
    """Everything waits again, and the relay has none of it."""
    sync.stop()
    site.forget_books()
    store.outbox.lost(EVERYTHING)
    sync.start()


def _waiting(store: Store) -> int:
    return store.outbox.counts()["PENDING"]


def _begun(store: Store, before: int) -> None:
    """Return as soon as fewer entries wait than before, or none. Raises ServerFailed."""
    until = time.monotonic() + BEGUN_S
    while 0 < before <= _waiting(store):
        if time.monotonic() >= until:
            raise ServerFailed(f"nothing was brought away within {BEGUN_S:.0f} s; the log of the sync process says why")
        time.sleep(LOOK_S)


def _shown(terminal: Terminal, frames: Sequence[Frame]) -> Iterator[list[float]]:
    """Again and again the whole recording; yields the seconds that each frame took."""
    length = frames[-1].t + 1 / 15
    numbers = count()
    for turn in count():
        spent = []
        for frame in frames:
            later = Frame(frame.image, frame.t + turn * length, next(numbers))
            began = time.perf_counter()
            terminal.process(later)
            spent.append(time.perf_counter() - began)
        yield spent


def _peak_mb(pid: int) -> float:
    """The most resident memory that a process has had (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0
