"""The web process: its servers, what the daemon tells it, and nothing that a door would wait for."""

import os
import signal
import threading
from functools import partial
from pathlib import Path

from blinkd.serving.server import Listen, Service, WebServer
from blinkd.settings import Settings, WebSettings
from blinkd.web.admin.making import make_desk
from blinkd.web.app import build_app
from blinkd.web.context import WebContext
from blinkd.web.hub import Hub
from blinkd.web.live import Live
from blinkd.web.pages import Pages
from blinkd.web.shared_store import SharedStore

HERE = "127.0.0.1"
LOOK_S = 0.5  # between two looks whether the settings are to be read again
STOP_S = 1  # for requests under way: the daemon waits 2.5 s in all
LOCAL = Service("the terminal's pages", "web.", "passwords", "blinkd.web", sockets=True, stop_s=STOP_S)
OPENED = Service("the terminal's pages", "web.tls_", "passwords", "blinkd.web", sockets=True, stop_s=STOP_S)


def run(
    settings: Settings,
    config: Path | None,
    parent: int | None,
    events: int | None,
    pictures: int | None,
    stop: threading.Event,
    reload: threading.Event,
) -> None:
    """Serve until `stop` is set, or the daemon has ended; `reload`: read the settings again. Raises ConfigError.

    config: the settings' file; parent: the daemon, which is told when they change here; events, pictures: the display channel.
    """
    hub = Hub(events, pictures)
    live = Live(settings, config, partial(_tell, parent))
    context = WebContext(live, SharedStore(live.parts), hub, Pages())
    desk = make_desk(live, context.store, hub, context.clock)
    servers: list[WebServer] = []
    try:
        for listen, service in listens(settings.web):
            app = build_app(context, desk, tls=listen.tls, kiosk=service is LOCAL)
            servers.append(WebServer(app, listen, service))
        for server in servers:
            server.start()
        hub.start(stop.set)
        while not stop.wait(LOOK_S):
            if reload.is_set():
                reload.clear()
                live.read_again()
    finally:
        for server in servers:
            server.ask_to_stop()
        for server in servers:
            server.stop()
        desk.close()
        context.store.close()


def _tell(daemon: int | None) -> None:
    """Let the daemon read the settings again; it tells this process then, too."""
    if daemon is not None and os.getppid() == daemon:
        os.kill(daemon, signal.SIGHUP)


def listens(settings: WebSettings) -> list[tuple[Listen, Service]]:
    """This machine, always; and the network, where the settings open it."""
    found = [(Listen(HERE if settings.opened else settings.host, settings.port), LOCAL)]
    if settings.opened:
        found.append((Listen(settings.host, settings.tls_port, settings.certificate, settings.key), OPENED))
    return found
