"""The settings that are in force in the web process, and the parts that are built from them."""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from blinkd.errors import ConfigError
from blinkd.parts import Parts
from blinkd.settings import DEFAULT_CONFIG_FILE, ENV_CONFIG_FILE, Settings, load_settings
from blinkd.supervision.reload import merge

log = logging.getLogger(__name__)


class Live:
    """Replaced when they are read again, so ask anew in each request: forms and drafts of the process outlast a change of the settings."""

    def __init__(self, settings: Settings, config: Path | None = None, tell_daemon: Callable[[], None] = lambda: None) -> None:
        """config: the file that they came from, None for the usual one; tell_daemon: that it shall read them again."""
        self.settings = settings
        self.config = config
        self.tell_daemon = tell_daemon
        self.changing = threading.RLock()  # held from reading to writing by whoever changes them, so that no change undoes another
        self.parts = Parts(settings, gallery=True)

    @property
    def config_file(self) -> Path:
        """As `load_settings` looks for it; it need not exist."""
        named = self.config or os.environ.get(ENV_CONFIG_FILE)
        return Path(named) if named else DEFAULT_CONFIG_FILE

    def take(self, settings: Settings) -> None:
        """From now on these, as far as they need no restart; networks that are loaded stay."""
        taken = merge(self.settings, settings).settings
        self.parts = self.parts.reloaded(taken)
        self.settings = taken

    def read_again(self) -> None:
        """From the file and what was changed at the desk; where they cannot be used, those that there are stay."""
        try:
            self.take(load_settings(self.config))
        except ConfigError as error:
            log.error("the settings stay as they were: %s", error)
