"""What the admin's pages are made with."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from blinkd.clock import Clock
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.database import Store
from blinkd.web.admin.access import Access
from blinkd.web.admin.drawing import Drawing
from blinkd.web.admin.notices import Kind, Notices
from blinkd.web.admin.recorder import Recorder
from blinkd.web.admin.signed import Signed
from blinkd.web.hub import Hub
from blinkd.web.live import Live
from blinkd.web.shared_store import SharedStore


@dataclass(frozen=True, slots=True)
class AdminContext:
    """live: settings and parts in force; hub: the daemon's pictures and events; audit: `audit.done(signed, "people.delete", person_id)`."""

    live: Live
    shared: SharedStore
    hub: Hub
    clock: Clock
    access: Access
    audit: Recorder
    notices: Notices
    drawing: Drawing

    @property
    def settings(self) -> Settings:
        """Those in force; ask anew in each request."""
        return self.live.settings

    @property
    def parts(self) -> Parts:
        """Built from the settings in force; ask anew in each request."""
        return self.live.parts

    def store(self) -> AbstractContextManager[Store]:
        """`with context.store() as store`: alone; keep it short. Within it, it may be taken again."""
        return self.shared.use()

    def render(self, request: Request, template: str, signed: Signed | None, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
        """See `Drawing.render`."""
        return self.drawing.render(request, template, signed, status, **values)

    def go(self, path: str, signed: Signed | None = None, kind: Kind = "ok", words: str = "") -> RedirectResponse:
        """After something was done: to another page, which says so. path: one of ours."""
        if signed is not None and words:
            self.notices.say(signed.session_id, kind, words)
        return RedirectResponse(path, 303)
