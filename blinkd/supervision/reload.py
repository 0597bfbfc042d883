"""Which settings a working daemon can take over, and which need a restart."""

from dataclasses import dataclass

from blinkd.settings import Settings
from blinkd.settings_file import key_paths

# What holds a device, a lock, a network or the place of the data cannot be changed under a working terminal; all else can, between two visits.
# Among what can: [web] and [kiosk], for whose process another is begun
NEEDS_RESTART = (
    "state_dir",
    "models_dir",
    "terminal.id",
    "terminal.trust_hardware_clock",
    "camera",
    "vision",
    "store",
    "door",
    "signals",
    "entry",
    "relay",
    "metrics",
    "home_assistant",
    "web.enabled",
)

RENEWED_FOR = ("web.", "kiosk.", "log.")  # keys for which another web process takes the place of the one there is


@dataclass(frozen=True, slots=True)
class Reload:
    """settings: those that are in force from now on; taken, refused: dotted keys that have changed."""

    settings: Settings
    taken: tuple[str, ...]
    refused: tuple[str, ...]


def merge(now: Settings, wanted: Settings) -> Reload:
    """Of the settings that are wanted, those that can be taken over; the others stay as they are."""
    changed = [key for key in key_paths() if _value(now, key) != _value(wanted, key)]
    refused = tuple(key for key in changed if any(key == fixed or key.startswith(f"{fixed}.") for fixed in NEEDS_RESTART))
    taken = tuple(key for key in changed if key not in refused)
    updates: dict[str, object] = {}
    for key in taken:
        section, _, name = key.partition(".")
        if name:
            updates[section] = updates.get(section, getattr(now, section)).model_copy(update={name: _value(wanted, key)})  # type: ignore[attr-defined]
        else:
            updates[section] = _value(wanted, key)
    return Reload(now.model_copy(update=updates), taken, refused)


def _value(settings: Settings, key: str) -> object:
    section, _, name = key.partition(".")
    value = getattr(settings, section)
    return getattr(value, name) if name else value
