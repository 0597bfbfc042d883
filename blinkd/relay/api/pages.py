"""/dashboard/: the organisation's pages. They are the same for everybody and hold nothing, so they need no token."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from blinkd.relay.dashboard.pages import INDEX, TYPES, Pages

PATH = "/dashboard"


def pages_router(pages: Pages) -> APIRouter:
    """The pages, as they were when the relay began."""
    router = APIRouter(include_in_schema=False)
    headers = pages.headers()

    @router.get(PATH)
    def without_slash() -> RedirectResponse:
        return RedirectResponse(f"{PATH}/", 308)  # the pages name each other relative to their folder

    @router.get(f"{PATH}/")
    def index() -> Response:
        return answer(INDEX)

    @router.get(f"{PATH}/{{name}}")
    def file(name: str) -> Response:
        if name not in pages.files:
            raise HTTPException(404)
        return answer(name)

    def answer(name: str) -> Response:
        return Response(pages.files[name], media_type=TYPES[name[name.rindex(".") :]], headers=headers)

    return router
