"""What was changed at the desk: settings that stand above the file's and below variables, in `desk.toml` of the state folder.

The settings' file is root's; the pages run as the daemon's user and must not write it. What they may change is listed here, and held to when the
overlay is read too: whoever has got hold of the pages still cannot set what would let anybody in, or lead the terminal elsewhere.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blinkd.crypto.keyfile import write_whole
from blinkd.errors import ConfigError

OVERLAY_FILE = "desk.toml"
HEADER = "# Written by the terminal's pages (Settings). Delete a line, or this file, to go back to the settings' file.\n\n"

LIFE = "decides what passes for a sign of life; it is in the settings' file"
GUESSES = "keeps PINs from being guessed; it is in the settings' file"

# Keys and sections that no page changes, and why
FIXED = {
    "state_dir": "the place of the data; it is in the settings' file",
    "models_dir": "other networks decide who is let in; it is in the settings' file",
    "camera.pipeline": "a pipeline can read and write any file; it is in the settings' file",
    "camera.path": "a recording instead of the camera would be let in; it is in the settings' file",
    "camera.url": "a recording that somebody streams would be let in; it is in the settings' file",
    "attendance.shifts_file": "a path of the machine's files; it is in the settings' file",
    "attendance.holidays_file": "a path of the machine's files; it is in the settings' file",
    "entry.device": "a path of the machine's files; it is in the settings' file",
    "privacy": "what was erased does not come back, nor who was refused at the door; it is in the settings' file",
    "backup.folder": "a path of the machine's files; it is in the settings' file",
    "identity.match_threshold": "decides who is taken for whom; it is in the settings' file",
    "identity.uncertain_threshold": "decides who is taken for whom; it is in the settings' file",
    "identity.fpir": "decides who is taken for whom; it is in the settings' file",
    "identity.margin": "decides who is taken for whom; it is in the settings' file",
    "identity.agreement": "keeps a second face out of a visit; it is in the settings' file",
    "liveness.texture_deny": LIFE,
    "liveness.texture_doubt": LIFE,
    "liveness.ear_closed": LIFE,
    "liveness.ear_open": LIFE,
    "liveness.blink_min_ms": LIFE,
    "liveness.blink_max_ms": LIFE,
    "liveness.yaw_left": LIFE,
    "liveness.yaw_right": LIFE,
    "door": "a lock that is switched the other way round stands open; it is in the settings' file",
    "signals": "a light on the line of a lock switches the lock; it is in the settings' file",
    "entry.free_tries": GUESSES,
    "entry.wait_first_s": GUESSES,
    "entry.wait_most_s": GUESSES,
    "entry.terminal_free_tries": GUESSES,
    "sync.ca_file": "decides whom the terminal trusts; it is in the settings' file",
    "sync.certificate_file": "who the terminal is; it is in the settings' file",
    "sync.key_file": "who the terminal is; it is in the settings' file",
    "sync.origin_salt": "part of a key; it is in the settings' file",
    "relay": "of the relay, which is another program",
    "web": "a wrong value would shut these pages; it is in the settings' file",
    "metrics.host": "opens the figures to the network; it is in the settings' file",
    "home_assistant.ca_file": "decides whom the terminal trusts; it is in the settings' file",
    "home_assistant.password_file": "a path of the machine's files; it is in the settings' file",
    "home_assistant.tls": "without it the password goes by in clear; it is in the settings' file",
    "home_assistant.names": "tells another system who comes; it is in the settings' file",
}

FIXED_VALUES = {
    "vision.precision": {"simulated": "it recognises nobody"},
    "liveness.policy": {"none": "it lets a photo in"},
    "camera.driver": {
        "file": "a recording would be let in",
        "folder": "a recording would be let in",
        "gstreamer": "camera.pipeline goes with it",
    },
}

Values = dict[str, Any]


def why_fixed(key: str) -> str | None:
    """Why a dotted key cannot be changed at the desk; None for one that can."""
    return FIXED.get(key) or FIXED.get(key.partition(".")[0])


def refused_values(key: str) -> Mapping[str, str]:
    """Values that a key can have but is not given at the desk, and why."""
    return FIXED_VALUES.get(key, {})


def refuse_fixed(values: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError where they set what is not set at the desk."""
    for key in keys_of(values):
        if (why := why_fixed(key)) is not None:
            raise ConfigError(f"{where}: at '{key}': not to be set here: {why}; delete the line", {key: f"Not to be changed here: {why}."})
        section, _, name = key.partition(".")
        value = values[section][name] if name else values[section]
        if why := refused_values(key).get(str(value)):
            raise ConfigError(
                f"{where}: at '{key}': {value!r} is not to be set here: {why}; delete the line", {key: f"Not to be chosen here: {why}."}
            )


def overlay_path(state_dir: Path) -> Path:
    """Where it lies."""
    return state_dir / OVERLAY_FILE


def read_overlay(state_dir: Path) -> Values:
    """Its tables; empty where there is none, or where the state folder is closed to whoever asks. Raises ConfigError."""
    path = overlay_path(state_dir)
    try:
        if not path.is_file():
            return {}
    except OSError:  # somebody else's state folder
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; check its owner and mode") from None
    except ValueError as error:  # TOML and UTF-8 both
        raise ConfigError(f"{path}: not valid TOML: {error}; mend it, or delete it to go by the settings' file alone") from None
    refuse_fixed(values, str(path))
    return values


def write_overlay(state_dir: Path, values: Values) -> None:
    """Put it in the place of what was there, whole or not at all; readable by its owner only. Raises StoreError."""
    import tomli_w  # noqa: PLC0415  only the pages write it, and a relay has none

    kept = {name: table for name, table in values.items() if table != {}}
    write_whole(overlay_path(state_dir), (HEADER + tomli_w.dumps(kept)).encode())


def keys_of(values: Mapping[str, Any]) -> list[str]:
    """Dotted keys of the values of a file."""
    return [
        key for name, value in values.items() for key in ([f"{name}.{inner}" for inner in value] if isinstance(value, dict) else [name])
    ]


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """Both, key by key; the second wins."""
    merged: Values = {name: dict(value) if isinstance(value, dict) else value for name, value in below.items()}
    for name, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name].update(value)
        else:
            merged[name] = value
    return merged
