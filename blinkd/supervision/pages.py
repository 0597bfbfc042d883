"""The terminal's own pages: their process, kept running, and the display channel into it."""

import importlib.util
import logging
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from blinkd.outputs.port import PartHealth
from blinkd.outputs.screen import Screen
from blinkd.supervision.child import Child, Given
from blinkd.supervision.children import web_process
from blinkd.supervision.reload import RENEWED_FOR

PART = "web"
HUNG_S = 20.0  # a process that has read nothing for so long, with its pipe full, is begun anew
END_S = 1.0  # from asking it to end until it is killed: it has nothing that would be lost
NEEDED = ("fastapi", "jinja2", "uvicorn", "websockets")

log = logging.getLogger(__name__)


class Pages:
    """Call `look` about once a second; nothing here waits but `stop`."""

    def __init__(self, screen: Screen, config: Path | None, child: Child | None = None) -> None:
        """config: the settings file that the daemon was started with; child: what stands in for the process."""
        self._screen = screen
        self._missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        self._child = web_process(config, self._give) if child is None else child

    def look(self) -> None:
        """Start it where it does not run and the wait is over."""
        if self._missing:
            return
        if self._child.running and self._screen.full_s >= HUNG_S:
            log.warning("the web process reads nothing; another is begun")
            self._child.renew()
        self._child.look()

    def take(self, changed: Collection[str]) -> None:
        """Settings have changed, by their dotted keys. It reads them again; for those of its ports and the kiosk another takes its place, with which
        whatever somebody has begun at the desk is lost.
        """  # fmt: skip
        if any(key.startswith(RENEWED_FOR) for key in changed):
            self._child.renew()
        else:
            self._child.signal(signal.SIGHUP)

    def part(self) -> PartHealth:
        """How it is."""
        if self._missing:
            return PartHealth(PART, "failed", f"needs the package {self._missing[0]}: `./install.sh setup` installs all of them")
        if not self._child.running:
            times = self._child.failures
            return (
                PartHealth(PART, "failed", f"its process has ended, {times} times; the log says why")
                if times
                else PartHealth(PART, "starting")
            )
        if self._screen.full_s:
            return PartHealth(PART, "degraded", "its process does not read what it is told")
        return PartHealth(PART, "ok")

    def ask_to_end(self) -> None:
        """While others end too."""
        self._child.ask_to_end()

    def stop(self, within_s: float) -> None:
        """End it: asked first, then killed."""
        self._child.stop(min(within_s, END_S))

    @contextmanager
    def _give(self) -> Iterator[Given]:
        with self._screen.channel() as (events, pictures):
            yield Given(("--events", str(events), "--pictures", str(pictures)), (events, pictures))
