"""Texts of the pages, one TOML file for each language. A new language is a new file with the same keys."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from blinkd.errors import ConfigError

FOLDER = Path(__file__).parent
FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """code: as of HTML's lang; name: in itself; direction: in which it is written; texts: by section and key."""

    code: str
    name: str
    direction: Literal["ltr", "rtl"]
    texts: Mapping[str, Mapping[str, str]]


def codes(folder: Path = FOLDER) -> list[str]:
    """The languages that there are."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load_language(code: str, folder: Path = FOLDER) -> Language:
    """Raises ConfigError for a language that there is not, or whose file is no TOML."""
    if code not in codes(folder):  # also keeps paths out
        raise ConfigError(f"kiosk.language is {code!r}, for which there is no file in {folder}; there are {', '.join(codes(folder))}")
    try:
        content: dict[str, Any] = tomllib.loads((folder / f"{code}.toml").read_text(encoding="utf-8"))
        name, direction = content.pop("name"), content.pop("direction")
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{folder / code}.toml: cannot be used: {error}; {FALLBACK}.toml shows the form") from None
    return Language(code, str(name), "rtl" if direction == "rtl" else "ltr", content)
