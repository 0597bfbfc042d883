"""How commands print: one JSON value, NDJSON, or words for people."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console

JsonFlag = typer.Option(False, "--json", help="Print JSON instead of text.")


def print_json(value: Any) -> None:  # noqa: ANN401  any JSON value
    """Print one JSON value on a line of its own; text stays readable, so that names keep their letters."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def console() -> Console:
    """For words, tables and progress on standard output."""
    return Console(highlight=False, soft_wrap=True)


def notes() -> Console:
    """For progress and remarks on standard error, which never mix with JSON."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def one_line(details: Mapping[str, Any]) -> str:
    """Members of an event in words: key=value, in their order; members of a member as name:value."""
    return "  ".join(f"{key}={_plain(value)}" for key, value in details.items())


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{inner}" for name, inner in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else value
