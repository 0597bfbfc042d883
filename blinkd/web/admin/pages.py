"""Makes pages from templates: everything that is put into one is escaped."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

import blinkd
from blinkd.settings import Settings
from blinkd.web.admin.access import Signed
from blinkd.web.admin.navigation import screens_of
from blinkd.web.admin.notices import Notices

TEMPLATES = Path(__file__).parents[1] / "templates"


class Pages:
    """The templates of one process."""

    def __init__(self, settings: Callable[[], Settings], notices: Notices) -> None:
        """settings: those in force, for the terminal's name and time zone."""
        self._settings = settings
        self._notices = notices
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,  # a value that was forgotten is an error, not a gap
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["local"] = self._local
        self._environment.filters["day"] = self._day
        self._environment.globals["pairs"] = lambda values: [(one, one) for one in values]  # for a select whose values are their own words

    def render(self, request: Request, template: str, signed: Signed | None, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
        """A page. signed: who sees it, None where nobody is logged in; template: as "admin/x.html", which extends "admin/layout.html"."""
        content = self._environment.get_template(template).render(
            signed=signed,
            csrf="" if signed is None else signed.csrf,
            screens=[] if signed is None else screens_of(signed.roles),
            notices=[] if signed is None else self._notices.take(signed.session_id),
            path=request.url.path,
            terminal=self._settings().terminal.id,
            version=blinkd.__version__,
            **values,
        )
        return HTMLResponse(content, status)

    def _local(self, moment: datetime) -> str:
        """Day and time at the site, to the second."""
        return moment.astimezone(self._settings().terminal.zone).strftime("%Y-%m-%d %H:%M:%S")

    def _day(self, moment: datetime) -> str:
        """Day at the site."""
        return moment.astimezone(self._settings().terminal.zone).strftime("%Y-%m-%d")
