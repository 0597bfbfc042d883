"""From what was typed into the Settings screen to values as the settings' file would hold them."""

import copy
from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any, Literal, get_args

from pydantic.fields import FieldInfo

from blinkd.overlay import Values
from blinkd.settings_file import Loaded
from blinkd.web.admin.forms import Fields
from blinkd.web.admin.settings.list import Setting, fields_of, kind_of

LONGEST_VALUE = 2_000  # characters


class NotAValue(ValueError):
    """What was typed is no value of its kind; the words are for people."""


def changed_by(form: Fields, settings: Sequence[Setting], section: str, loaded: Loaded) -> tuple[Values, list[str], dict[str, str]]:
    """What the desk's values are with a section's form: the values, the keys that change, and what is wrong by key.

    A field that shows what it showed before changes nothing, so that what comes from the file goes on coming from there.
    """
    values: Values = copy.deepcopy(dict(loaded.desk))
    fields = dict(fields_of(section))
    changed: list[str] = []
    errors: dict[str, str] = {}
    for setting in settings:
        if setting.why_not or setting.key not in form.fields:
            continue
        text = form.text(setting.key)
        if text == setting.value:
            continue
        try:
            value = _value(text, fields[setting.key], setting)
        except NotAValue as error:
            errors[setting.key] = str(error)
            continue
        if value is None and setting.key in loaded.in_file:
            errors[setting.key] = "This is set in the settings' file, and only there it can be taken away."
            continue
        put(values, setting.key, value)
        changed.append(setting.key)
    return values, changed, errors


def put(values: Values, key: str, value: object) -> None:
    """Set a dotted key; None takes it out."""
    section, _, name = key.partition(".")
    table = values.setdefault(section, {}) if name else values
    if value is None:
        table.pop(name or section, None)
    else:
        table[name or section] = value
    if name and not table:
        del values[section]


def _value(text: str, field: FieldInfo, setting: Setting) -> Any:  # noqa: ANN401  as TOML has it
    kind, choices, optional = kind_of(field)
    if len(text) > LONGEST_VALUE:
        raise NotAValue(f"That is longer than {LONGEST_VALUE} characters.")
    if not text and optional and kind != "text":
        return [] if kind == "list" else None
    if kind == "yes_no":
        return _choice(text, ("yes", "no")) == "yes"
    if kind == "choice":
        return _typed_choice(_choice(text, choices), field)
    if kind == "list":
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind == "text":
        return text if text or field.annotation is str else None
    try:
        if kind == "whole":
            return int(text)
        if kind == "number":
            return float(text.replace(",", "."))
        return time.fromisoformat(text)
    except ValueError:
        words: Mapping[str, str] = {"whole": "a whole number, as 5", "number": "a number, as 2.5", "time": "a time of day, as 09:00"}
        raise NotAValue(f"“{text[:40]}” is not {words[setting.kind]}.") from None


def _choice(text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise NotAValue(f"“{text[:40]}” is none of {', '.join(choices)}.")
    return text


def _typed_choice(text: str, field: FieldInfo) -> object:
    literal: Any = field.annotation
    if literal is None:
        literal = Literal
    return next((one for one in get_args(literal) if str(one) == text), text)
