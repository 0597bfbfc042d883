"""Static files of pages: scripts, styles and pictures that come with the program."""

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

SHARED = Path(__file__).parent / "static"


class PageFiles(StaticFiles):
    """A folder. Browsers ask each time whether a file is still the same, so that an update never leaves a page with scripts of two versions."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """As StaticFiles."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def shared_files() -> PageFiles:
    """What all pages share: base.css, and what is vendored."""
    return PageFiles(directory=SHARED)
