"""The pages, served in this process, with the daemon's side of the display channel in the test's hands."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from blinkd.capture.frame import Frame
from blinkd.clock import SystemClock
from blinkd.outputs.channel import PictureInfo
from blinkd.outputs.mirror import Shot
from blinkd.outputs.port import Health, PartHealth, PartState
from blinkd.outputs.screen import Screen
from blinkd.serving.server import Listen, WebServer
from blinkd.session.events import Event, EventKind
from blinkd.settings import KioskSettings, Settings, TerminalSettings
from blinkd.web.admin.making import make_desk
from blinkd.web.app import build_app
from blinkd.web.context import WebContext
from blinkd.web.hub import Hub
from blinkd.web.live import Live
from blinkd.web.pages import Pages
from blinkd.web.process import LOCAL
from blinkd.web.shared_store import SharedStore

__all__ = ["PictureInfo", "Shot", "Stage", "staged"]

WELL: tuple[tuple[str, PartState], ...] = (("camera", "ok"), ("vision", "ok"), ("store", "ok"), ("clock", "ok"), ("sync", "ok"))


class Stage:
    """What the daemon would do, done by hand. port: where the pages are."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.screen = Screen(settings.kiosk, SystemClock())
        self.port = 0
        self.context = self._context(Hub())
        self._server: WebServer | None = None
        self._session = 0
        self._index = 0
        self._shown = threading.Event()
        self._artist: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Serve; at the same port when it was open before."""
        with self.screen.channel() as (events, pictures):
            hub = Hub(os.dup(events), os.dup(pictures))
        self.context = self._context(hub)
        desk = make_desk(self.context.live, self.context.store, hub, self.context.clock)
        self._server = WebServer(build_app(self.context, desk), Listen(port=self.port), LOCAL)
        self.port = self._server.port
        self._server.start()
        hub.start(lambda: None)

    def close(self) -> None:
        """The web process has ended; the daemon goes on."""
        if self._server is not None:
            self._server.stop()
        self._server = None
        self.context.store.close()

    def end(self) -> None:
        self._shown.set()
        if self._artist is not None:
            self._artist.join()
        self.screen.close()
        self.close()

    def say(self, kind: EventKind, session: int | None = None, **details: object) -> None:
        self._session += kind == "session_started"
        self.screen.event(Event(0.0, self._session if session is None else session, kind, details))

    def health(self, *changed: tuple[str, PartState], pending: int = 0) -> None:
        parts = {**dict(WELL), **dict(changed)}
        self.screen.health(Health(tuple(PartHealth(name, state) for name, state in parts.items()), 15.0, 3, 3, pending, 0, 40.0))

    def greet(self, name: str, status: str = "CHECK_IN", punctuality: str = "ON_TIME", minutes: int = 0, seq: int = 1) -> None:
        """A whole visit."""
        self.say("session_started")
        self.say("punch", person_id="E-1", name=name, status=status, punctuality=punctuality, minutes=minutes, seq=seq)
        self.say("session_ended", outcome="punch")

    def refuse(self, reason: str) -> None:
        self.say("session_started")
        self.say("refused", reason=reason)
        self.say("session_ended", outcome="refused")

    def film(self, state: str = "tracking", hint: str = "") -> None:
        """Pictures with a face, until the end: a grey room, and where the face would be, a brighter place."""
        image = np.full((480, 640, 3), 70, np.uint8)
        image[90:400, 200:430] = (120, 150, 190)

        def draw() -> None:
            while not self._shown.wait(0.05):
                self._index += 1
                frame = Frame(image, SystemClock().monotonic(), self._index)
                self.screen._mirror.show(Shot(frame, (0.31, 0.19, 0.36, 0.64), state, hint, mirrored=False))

        self._artist = threading.Thread(target=draw, daemon=True)
        self._artist.start()

    def _context(self, hub: Hub) -> WebContext:
        live = Live(self.settings)
        return WebContext(live, SharedStore(live.parts), hub, Pages())


@contextmanager
def staged(state: Path, **kiosk: object) -> Iterator[Stage]:
    """kiosk: settings of [kiosk]."""
    terminal = TerminalSettings(timezone="Europe/Madrid")
    stage = Stage(Settings(state_dir=state, terminal=terminal, kiosk=KioskSettings.model_validate(kiosk)))
    stage.open()
    stage.health()
    try:
        yield stage
    finally:
        stage.end()
