"""`blinkd bench --store`: the book of a large site after weeks, timed as the door, the dashboard and payroll use it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from blinkd.attendance.punch import Punch
from blinkd.attendance.reports.period import period_of
from blinkd.attendance.reports.report_json import as_json as report_as_json
from blinkd.cli.output import console, notes
from blinkd.errors import StoreError
from blinkd.measure.ballast import A_DAY, fill
from blinkd.measure.bench import Timing, measure
from blinkd.models.media import fetch_media
from blinkd.office.making import counted, site_of
from blinkd.office.overview import now_of
from blinkd.parts import Parts
from blinkd.settings import AttendanceSettings, Settings
from blinkd.store.database import Store

PEOPLE, PUNCHES = 20_000, 1_000_000
RECORDED = 300  # punches that are timed
LOOKS, REPORTS, STARTS = 20, 3, 3
FSYNC_BYTES = 12 * 4096  # what one punch adds to the write-ahead log, about
NEEDED_MB = 1500  # the store, its log, and room
READY = "INFO ready"  # what the daemon logs when store, people and models are there and a frame has been looked at
QUIET_RECORDING = "no_face.mp4"


def figures(settings: Settings, people: int, punches: int) -> dict[str, Any]:
    """Make such a store beside the state folder, or in the temporary one, time it and remove it; returns what --json prints."""
    with bench_folder(settings.state_dir) as folder:
        own = settings.model_copy(update={"state_dir": folder, "attendance": AttendanceSettings(min_interval_s=0)})
        parts = Parts(own)
        now = parts.clock.now().utc
        with notes().status(f"filling a store with {people:,} people and {punches:,} punches"), parts.open_store() as store:
            embedder = parts.embedder
            fill(store, people, punches, now, own.terminal.zone, embedder.model_id, embedder.dimension)
        with notes().status("timing"):
            start_s = min(_start_s(folder) for _ in range(STARTS))
            began = time.perf_counter()
            with parts.open_store() as store:
                open_s = time.perf_counter() - began
                punch, fsync = _recording(parts, store, people)
                site = site_of(parts, store)
                stats = measure(lambda: now_of(site, store, parts.clock.now()), LOOKS)
                month = period_of("month", _fullest_month(now.date(), punches // (A_DAY * people)), now.date())

                def report() -> None:
                    made = counted(site, store, month, parts.clock.now(), None)
                    report_as_json(made.report, made.known, attendances=False)

                report_s = min(_seconds(report) for _ in range(REPORTS))
            size_mb = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
    return {
        "people": people,
        "punches": punches,
        "start_s": round(start_s, 2),
        "open_s": round(open_s, 3),
        "punch_ms": punch.as_json(),
        "fsync_ms": fsync.as_json(),
        "beyond_fsync_ms": round(punch.p50 - fsync.p50, 3),
        "stats_today_ms": stats.as_json(),
        "report_month_s": round(report_s, 3),
        "size_mb": round(size_mb),
    }


def show(answer: dict[str, Any]) -> None:
    """Print what `figures` returned, for people."""
    out = console()
    out.print(f"{answer['people']:,} people, {answer['punches']:,} punches, {answer['size_mb']} MB")
    out.print(f"start-up until the daemon is ready: {answer['start_s']:.2f} s (opening and checking the store: {answer['open_s']:.2f} s)")
    punch, fsync = answer["punch_ms"], answer["fsync_ms"]
    out.print(
        f"recording a punch: {punch['p50']:.2f} ms median, {punch['p95']:.2f} ms 95th percentile; "
        f"{answer['beyond_fsync_ms']:.2f} ms beyond an fsync of as much ({fsync['p50']:.2f} ms)"
    )
    out.print(f"today's stats: {answer['stats_today_ms']['p50']:.1f} ms median; a month's report: {answer['report_month_s']:.2f} s")


def _recording(parts: Parts, store: Store, people: int) -> tuple[Timing, Timing]:
    """Punches, and in turn with them a plain write of as many bytes that is on the disk when it returns."""
    clerk, spent, plain = parts.clerk(store, store, parts.clock), [], []
    beside = os.open(store.path.parent / "bench.fsync", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for number in range(RECORDED):
            began = time.perf_counter()
            punch = clerk.attend(f"P-{number * 7919 % people:05d}", 0.7, {"frames": 12, "live": True})
            spent.append(time.perf_counter() - began)
            if not isinstance(punch, Punch):
                raise StoreError(f"{store.path}: the bench's punch was turned away ({punch.reason})")
            began = time.perf_counter()
            os.write(beside, bytes(FSYNC_BYTES))
            os.fsync(beside)
            plain.append(time.perf_counter() - began)
    finally:
        os.close(beside)
    return Timing.of(spent), Timing.of(plain)


def _start_s(folder: Path) -> float:
    """Seconds from the start of a daemon's process to its word that it is ready."""
    recording = fetch_media() / QUIET_RECORDING
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BLINKD_")}
    environment |= {"BLINKD_STATE_DIR": str(folder), "BLINKD_CAMERA__DRIVER": "file", "BLINKD_CAMERA__PATH": str(recording)}
    environment |= {"BLINKD_WEB__ENABLED": "false"}  # its port may be that of a terminal that works
    began = time.perf_counter()
    code = "from blinkd.cli.main import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, "run"], env=environment, stderr=subprocess.PIPE, text=True) as daemon:  # noqa: S603  ourselves
        try:
            if daemon.stderr is None or not any(READY in line for line in daemon.stderr):
                raise StoreError(f"{folder}: the daemon did not start; try blinkd run")
            return time.perf_counter() - began
        finally:
            daemon.terminate()


def _fullest_month(today: date, days: int) -> str:
    """The month in which most of the last days lie."""
    months = Counter(f"{today - timedelta(days=back):%Y-%m}" for back in range(max(days, 1)))
    return months.most_common(1)[0][0]


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def bench_folder(state_dir: Path) -> Iterator[Path]:
    """On the state folder's disk where that may be written, for its speed is what counts. Raises StoreError when there is no room."""
    parent = state_dir if state_dir.is_dir() and os.access(state_dir, os.W_OK) else Path(tempfile.gettempdir())
    if (free := shutil.disk_usage(parent).free // 2**20) < NEEDED_MB:
        raise StoreError(f"{parent}: {free} MB free, the bench wants {NEEDED_MB}; free some space, or set BLINKD_STATE_DIR to another disk")
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=parent) as folder:
        yield Path(folder)
