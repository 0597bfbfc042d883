"""Settings: every key with its reason; what may be changed here is checked as the file is. For technicians."""

import os
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.errors import ConfigError, RequestRefused
from blinkd.overlay import overlay_path
from blinkd.settings_file import Loaded, load
from blinkd.supervision.reload import RENEWED_FOR
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.operators.login import sentence
from blinkd.web.admin.settings.changing import RESTART, Taken, take
from blinkd.web.admin.settings.form import changed_by, put
from blinkd.web.admin.settings.list import Setting, sections, settings_of
from blinkd.web.admin.signed import Signed

SETTINGS = "/admin/settings"
RENEWED_S = 5  # until the pages are there again


def settings_router(context: AdminContext) -> APIRouter:
    """A list of the sections, and a form for each."""
    router = APIRouter(include_in_schema=False)
    access = context.access

    def loaded() -> Loaded:
        return load(context.live.config)

    def show(
        request: Request, signed: Signed, section: str, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None
    ) -> Response:
        now = loaded()
        return context.render(
            request,
            "admin/settings_section.html",
            signed,
            422 if errors else 200,
            section=section,
            sections=sections(),
            settings=_settings(section, now),
            typed=typed or {},
            errors=errors or {},
            trouble=now.trouble,
            restart=RESTART,
        )

    @router.get(SETTINGS)
    def page(request: Request, signed: Annotated[Signed, access.requires("technician")]) -> Response:
        now = loaded()
        found = {name: settings_of(name, now, os.environ) for name in sections()}
        changed = [setting for settings in found.values() for setting in settings if setting.source == "desk"]
        return context.render(
            request,
            "admin/settings.html",
            signed,
            sections=sections(),
            counts={name: len(settings) for name, settings in found.items()},
            changed=changed,
            file=now.file,
            desk=overlay_path(now.settings.state_dir),
            trouble=now.trouble,
        )

    @router.get(f"{SETTINGS}/{{section}}")
    def one(request: Request, section: str, signed: Annotated[Signed, access.requires("technician")]) -> Response:
        return show(request, signed, section)

    @router.post(f"{SETTINGS}/{{section}}")
    def save(request: Request, section: str, posted: Annotated[Posted, access.posted("technician")]) -> Response:
        with context.live.changing:
            return change(request, section, posted)

    def change(request: Request, section: str, posted: Posted) -> Response:
        now, signed = loaded(), posted.signed
        settings = _settings(section, now)
        typed = {setting.key: posted.form.text(setting.key) for setting in settings if setting.key in posted.form.fields}
        values, changed, errors = changed_by(posted.form, settings, section, now)
        if undone := posted.form.text("undo"):
            values, changed, errors = dict(now.desk), [undone] if undone in {one.key for one in settings} else [], {}
            put(values, undone, None) if changed else None
        if errors:
            return show(request, signed, section, typed, errors)
        if not changed:
            return context.go(f"{SETTINGS}/{section}", signed, "ok", "Nothing was changed.")
        try:
            taken = take(context, signed, now, values, changed)
        except ConfigError as error:
            found = {key: sentence(words) for key, words in error.at.items()} or {section: sentence(str(error))}
            return show(request, signed, section, typed, found)
        return _answer(context, request, signed, section, taken)

    return router


def _settings(section: str, now: Loaded) -> list[Setting]:
    if section not in sections():
        raise RequestRefused(404, "unknown", "there is no such section of the settings")
    return settings_of(section, now, os.environ)


def _answer(context: AdminContext, request: Request, signed: Signed, section: str, taken: Taken) -> Response:
    parts = ["Saved."]
    if taken.taken:
        parts.append(f"In force within a second: {', '.join(taken.taken)}.")
    if taken.refused:
        parts.append(f"In force after a restart ({RESTART}): {', '.join(taken.refused)}.")
    path = f"{SETTINGS}/{section}"
    if any(key.startswith(RENEWED_FOR) for key in taken.taken):
        # another process is about to take this one's place: neither a redirection nor what waits to be said would outlast it
        page = context.render(request, "admin/renewing.html", signed, words=" ".join(parts), target=path)
        page.headers["Refresh"] = f"{RENEWED_S}; url={path}"
        return page
    return context.go(path, signed, "warn" if taken.refused else "ok", " ".join(parts))
