"""The headers that every answer of the pages carries: what a browser may do with it, and where from it may load anything."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Everything from here and nothing from elsewhere; no script and no style within a page, so that a name that got into one could do nothing.
# blob: pictures that a script was handed are shown by it
CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
STRICT_TRANSPORT = "max-age=31536000"  # a year: a client that came over TLS once never comes without


class PageHeaders:
    """ASGI: adds the headers, where the answer does not have its own."""

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        """tls: whether the client came over TLS, which it shall always do then."""
        self._app = app
        self._headers = PAGE_HEADERS | ({"Strict-Transport-Security": STRICT_TRANSPORT} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, finish if scope["type"] == "http" else send)
