"""The releases that install.sh keeps below /opt/blinkd, and which of them is in force."""

from dataclasses import dataclass
from pathlib import Path

OPT = Path("/opt/blinkd")


@dataclass(frozen=True, slots=True)
class Release:
    """name: of its folder; standing: "in force", "before" (rollback goes there) or nothing."""

    name: str
    standing: str


def releases(opt: Path = OPT) -> list[Release]:
    """By name, the newest last; empty where blinkd runs from a checkout."""
    current, previous = _target(opt / "current"), _target(opt / "previous")
    try:
        names = sorted(path.name for path in (opt / "releases").iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []
    return [Release(name, "in force" if name == current else "before" if name == previous else "") for name in names]


def _target(link: Path) -> str:
    try:
        return link.readlink().name
    except OSError:
        return ""
