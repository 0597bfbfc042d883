"""Renders the pages from templates. Whatever is put into one is text, never markup."""

from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

import blinkd

TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """The templates of `templates/`."""

    def __init__(self, folder: Path = TEMPLATES, filters: Mapping[str, Callable[..., object]] | None = None) -> None:
        """filters: by their names in the templates, beside Jinja's own."""
        self._environment = Environment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters.update(filters or {})
        self._environment.globals["version"] = blinkd.__version__

    def text(self, template: str, **values: object) -> str:
        """The page itself. template: its file, as "kiosk/kiosk.html"."""
        return self._environment.get_template(template).render(**values)

    def answer(self, template: str, status: int = 200, **values: object) -> HTMLResponse:
        """The page as an answer."""
        return HTMLResponse(self.text(template, **values), status)
