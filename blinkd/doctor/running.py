"""The daemon: whether it runs, and what it says of its own parts."""

from pathlib import Path
from typing import get_args

from blinkd.doctor.check import Check
from blinkd.outputs.port import PartHealth, PartState
from blinkd.settings import Settings
from blinkd.status_file import read_status
from blinkd.store.lock import daemon_of

# where systemd notes that the unit is to be started at every boot
ENABLED = Path("/etc/systemd/system/multi-user.target.wants/blinkd.service")


def daemon(settings: Settings, enabled: Path = ENABLED) -> Check:
    """Degraded parts, in the daemon's own words; the camera has a check of its own."""
    pid = daemon_of(settings.state_dir)
    if pid is None:
        if enabled.is_symlink() or enabled.exists():
            fix = "run systemctl start blinkd; journalctl -u blinkd tells why it ended"
            return Check("daemon", "warn", "does not run, and is to be started at every boot", fix)
        return Check("daemon", "ok", "does not run, and is not meant to be started by systemd")
    parts = [part for part in daemon_says(settings.state_dir).values() if part.name != "camera"]
    troubled = [f"{part.name} {part.state}: {part.words}" for part in parts if part.state in ("degraded", "failed")]
    if troubled:
        return Check(
            "daemon", "warn", f"runs (process {pid}); {'; '.join(troubled)}", "journalctl -u blinkd tells more; see the checks below"
        )
    return Check("daemon", "ok", f"runs (process {pid})")


def daemon_says(state_dir: Path) -> dict[str, PartHealth]:
    """Each part by its name; empty where no daemon has said anything, or its file is torn."""
    try:
        parts = (read_status(state_dir) or {})["parts"]
        found = [PartHealth(str(part["name"]), part["state"], str(part["words"])) for part in parts]
    except (KeyError, TypeError):
        return {}
    return {part.name: part for part in found if part.state in get_args(PartState)}
