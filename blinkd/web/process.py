"""The web process: its servers, what the daemon tells it, and nothing that a door would wait for."""

import threading

from blinkd.parts import Parts
from blinkd.serving.server import Listen, Service, WebServer
from blinkd.settings import Settings, WebSettings
from blinkd.web.app import build_app
from blinkd.web.context import WebContext
from blinkd.web.hub import Hub
from blinkd.web.pages import Pages
from blinkd.web.shared_store import SharedStore

HERE = "127.0.0.1"
STOP_S = 1  # for requests under way: the daemon waits 2.5 s in all
LOCAL = Service("the terminal's pages", "web.", "passwords", "blinkd.web", sockets=True, stop_s=STOP_S)
OPENED = Service("the terminal's pages", "web.tls_", "passwords", "blinkd.web", sockets=True, stop_s=STOP_S)


def run(settings: Settings, events: int | None, pictures: int | None, stop: threading.Event) -> None:
    """Serve until `stop` is set, or the daemon has ended. events, pictures: the display channel. Raises ConfigError."""
    hub = Hub(events, pictures)
    parts = Parts(settings, gallery=True)
    context = WebContext(settings, parts, SharedStore(parts), hub, Pages())
    servers: list[WebServer] = []
    try:
        for listen, service in listens(settings.web):
            app = build_app(context, tls=listen.tls, kiosk=service is LOCAL)
            servers.append(WebServer(app, listen, service))
        for server in servers:
            server.start()
        hub.start(stop.set)
        stop.wait()
    finally:
        for server in servers:
            server.ask_to_stop()
        for server in servers:
            server.stop()
        context.store.close()


def listens(settings: WebSettings) -> list[tuple[Listen, Service]]:
    """This machine, always; and the network, where the settings open it."""
    found = [(Listen(HERE if settings.opened else settings.host, settings.port), LOCAL)]
    if settings.opened:
        found.append((Listen(settings.host, settings.tls_port, settings.certificate, settings.key), OPENED))
    return found
