"""install.sh and the units on a machine that boots, all scenarios in one go, and how long each took.

    sudo .venv/bin/python -m tests.integration.systemd [NAME…]

Needs root, systemd-container, debootstrap, and the package registry for the first run: the bare system and the wheels are kept in
${BLINKD_CACHE_DIR:-~/.cache/blinkd}/systemd. Exit 0 only if every scenario ended well.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from blinkd.cli.output import console
from blinkd.models.media import fetch_media
from tests.integration.systemd.machine import Failed, Machine, bare_system
from tests.integration.systemd.scenarios import SCENARIOS

CHECKOUT = Path(__file__).parents[3]


def main(wanted: list[str]) -> int:
    """Run them in their order, for each begins where the one before left the machine."""
    if os.geteuid() != 0:
        console().print("this needs root: sudo .venv/bin/python -m tests.integration.systemd")
        return 1
    cache = Path(os.environ.get("BLINKD_CACHE_DIR") or Path.home() / ".cache" / "blinkd")
    wheels = cache / "systemd" / "wheelhouse"
    wheels.mkdir(parents=True, exist_ok=True)
    subprocess.run([CHECKOUT / "install.sh", "wheelhouse", wheels, "--python", "3.11"], check=True)
    binds = {"/checkout": CHECKOUT, "/wheelhouse": wheels, "/media-of-tests": fetch_media()}
    out, failed = console(), 0
    with Machine(bare_system(cache), binds) as machine:
        for scenario in SCENARIOS:
            if wanted and scenario.__name__ not in wanted:
                continue
            began = time.monotonic()
            try:
                scenario(machine)
                verdict = "ok"
            except (Failed, AssertionError) as error:
                verdict = f"FAILED\n{error}"
                failed += 1
            out.print(f"{scenario.__name__.replace('_', ' '):<90}{time.monotonic() - began:7.1f} s  {verdict}", markup=False)
            if verdict != "ok":
                out.print(machine.run("journalctl", "--no-pager", "-n", "60", "-o", "cat", check=False).stdout, markup=False)
                break  # the next would begin somewhere else
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
