"""Reads the settings.

Order of precedence: variables `BLINKD_*` (sections joined by two underscores, as in `BLINKD_CAMERA__FPS=10`), then what was changed at the desk
(overlay.py), then the TOML file, then the defaults of settings.py.
"""

import difflib
import logging
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from blinkd.errors import ConfigError
from blinkd.overlay import keys_of, laid_over, overlay_path, read_overlay, refuse_fixed
from blinkd.settings import ENV_DELIMITER, ENV_PREFIX, Section, Settings

DEFAULT_CONFIG_FILE = Path("/etc/blinkd/blinkd.toml")
ENV_CONFIG_FILE = "BLINKD_CONFIG"
_TYPES_OF_TOML = frozenset({"int_type", "float_type", "bool_type"})  # pydantic's names of these mistakes
_NOT_SETTINGS = {ENV_CONFIG_FILE, "BLINKD_CACHE_DIR"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """settings: those in force; file: that was read; in_file: keys that stand in it; desk: what was changed at the desk; trouble: why that is not
    in force, empty where it is.
    """  # fmt: skip

    settings: Settings
    file: Path | None
    in_file: frozenset[str]
    desk: Mapping[str, Any]
    trouble: str = ""

    def source_of(self, key: str, environ: Mapping[str, str]) -> Literal["default", "file", "desk", "variable"]:
        """Where the value of a dotted key comes from."""
        names = {name.upper() for name in environ}
        if variable_of(key) in names or variable_of(key.partition(".")[0]) in names:
            return "variable"
        if not self.trouble and key in keys_of(self.desk):
            return "desk"
        return "file" if key in self.in_file else "default"


def load_settings(config_file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    config_file: the file named on the command line; without it `BLINKD_CONFIG`, then /etc/blinkd/blinkd.toml if it exists.
    environ: searched for BLINKD_* names that mean nothing (default: os.environ, which is also where values come from).
    Raises ConfigError that names the file or variable, the key path, the value and the remedy.
    """
    loaded = load(config_file, environ)
    if loaded.trouble:
        log.error("what was changed at the desk is not in force: %s", loaded.trouble)
    return loaded.settings


def load(config_file: Path | None = None, environ: Mapping[str, str] | None = None, desk: Mapping[str, Any] | None = None) -> Loaded:
    """The same, with what it comes from. desk: tried in the place of what was changed at the desk; raises ConfigError when it cannot stand.

    What was changed at the desk and cannot be read, or contradicts the file, is left out as a whole and `trouble` says why. The terminal starts by
    the file then, which root has written: at a door that does not open at all nobody could be let in to mend it, and half of a change would be
    settings that nobody has asked for. What the desk could not set anyway (`overlay.FIXED`) keeps the door shut either way.
    """
    environ = os.environ if environ is None else environ
    if config_file is None:
        if named := environ.get(ENV_CONFIG_FILE):
            config_file = Path(named)
        elif DEFAULT_CONFIG_FILE.exists():
            config_file = DEFAULT_CONFIG_FILE
    values = {} if config_file is None else _read_toml(config_file)
    _refuse_unknown_variables(environ)
    settings = _built(values, lambda _: config_file, environ)
    in_file, path = frozenset(keys_of(values)), overlay_path(settings.state_dir)

    def both(changed: Mapping[str, Any]) -> Settings:
        refuse_fixed(changed, str(path))
        keys = {key.partition(".")[0] for key in keys_of(changed)} | set(keys_of(changed))
        return _built(laid_over(values, changed), lambda key: path if key in keys else config_file, environ)

    if desk is not None:
        return Loaded(both(desk), config_file, in_file, desk)
    try:
        changed = read_overlay(settings.state_dir)
        return Loaded(both(changed) if changed else settings, config_file, in_file, changed)
    except ConfigError as error:
        return Loaded(settings, config_file, in_file, {}, str(error))


def _built(values: Mapping[str, Any], file_of: Callable[[str], Path | None], environ: Mapping[str, str]) -> Settings:
    """file_of: the file in which a dotted key, or a section, stands. Raises ConfigError."""
    quoted = _mistyped_in_file(values)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        known = {problem["loc"] for problem in error.errors()}
        problems = error.errors() + [problem for problem in quoted if problem["loc"] not in known]
        raise _explained(problems, file_of, environ) from None
    except ValueError as error:  # a variable for a whole section that is no JSON
        raise ConfigError(f"{ENV_PREFIX}* variables: {error}; set single keys, as in BLINKD_CAMERA__FPS=10") from None
    if quoted:
        raise _explained(quoted, file_of, environ)
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; copy config/blinkd.toml there, or name another with --config") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}; mend that line (config/blinkd.toml shows the form)") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; check its owner and mode") from None


def _mistyped_in_file(values: Mapping[str, Any]) -> list[ErrorDetails]:
    """Numbers and switches of the file that are written as another type, as in `fps = "15"` or `mirror = 1`.

    Variables are all text, so the settings read text leniently; a TOML file has types, and there it is a mistake.
    """
    problems: list[ErrorDetails] = []
    for name, field in Settings.model_fields.items():
        table = values.get(name)
        if not (isinstance(table, dict) and isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
            continue
        try:
            field.annotation.model_validate(table, strict=True)
        except ValidationError as error:
            for problem in error.errors():
                if problem["type"] in _TYPES_OF_TOML:
                    problem["loc"] = (name, *problem["loc"])
                    problems.append(problem)
    return problems


def key_paths() -> list[str]:
    """Every dotted key that the settings know, sections left out."""
    paths = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            paths += [f"{name}.{key}" for key in field.annotation.model_fields]
        else:
            paths.append(name)
    return paths


def variable_of(path: str) -> str:
    """The environment variable of a dotted key."""
    return ENV_PREFIX + path.replace(".", ENV_DELIMITER).upper()


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    sections = {path.split(".")[0] for path in key_paths()}
    known = {variable_of(path) for path in [*key_paths(), *sections]} | _NOT_SETTINGS
    for name in sorted(environ):
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known:
            # without the prefix, which makes any two names alike
            near = difflib.get_close_matches(name.upper().removeprefix(ENV_PREFIX), [key.removeprefix(ENV_PREFIX) for key in known], n=1)
            hint = f"did you mean {ENV_PREFIX}{near[0]}?" if near else "unset it; config/blinkd.toml lists the keys"
            raise ConfigError(f"environment variable {name}: no such setting; {hint}")


def _place(path: str, config_file: Path | None, environ: Mapping[str, str]) -> str:
    """Where the value at a key path was set: its variable, its section's variable, or the file."""
    names = {name.upper() for name in environ}
    if (own := variable_of(".".join(path.split(".")[:2]))) in names:  # without the place in a list
        return f"environment variable {own}"
    if (section := variable_of(path.split(".", maxsplit=1)[0])) in names:
        return f"environment variable {section}{f' or {config_file}' if config_file else ''}: at '{path}'"
    # a contradiction within a section: the file's values and these, taken together
    inside = sorted(name for name in names if name.startswith(own + ENV_DELIMITER))
    return f"{config_file or 'settings'}: at '{path}'" + (f" (with {', '.join(inside)})" if inside else "")


def _explained(problems: list[ErrorDetails], file_of: Callable[[str], Path | None], environ: Mapping[str, str]) -> ConfigError:
    lines, at = [], {}
    sections = {path.split(".")[0] for path in key_paths()}
    for problem in problems:
        path = ".".join(str(part) for part in problem["loc"])
        key = ".".join(path.split(".")[:2])
        where = _place(path, file_of(key), environ)
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(path, [*key_paths(), *sections], n=1)
            remedy = f"did you mean '{near[0]}'?" if near else "remove it; config/blinkd.toml lists the keys"
            lines.append(f"{where}: no such setting (value {_shown(problem['input'])}); {remedy}")
            at[key] = "There is no such setting."
        elif problem["type"] == "value_error":
            value = "" if isinstance(problem["input"], dict) else f" {_shown(problem['input'])}"
            words = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{where}:{value} {words}")
            at[key] = f"{value.strip()} {words}".strip()
        else:
            words = f"{_shown(problem['input'])} is refused: {problem['msg'].lower()}"
            lines.append(f"{where}: {words}; config/blinkd.toml gives the allowed values")
            at[key] = words
    return ConfigError("\n".join(lines), at)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
