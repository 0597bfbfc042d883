"""Python modules as parts of a scenario."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from blinkd.errors import ServerFailed
from blinkd.measure.servers.server import Server

ROOT = Path(__file__).parents[3]


class Module(Server):
    """`python -m MODULE ARGUMENTS` in the checkout. ready: words that it writes on standard error when it works."""

    def __init__(self, name: str, ready: str, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(name, ready, {"PYTHONUNBUFFERED": "1", **(environment or {})}, folder=ROOT)
        self._words = [sys.executable, "-m", module, *arguments]

    def command(self) -> Sequence[str | Path]:
        return self._words

    def launch(self) -> None:
        self.check()
        super().launch()

    def check(self) -> None:
        """Raises ServerFailed where it has ended with a traceback: it is to work on through everything that a scenario does to others."""
        if any(line.startswith("Traceback") for line in self.log[self._begun :]):
            raise ServerFailed(f"{self.name} failed by itself:\n" + "\n".join(self.log[-80:]))
