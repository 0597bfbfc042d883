"""Which file a command's settings come from."""

import os
from pathlib import Path

import typer

from blinkd.settings_file import DEFAULT_CONFIG_FILE, ENV_CONFIG_FILE


def config_file(context: typer.Context) -> Path:
    """As `load_settings` looks for it; it need not exist."""
    named = context.find_root().params.get("config") or os.environ.get(ENV_CONFIG_FILE)
    return Path(named) if named else DEFAULT_CONFIG_FILE
