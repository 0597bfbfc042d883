"""Settings that a bundle brings, and the file of the technician's that they come into.

The rule: what the technician has set stays. A key that is not in the file is added, below its section's head, in a line that ends in the mark
`# set by a bundle`; a later bundle may change such lines, and no others. Who takes the mark away owns the line. Nothing is ever removed.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from blinkd.errors import BundleRefused
from blinkd.settings_file import key_paths

MARK = "# set by a bundle"
HEAD = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?")
LINE = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=.*" + MARK + r"\s*")
KEPT_OUT = {"terminal.id": "the bundle itself says which terminal it is for"}

Values = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Merged:
    """text: the file's new content; added: keys that the bundle has set; kept: keys that the technician has set otherwise."""

    text: str
    added: tuple[str, ...]
    kept: tuple[str, ...]


def parse_fragment(text: str) -> Values:
    """The settings of a bundle by section and key. Raises BundleRefused for what is no TOML, or no setting of this version's."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BundleRefused(f"its settings are no TOML: {error}; mend the file that `blinkd fleet issue --settings` was given") from None
    known = key_paths()
    for section, table in values.items():
        if not isinstance(table, dict):
            raise BundleRefused(f"its settings hold {section!r} outside of a section; a bundle sets keys of sections only: take it out")
        for key, value in table.items():
            path = f"{section}.{key}"
            if path not in known:
                near = difflib.get_close_matches(path, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else "a newer blinkd may know it: upgrade first, or take it out"
                raise BundleRefused(f"its settings: at '{path}': no such setting in this version; {hint}")
            if path in KEPT_OUT:
                raise BundleRefused(f"its settings: at '{path}': {KEPT_OUT[path]}; take it out")
            _written(path, value)
    return values


def merge(existing: str, wanted: Values) -> Merged:
    """Bring settings into a file's text, by the rule above. Raises BundleRefused when the file's form does not allow it."""
    try:
        before = tomllib.loads(existing)
    except tomllib.TOMLDecodeError as error:
        raise BundleRefused(f"not valid TOML: {error}; mend that line first") from None
    lines = existing.splitlines()
    owned, heads = _survey(lines)
    added, kept, after = [], [], {section: dict(table) if isinstance(table, dict) else table for section, table in before.items()}
    for section, table in wanted.items():
        for key, value in table.items():
            path, line = f"{section}.{key}", f"{key} = {_written(f'{section}.{key}', value)}  {MARK}"
            there = before.get(section, {})
            if not isinstance(there, dict):
                raise _by_hand([path], wanted)
            if key in there:
                if there[key] == value:
                    continue
                if path not in owned:
                    kept.append(path)
                    continue
                lines[owned[path]] = line
            elif section in heads:
                lines[heads[section]] += f"\n{line}"  # numbers of lines stay as they are until all is done
            else:
                lines += [*([""] if lines and lines[-1] else []), f"[{section}]\n{line}"]
                heads[section] = len(lines) - 1
            added.append(path)
            after.setdefault(section, {})[key] = value
    text = "\n".join(lines) + "\n" if lines else ""
    if not added:
        return Merged(existing, (), tuple(kept))
    _prove(text, after, added, wanted)
    return Merged(text, tuple(added), tuple(kept))


def _survey(lines: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Lines that a bundle has set, by key; and heads of sections. A text of several lines may fool it, which `_prove` notices."""
    owned, heads, section = {}, {}, ""
    for number, line in enumerate(lines):
        if found := HEAD.fullmatch(line):
            section = found[1]
            heads[section] = number
        elif found := LINE.fullmatch(line):
            owned[f"{section}.{found[1]}"] = number
    return owned, heads


def _prove(text: str, wanted: Mapping[str, Any], added: list[str], values: Values) -> None:
    """Edited as text, read as TOML: both must mean the same, or the file has a form that this does not know."""
    try:
        same = tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise _by_hand(added, values)


def _by_hand(paths: list[str], values: Values) -> BundleRefused:
    lines = []
    for path in paths:
        section, _, key = path.partition(".")
        lines.append(f"{path} = {_written(path, values[section][key])}")
    words = "is written in a form into which nothing can be added safely; write these settings into it yourself"
    return BundleRefused(f"{words}: {'; '.join(lines)}")


def _written(path: str, value: object) -> str:
    """As TOML. JSON's texts, numbers and switches are TOML's too, but for one character."""
    if isinstance(value, time):
        return value.isoformat()
    plain = isinstance(value, (str, int, float)) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
    text = json.dumps(value, ensure_ascii=False) if plain else ""
    if not plain or "\x7f" in text:
        raise BundleRefused(f"its settings: at '{path}': {value!r:.80} cannot be set by a bundle; texts, numbers, switches and times can")
    return text
