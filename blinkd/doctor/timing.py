"""The clock, and who keeps it right."""

from pathlib import Path

from blinkd.clock import Clock
from blinkd.doctor.check import Check

ROOT = Path("/")
SOURCES = (  # what is there while it runs; the first that is found is named
    ("run/chrony/chronyd.pid", "chrony"),
    ("run/chronyd.pid", "chrony"),
    ("run/systemd/timesync/synchronized", "systemd-timesyncd"),
    ("run/systemd/timesync", "systemd-timesyncd, which no server has answered yet"),
    ("run/ntpd.pid", "ntpd"),
)
HARDWARE = "sys/class/rtc/rtc0/name"


def clock(clock: Clock, *, trust_hardware: bool = False, root: Path = ROOT) -> Check:
    """What time it is, and whether that can be trusted. root: of the file system, which a test has another one of."""
    now = clock.now()
    detail = f"{now.utc:%Y-%m-%d %H:%M:%S} UTC, {now.confidence}; {_source(root)}; {_hardware(root)}"
    if trust_hardware:
        detail += "; trusted because terminal.trust_hardware_clock says so"
    if now.confidence == "unsynced":
        return Check(
            "clock",
            "warn",
            detail,
            "connect to a network with NTP, or fit a clock with a battery, keep it right and set terminal.trust_hardware_clock; "
            "times are marked uncertain until then",
        )
    return Check("clock", "ok", detail)


def _source(root: Path) -> str:
    return next((f"kept by {name}" for path, name in SOURCES if (root / path).exists()), "no time service was found")


def _hardware(root: Path) -> str:
    try:
        return f"hardware clock {(root / HARDWARE).read_text(encoding='ascii').strip().split()[0]}"
    except (OSError, UnicodeDecodeError, IndexError):
        return "no hardware clock"
