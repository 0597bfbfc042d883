"""What the pages work with."""

from dataclasses import dataclass

from blinkd.clock import Clock
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.web.hub import Hub
from blinkd.web.pages import Pages
from blinkd.web.shared_store import SharedStore


@dataclass(frozen=True, slots=True)
class WebContext:
    """One for the process. hub: what the daemon says and shows; store: shared by all requests."""

    settings: Settings
    parts: Parts
    store: SharedStore
    hub: Hub
    pages: Pages

    @property
    def clock(self) -> Clock:
        """The machine's."""
        return self.parts.clock
