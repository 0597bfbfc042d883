"""Every setting as the Settings screen shows it: what it is for, its value, where that comes from, and whether it may be changed here."""

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from blinkd.capture.address import without_credentials
from blinkd.crypto.installation import TERMINAL_FILE
from blinkd.overlay import keys_of, refused_values, why_fixed
from blinkd.settings import Section, Settings
from blinkd.settings_file import Loaded, variable_of
from blinkd.shipped import shipped
from blinkd.supervision.reload import NEEDS_RESTART

Kind = Literal["yes_no", "whole", "number", "choice", "time", "list", "text"]
GENERAL = "general"  # the section of keys that stand in none
HIDDEN = frozenset({"sync.origin_salt"})  # shown as set or not set
KEY_LINE = re.compile(r"#(?P<key>[a-z_0-9]+) = ")
UNITS = {  # by the end of the key's name
    "_s": "seconds",
    "_ms": "milliseconds",
    "_us": "microseconds",
    "_min": "minutes",
    "_days": "days",
    "_px": "pixels",
    "_mb": "MB",
    "_ev": "stops",
    "fps": "pictures a second",
    "rotation": "degrees",
    "width": "pixels",
    "height": "pixels",
    "_line": "GPIO number",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """key: dotted; value, default: as they are typed; words: the explanation of config/blinkd.toml; why_not: why it cannot be changed here, empty
    where it can; optional: it may be left empty; at_desk: it was changed here, and can be put back.
    """  # fmt: skip

    key: str
    kind: Kind
    value: str
    default: str
    choices: tuple[str, ...]
    optional: bool
    unit: str
    words: str
    source: Literal["default", "file", "desk", "variable"]
    restart: bool
    why_not: str
    at_desk: bool

    @property
    def name(self) -> str:
        """The key without its section."""
        return self.key.rpartition(".")[2]


def sections() -> dict[str, str]:
    """Name and purpose of each section, in their order."""
    found = {GENERAL: "Places of the terminal's own files."}
    for name, field in Settings.model_fields.items():
        if (section := _section(field)) is not None:
            found[name] = (section.__doc__ or "").strip().splitlines()[0]
    return found


def settings_of(section: str, loaded: Loaded, environ: Mapping[str, str]) -> list[Setting]:
    """The settings of a section, in their order."""
    words = explanations()
    return [_setting(key, field, loaded, environ, words.get(key, "")) for key, field in fields_of(section)]


def fields_of(section: str) -> Iterator[tuple[str, FieldInfo]]:
    """Dotted keys of a section, with what pydantic knows of each."""
    for name, field in Settings.model_fields.items():
        inner = _section(field)
        if inner is None:
            if section == GENERAL:
                yield name, field
        elif name == section:
            yield from ((f"{name}.{key}", one) for key, one in inner.model_fields.items())


def explanations() -> dict[str, str]:
    """What config/blinkd.toml says above each key; keys that stand together are explained together."""
    found: dict[str, str] = {}
    section, words, after_key = "", list[str](), False
    for line in (shipped("config", "blinkd.toml") / "blinkd.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section, words = line.strip("[]") + ".", []
        elif key := KEY_LINE.match(line):
            found[section + key["key"]] = " ".join(words)
            after_key = True
        elif line.startswith("# "):
            if after_key:
                words, after_key = [], False
            words.append(line[2:])
        else:
            words, after_key = [], False
    return found


def typed(value: object) -> str:
    """A value as one types it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value.isoformat() if isinstance(value, time) else str(value)


def kind_of(field: FieldInfo) -> tuple[Kind, tuple[str, ...], bool]:
    """What is typed into its field, the choices there are, and whether it may be left empty."""
    annotation, optional = field.annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [one for one in get_args(annotation) if one is not type(None)]
        annotation, optional = inner[0], True
    if get_origin(annotation) is not None and hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return "choice", tuple(str(one) for one in get_args(annotation)), optional
    if get_origin(annotation) is list:
        return "list", (), True
    kinds: dict[object, Kind] = {bool: "yes_no", int: "whole", float: "number", time: "time"}
    return kinds.get(annotation, "text"), (), optional or annotation is str


def value_at(settings: Settings, key: str) -> Any:  # noqa: ANN401
    """The value of a dotted key."""
    section, _, name = key.partition(".")
    value = getattr(settings, section)
    return getattr(value, name) if name else value


def _setting(key: str, field: FieldInfo, loaded: Loaded, environ: Mapping[str, str], words: str) -> Setting:
    kind, choices, optional = kind_of(field)
    source = loaded.source_of(key, environ)
    why_not = why_fixed(key) or (f"set by the variable {variable_of(key)}" if source == "variable" else "")
    if key == "terminal.id" and _certificate(loaded.settings).exists():
        why_not = "the terminal's certificate is made out to it"
    value = typed(value_at(loaded.settings, key))
    return Setting(
        key=key,
        kind=kind,
        value=shown(key, value),
        default=typed(field.get_default(call_default_factory=True)),
        choices=tuple(choice for choice in choices if choice not in refused_values(key) or choice == value),
        optional=optional,
        unit=next((unit for end, unit in UNITS.items() if key.endswith(end)), ""),
        words=words,
        source=source,
        restart=any(key == fixed or key.startswith(f"{fixed}.") for fixed in NEEDS_RESTART),
        why_not=why_not,
        at_desk=key in keys_of(loaded.desk),
    )


def _certificate(settings: Settings) -> Path:
    return settings.sync.certificate_file or settings.state_dir / TERMINAL_FILE


def shown(key: str, value: str) -> str:
    """Without what is secret in it."""
    if key in HIDDEN:
        return "(set)" if value else ""
    return without_credentials(value) if key == "camera.url" else value


def _section(field: FieldInfo) -> type[Section] | None:
    return field.annotation if isinstance(field.annotation, type) and issubclass(field.annotation, Section) else None
