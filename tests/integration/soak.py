"""Whether the daemon's memory stays: runs it for an hour on a recording that begins again and again, with a man who is checked in or out each time.

    .venv/bin/python -m tests.integration.soak [--minutes 60]

Prints one line of JSON a minute and the verdict; exit 1 where the last sixth of the time holds 2 % more than the second sixth. The first is left
out: caches fill, and the allocator finds its size.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from blinkd.cli.output import print_json
from blinkd.models.media import fetch_media

MOST_GROWTH = 0.02
SAMPLE_S = 1.0
PARTS = 6
PEOPLE = (("Sam Sample", "E-1001", "single_face.jpg"), ("Robin Sample", "E-1002", "obama.jpg"))
RECORDING = "noface_face.mov"


def resident_kb(process: int) -> int:
    """VmRSS of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    minutes = parser.parse_args().minutes
    media = fetch_media()
    with tempfile.TemporaryDirectory() as folder:
        variables = os.environ | {
            "BLINKD_STATE_DIR": folder,
            "BLINKD_CAMERA__DRIVER": "file",
            "BLINKD_CAMERA__PATH": str(media / RECORDING),
            "BLINKD_ATTENDANCE__MIN_INTERVAL_S": "0",
            "BLINKD_LOG__LEVEL": "WARNING",
            "BLINKD_WEB__ENABLED": "false",
        }
        blinkd = [sys.executable, "-m", "blinkd"]
        for name, number, picture in PEOPLE:
            enrol = [*blinkd, "enroll", "--name", name, "--id", number, "--image", str(media / picture)]
            subprocess.run(enrol, env=variables, check=True, stdout=subprocess.DEVNULL)
        found: list[int] = []
        with subprocess.Popen([*blinkd, "run"], env=variables, stderr=subprocess.DEVNULL) as daemon:
            try:
                began = said = time.monotonic()
                while (now := time.monotonic()) - began < minutes * 60:
                    if daemon.poll() is not None:
                        print_json({"ok": False, "why": f"the daemon has ended with {daemon.returncode}"})
                        return 1
                    found.append(resident_kb(daemon.pid))
                    if now - said >= 60:
                        said = now
                        print_json({"minute": round((now - began) / 60), "rss_mb": round(found[-1] / 1024, 1)})
                    time.sleep(SAMPLE_S)
            finally:
                daemon.terminate()
                daemon.wait(10)
        log = subprocess.run([*blinkd, "log", "--json"], env=variables, check=True, capture_output=True, text=True)
    share = len(found) // PARTS
    early, late = statistics.median(found[share : 2 * share]), statistics.median(found[-share:])
    growth = late / early - 1
    verdict = {"ok": growth < MOST_GROWTH, "early_mb": round(early / 1024, 1), "late_mb": round(late / 1024, 1), "growth": round(growth, 4)}
    print_json(verdict | {"punches": len(log.stdout.splitlines()), "minutes": minutes})
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
