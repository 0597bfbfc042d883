"""The server of the HTTP API, beside the relay's own work."""

from fastapi import FastAPI

from blinkd.serving.server import Listen, Service, WebServer
from blinkd.settings import RelaySettings

HTTP_API = Service("the HTTP API", "relay.http_", "tokens", "blinkd.relay.api", behind_proxy=True)


def listen_at(settings: RelaySettings) -> Listen:
    """Where the settings want it."""
    certificate, key, proxies = settings.http_certificate, settings.http_key, tuple(settings.http_proxies)
    return Listen(settings.http_host, settings.http_port, certificate, key, proxies)


class ApiServer(WebServer):
    """The API, served."""

    def __init__(self, app: FastAPI, listen: Listen) -> None:
        """Take the address. Raises ConfigError when it is not free, or would not be safe."""
        super().__init__(app, listen, HTTP_API)
