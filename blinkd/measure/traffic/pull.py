"""How long a new terminal takes until it knows everybody."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from blinkd.errors import ServerFailed
from blinkd.measure.traffic.books import embedders, enrol
from blinkd.measure.traffic.drain import bring_away
from blinkd.measure.traffic.site import Site
from blinkd.parts import Parts
from blinkd.settings import Settings

PATIENCE_S = 900


@dataclass(frozen=True, slots=True)
class Pull:
    """pushed_s: for the terminal that enrolled them; pulled_s: for the new one, from the start of `blinkd sync now` to its end; rss_mb: the
    most memory that this process had.
    """  # fmt: skip

    people: int
    templates: int
    pushed_s: float
    pulled_s: float
    rss_mb: float

    def as_json(self) -> dict[str, Any]:
        """The figures, rounded."""
        return {
            "people": self.people,
            "templates": self.templates,
            "pushed_s": round(self.pushed_s, 1),
            "pulled_s": round(self.pulled_s, 1),
            "rss_mb": round(self.rss_mb, 1),
        }


def measure_pull(site: Site, first: Settings, second: Settings, people: int) -> Pull:
    """Enrol people at one terminal, bring them to the relay, and let another one fetch them. Raises ServerFailed."""
    parts = Parts(first)
    with site.relays(1):
        with parts.open_store() as store:
            store.book.begin()
            enrol(store, parts.manifest, people)
            pushed = bring_away(first, store)
        began = time.perf_counter()
        command = [sys.executable, "-m", "blinkd", "sync", "now", "--wait", str(PATIENCE_S), "--json"]
        process = subprocess.Popen(command, env=site.environment(second), stdout=subprocess.DEVNULL)  # noqa: S603  ourselves
        _, ended, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)
        pulled = time.perf_counter() - began
    with Parts(second).open_store(read_only=True) as store:
        known = store.people.all()
    if process.returncode != 0 or len(known) != people:
        raise ServerFailed(f"{second.terminal.id}: knows {len(known)} of {people} people after `blinkd sync now`")
    return Pull(people, people * len(embedders(parts.manifest)), pushed, pulled, used.ru_maxrss / 1024)
