"""The processes that the daemon keeps beside itself, and how patiently each is started again."""

import time
from collections.abc import Callable
from pathlib import Path

from blinkd.supervision.child import Child, Give
from blinkd.supervision.restarts import RestartPolicy

# For ever, both: what waits must go out some day, and a display that stays dark is repaired by nobody
SYNC = RestartPolicy(first_wait_s=2.0, most_wait_s=300.0, least_wait_s=1.0, good_s=600.0)
WEB = RestartPolicy(first_wait_s=1.0, most_wait_s=60.0, least_wait_s=0.5, good_s=300.0)  # somebody stands before the display


def sync_process(config: Path | None, clock: Callable[[], float] = time.monotonic) -> Child:
    """The connection to the broker. config: the settings file that the daemon was started with."""
    return Child("sync", ("sync", "run"), SYNC, config, clock)


def web_process(config: Path | None, give: Give, clock: Callable[[], float] = time.monotonic) -> Child:
    """The terminal's own pages. give: the display channel of each life."""
    return Child("web", ("web", "run"), WEB, config, clock, give=give)
