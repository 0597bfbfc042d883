"""What the admin's pages are made with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from blinkd.clock import Clock
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.supervision.reload import merge
from blinkd.web.admin.access import Access, Signed
from blinkd.web.admin.notices import Kind, Notices
from blinkd.web.admin.pages import Pages
from blinkd.web.admin.recorder import Recorder
from blinkd.web.shared_store import SharedStore


class Live:
    """The settings that are in force in this process, and the parts that are built from them; replaced when they are read again."""

    def __init__(self, settings: Settings, config: Path | None = None, tell_daemon: Callable[[], None] = lambda: None) -> None:
        """config: the file that they came from, None for the usual one; tell_daemon: that it shall read them again."""
        self.settings = settings
        self.config = config
        self.tell_daemon = tell_daemon
        self.parts = Parts(settings, gallery=True)

    def take(self, settings: Settings) -> None:
        """From now on these, as far as they need no restart; networks that are loaded stay."""
        taken = merge(self.settings, settings).settings
        self.parts = self.parts.reloaded(taken)
        self.settings = taken


@dataclass(frozen=True, slots=True)
class AdminContext:
    """live: settings and parts; store: `with context.store() as store`; audit: `context.audit.done(signed, "people.delete", person_id)`."""

    live: Live
    store: SharedStore
    clock: Clock
    access: Access
    audit: Recorder
    notices: Notices
    pages: Pages

    @property
    def settings(self) -> Settings:
        """Those in force; ask anew in each request."""
        return self.live.settings

    @property
    def parts(self) -> Parts:
        """Built from the settings in force; ask anew in each request."""
        return self.live.parts

    def render(self, request: Request, template: str, signed: Signed | None, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
        """See `Pages.render`."""
        return self.pages.render(request, template, signed, status, **values)

    def go(self, path: str, signed: Signed | None = None, kind: Kind = "ok", words: str = "") -> RedirectResponse:
        """After something was done: to another page, which says so. path: one of ours."""
        if signed is not None and words:
            self.notices.say(signed.session_id, kind, words)
        return RedirectResponse(path, 303)
