"""Draws the admin's pages: what every one of them shows, beside what it is about."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from blinkd.settings import Settings
from blinkd.web.admin.navigation import screens_of
from blinkd.web.admin.notices import Notices
from blinkd.web.admin.signed import Signed
from blinkd.web.pages import Pages

# Browsers that say by Origin where a form comes from say "null" under the kiosk's no-referrer
HEADERS = {"Referrer-Policy": "same-origin"}


class Drawing:
    """For templates that extend "admin/layout.html"."""

    def __init__(self, settings: Callable[[], Settings], notices: Notices) -> None:
        """settings: those in force, for the terminal's name and time zone."""
        self._settings = settings
        self._notices = notices
        self._pages = Pages(filters={"local": self._local, "day": self._day, "pairs": _pairs})

    def render(self, request: Request, template: str, signed: Signed | None, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
        """A page. signed: who sees it, None where nobody is logged in."""
        page = self._pages.answer(
            template,
            status,
            signed=signed,
            csrf="" if signed is None else signed.csrf,
            screens=[] if signed is None else screens_of(signed.roles),
            notices=[] if signed is None else self._notices.take(signed.session_id),
            path=request.url.path,
            terminal=self._settings().terminal.id,
            **values,
        )
        page.headers.update(HEADERS)
        return page

    def _local(self, moment: datetime) -> str:
        """Day and time at the site, to the second."""
        return moment.astimezone(self._settings().terminal.zone).strftime("%Y-%m-%d %H:%M:%S")

    def _day(self, moment: datetime) -> str:
        """Day at the site."""
        return moment.astimezone(self._settings().terminal.zone).strftime("%Y-%m-%d")


def _pairs(values: list[str]) -> list[tuple[str, str]]:
    """Choices whose values are their own words."""
    return [(one, one) for one in values]
