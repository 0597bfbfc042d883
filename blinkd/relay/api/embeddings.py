"""/api/v1/embeddings: the embedding of the largest face in a picture, which is looked at in memory and forgotten."""

import threading
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from blinkd.errors import RequestRefused
from blinkd.relay.api.bodies import read_form
from blinkd.relay.api.guard import Guard
from blinkd.relay.api.limits import RateLimits
from blinkd.relay.api.multipart import file_of
from blinkd.relay.api.schemas import POST_EMBEDDING
from blinkd.relay.api.tokens import Scope, Token

PATH = "/api/v1/embeddings"
LARGEST_PICTURE = 10 * 1024 * 1024  # bytes; a phone's picture has 2 to 6 MB
FORM_ALLOWANCE = 16 * 1024  # bytes of a form around its file
MOST_AT_ONCE = 4  # pictures in memory; one of them is being looked at
BUSY_RETRY_S = 2


class PictureEmbedder(Protocol):
    """Looks at pictures, one at a time."""

    def embed(self, picture: bytes) -> dict[str, Any]:
        """The members embedding, dimension and model_precision for the largest face of an encoded picture.

        Raises RequestRefused: 501 no_vision, 422 no_face or no_picture.
        """


class Desk:
    """Lets few pictures in at a time, and one to the networks."""

    def __init__(self, embedder: PictureEmbedder) -> None:
        self._embedder = embedder
        self._one = threading.Lock()
        self._inside = 0  # changed in the event loop's thread only

    async def serve(self, request: Request) -> dict[str, Any]:
        """Read the picture, look at it, forget it."""
        if self._inside >= MOST_AT_ONCE:
            raise RequestRefused(503, "busy", f"{MOST_AT_ONCE} pictures are being looked at; try again in {BUSY_RETRY_S} s", BUSY_RETRY_S)
        self._inside += 1
        try:
            kind, body = await read_form(request, LARGEST_PICTURE + FORM_ALLOWANCE)
            return await run_in_threadpool(self._look, kind, body)
        finally:
            self._inside -= 1

    def _look(self, kind: str, body: bytes) -> dict[str, Any]:
        picture = file_of(kind, body)
        if len(picture) > LARGEST_PICTURE:
            raise RequestRefused(413, "too_large", f"the picture has more than {LARGEST_PICTURE} bytes; send a smaller one")
        with self._one:
            return {"success": True} | self._embedder.embed(picture)


def embeddings_router(embedder: PictureEmbedder, guard: Guard, limits: RateLimits) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["embeddings"])
    desk = Desk(embedder)

    @router.post(PATH, summary="The embedding of a picture's largest face", openapi_extra=POST_EMBEDDING)
    async def post(request: Request, token: Annotated[Token, Depends(guard.requires(Scope.EMBEDDINGS))]) -> dict[str, Any]:
        """A form with the field `file`: JPEG, PNG, WebP, BMP or TIFF. Neither picture nor embedding is stored."""
        limits.embedding(token.id)
        return await desk.serve(request)

    return router
