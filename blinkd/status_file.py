"""The file in which the daemon says how it is: for doctor, for the sync process, which tells the others, and for people."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATUS_FILE = "status.json"  # in the state folder; replaced whole, never edited

log = logging.getLogger(__name__)


def write_status(state_dir: Path, content: Mapping[str, Any]) -> None:
    """Replace it; a full disk must not stop the door, so a failure is only logged."""
    partial = state_dir / f".{STATUS_FILE}"
    try:
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(state_dir / STATUS_FILE)
    except OSError as error:
        log.warning("%s: cannot be written: %s", state_dir / STATUS_FILE, error.strerror)


def read_status(state_dir: Path) -> dict[str, Any] | None:
    """What a daemon last wrote, whether it still runs or not; None where none has, or it is torn."""
    try:
        value = json.loads((state_dir / STATUS_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def part_states(state_dir: Path) -> dict[str, str]:
    """The state of each part by its name; empty where no daemon has said anything."""
    parts = (read_status(state_dir) or {}).get("parts")
    if not isinstance(parts, list):
        return {}
    return {str(part.get("name")): str(part.get("state")) for part in parts if isinstance(part, dict)}
