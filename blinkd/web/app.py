"""Puts the terminal's own pages together: kiosk and administration."""

from pathlib import Path

from fastapi import FastAPI

import blinkd
from blinkd.serving.files import PageFiles, shared_files
from blinkd.serving.headers import PageHeaders
from blinkd.web.admin.making import Desk
from blinkd.web.admin.routers import admin_routers
from blinkd.web.admin.wiring import add_admin
from blinkd.web.context import WebContext
from blinkd.web.gate import Gate
from blinkd.web.kiosk.router import kiosk_router

STATIC = Path(__file__).parent / "static"


def build_app(context: WebContext, desk: Desk, *, tls: bool = False, kiosk: bool = True) -> FastAPI:
    """The application. desk: the administration; tls: whether it is served over TLS; kiosk: whether the page of the display is among it, which no network shall see."""
    app = FastAPI(title="blinkd", version=blinkd.__version__, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Gate, names=lambda: context.settings.web.names)
    app.add_middleware(PageHeaders, tls=tls)
    app.mount("/shared", shared_files())
    app.mount("/static", PageFiles(directory=STATIC))
    if kiosk:
        app.include_router(kiosk_router(context))
    add_admin(app, desk.context, admin_routers(desk))
    return app
