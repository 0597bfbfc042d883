"""config/blinkd.toml explains every setting, once, with the default that the program really has."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from blinkd.settings import Settings
from blinkd.settings_file import key_paths, load_settings

CONFIG_FILE = Path(__file__).parents[2] / "config" / "blinkd.toml"
KEY_LINE = re.compile(r"#(?P<key>[a-z_0-9]+) = (?P<value>.*)")
EXAMPLE = "# an example; nothing is set by default"


def documented_keys() -> list[tuple[str, str, int]]:
    """(dotted key, its line without the comment sign, line number) of every key line in the file."""
    section, keys = "", []
    for number, line in enumerate(CONFIG_FILE.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif found := KEY_LINE.fullmatch(line):
            keys.append((section + found["key"], line.removeprefix("#"), number))
    return keys


def default_of(path: str) -> Any:
    value: Any = Settings()
    for part in path.split("."):
        value = getattr(value, part)
    return value


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("BLINKD_")]:
        monkeypatch.delenv(name)


def test_every_setting_stands_in_the_file_exactly_once_and_nothing_else_does() -> None:
    assert sorted(path for path, _, _ in documented_keys()) == sorted(key_paths())


def test_the_file_as_shipped_changes_nothing() -> None:
    assert load_settings(CONFIG_FILE) == Settings()


def test_every_line_is_a_section_a_commented_key_or_an_explanation() -> None:
    odd = [
        line
        for line in CONFIG_FILE.read_text(encoding="utf-8").splitlines()
        if line and line != "#" and not line.startswith(("# ", "[")) and not KEY_LINE.fullmatch(line)
    ]
    assert odd == []


@pytest.mark.parametrize(("path", "line", "number"), documented_keys(), ids=lambda value: str(value).split(" ", maxsplit=1)[0])
def test_the_shown_value_is_the_default(path: str, line: str, number: int) -> None:
    default = default_of(path)
    assert line.endswith(EXAMPLE) == (default is None), f"line {number}: only a key without a default shows an example"
    if default is not None:
        (shown,) = tomllib.loads(line).values()
        if isinstance(default, Path):
            default = str(default)
        assert (type(shown), shown) == (type(default), default)


def test_all_lines_uncommented_are_accepted_and_equal_the_defaults_where_there_are_defaults(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^#(?=[a-z_0-9]+ = )", "", CONFIG_FILE.read_text(encoding="utf-8"))
    file = tmp_path / "all.toml"
    file.write_text(text, encoding="utf-8")
    loaded = load_settings(file)
    for path in key_paths():
        default, value = default_of(path), loaded
        for part in path.split("."):
            value = getattr(value, part)
        assert (value == default) is (default is not None), path


@pytest.mark.parametrize("path", key_paths())
def test_every_key_has_an_explanation_that_tells_its_default(path: str) -> None:
    lines = CONFIG_FILE.read_text(encoding="utf-8").splitlines()
    number = next(number for found, _, number in documented_keys() if found == path)
    above = number - 2
    while KEY_LINE.fullmatch(lines[above]):  # keys explained together, as width and height are
        above -= 1
    explanation = []
    while above >= 0 and lines[above].startswith("# "):
        explanation.insert(0, lines[above])
        above -= 1
    assert "Default" in " ".join(explanation)
