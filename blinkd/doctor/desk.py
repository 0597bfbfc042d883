"""What was changed at the desk: whether it is in force."""

from pathlib import Path

from blinkd.doctor.check import Check
from blinkd.errors import ConfigError
from blinkd.overlay import keys_of, overlay_path, read_overlay
from blinkd.settings import Settings
from blinkd.settings_file import load


def overlay(settings: Settings, config: Path) -> Check:
    """config: the settings' file; it need not exist."""
    path = overlay_path(settings.state_dir)
    fix = f"set it anew at the Settings screen after you have moved the file away: mv {path} {path}.broken"
    try:
        values = read_overlay(settings.state_dir)
        if values:
            load(config if config.is_file() else None, desk=values)
    except ConfigError as error:
        return Check("desk", "warn", f"what was changed at the desk is not in force: {error}", fix)
    if not values:
        return Check("desk", "ok", "no settings were changed at the desk")
    return Check("desk", "ok", f"settings changed at the desk are in force: {', '.join(sorted(keys_of(values)))} ({path})")
