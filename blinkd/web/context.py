"""What the pages work with."""

from dataclasses import dataclass

from blinkd.clock import Clock
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.web.hub import Hub
from blinkd.web.live import Live
from blinkd.web.pages import Pages
from blinkd.web.shared_store import SharedStore


@dataclass(frozen=True, slots=True)
class WebContext:
    """One for the process. live: the settings in force; hub: what the daemon says and shows; store: shared by all requests."""

    live: Live
    store: SharedStore
    hub: Hub
    pages: Pages

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self.live.settings

    @property
    def parts(self) -> Parts:
        """Built from the settings in force."""
        return self.live.parts

    @property
    def clock(self) -> Clock:
        """The machine's."""
        return self.live.parts.clock
