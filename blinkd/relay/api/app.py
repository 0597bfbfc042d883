"""Builds the HTTP API from its parts."""

from collections.abc import Mapping
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.cors import CORSMiddleware

import blinkd
from blinkd.clock import Clock, SystemClock
from blinkd.errors import StoreError
from blinkd.relay.api.answers import Outside, add_error_answers
from blinkd.relay.api.attendance import attendance_router
from blinkd.relay.api.claims import ClaimStorage, claims_router
from blinkd.relay.api.dashboard import dashboard_router
from blinkd.relay.api.embeddings import PictureEmbedder, embeddings_router
from blinkd.relay.api.guard import Guard
from blinkd.relay.api.limits import RateLimits
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.pages import pages_router
from blinkd.relay.api.sealed import SealedRecords
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.users import users_router
from blinkd.relay.api.vision import LocalVision
from blinkd.relay.connections import Connections
from blinkd.relay.dashboard.pages import Pages
from blinkd.relay.dashboard.readings import Readings
from blinkd.settings import Settings

ENGINE = "BLINK Core"  # as the origin says it: its app may look


def create_app(connections: Connections, records: SealedRecords, settings: Settings) -> FastAPI:
    """The application as the settings want it; tables and sealed records are those of the relay's database."""
    simulated = settings.vision.precision == "simulated"
    return build_app(
        ApiStorage(connections), records, LocalVision(settings), ApiOptions.of(settings.relay), SystemClock(), simulated=simulated
    )


def build_app(
    storage: ApiStorage, records: SealedRecords, embedder: PictureEmbedder, options: ApiOptions, clock: Clock, *, simulated: bool = False
) -> FastAPI:
    """The application. simulated: whether embeddings are those of the simulated projection, which /health says."""
    limits = RateLimits(options, lambda: clock.now().utc)
    guard = Guard(storage, limits, clock)
    app = FastAPI(
        title="blinkd relay",
        version=blinkd.__version__,
        description="Takes sealed records of terminals and, where its operator allows it, the clear ones of the origin's mobile app.",
        docs_url=None,  # FastAPI's own pages load their scripts from other origins
        redoc_url=None,
        redirect_slashes=False,
    )
    if options.dashboard_origins:  # a token is no cookie: no browser adds it to what another origin's page asks
        app.add_middleware(CORSMiddleware, allow_origins=options.dashboard_origins, allow_methods=["GET"], allow_headers=["Authorization"])
    app.add_middleware(Outside, count=limits.address, tls=options.tls)
    add_error_answers(app)

    @app.get("/health", tags=["health"], summary="Whether the relay works, and what it takes")
    def health() -> JSONResponse:
        """Needs no token. plain_records: whether names, ids and times are taken in clear."""
        try:
            storage.ping()
        except StoreError:
            status, code = "unhealthy", 503
        else:
            status, code = "healthy", 200
        answer = {"status": status, "engine": ENGINE, "simulated_fallback": simulated, "plain_records": options.plain_records}
        return JSONResponse(answer, code)

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(page_of(app.openapi()))

    app.include_router(users_router(storage, records, guard, options))
    app.include_router(attendance_router(storage, records, guard, options))
    app.include_router(embeddings_router(embedder, guard, limits))
    app.include_router(dashboard_router(Readings(storage.connections), guard))
    if options.dashboard:
        app.include_router(pages_router(Pages.read()))
    if options.claims:
        app.include_router(claims_router(ClaimStorage(storage.connections), limits, clock))
    return app


def page_of(document: Mapping[str, Any]) -> str:
    """The OpenAPI document as a plain page, without script, style or anything from elsewhere."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    rows = "".join(
        f"<tr><td><code>{escape(method.upper())} {escape(path)}</code></td><td>{escape(one.get('summary', ''))}</td>"
        f"<td>{escape(one.get('description', ''))}</td><td>{'yes' if one.get('security') else 'no'}</td></tr>"
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body><h1>{title}</h1>'
        f"<p>{escape(document['info']['description'])}</p><table border><thead><tr><th>address</th><th>what</th><th>details</th><th>token</th></tr></thead>"
        f'<tbody>{rows}</tbody></table><p><a href="openapi.json">openapi.json</a> describes the bodies for programs.</p></body></html>'
    )
