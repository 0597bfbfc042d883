"""Settings: every key with its reason; what may be changed here is checked as the file is. For technicians."""

import os
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.errors import ConfigError, RequestRefused
from blinkd.overlay import overlay_path, write_overlay
from blinkd.settings import Loaded, load
from blinkd.supervision.reload import merge
from blinkd.web.admin.access import Posted, Signed
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.login import sentence
from blinkd.web.admin.notices import Kind
from blinkd.web.admin.settings_form import changed_by, put
from blinkd.web.admin.settings_list import Setting, sections, settings_of

SETTINGS = "/admin/settings"
RESTART = "sudo systemctl restart blinkd"


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
            wanted = load(context.live.config, desk=values)
            context.parts.reloaded(wanted.settings).shifts  # noqa: B018  what they name can be read
        except ConfigError as error:
            found = {key: sentence(words) for key, words in error.at.items()} or {section: sentence(str(error))}
            return show(request, signed, section, typed, found)
        _write(context, signed, now, wanted, settings, changed)
        return context.go(f"{SETTINGS}/{section}", signed, *_said(now, wanted))

    return router


def _settings(section: str, now: Loaded) -> list[Setting]:
    if section not in sections():
        raise RequestRefused(404, "unknown", "there is no such section of the settings")
    return settings_of(section, now, os.environ)


def _write(context: AdminContext, signed: Signed, now: Loaded, wanted: Loaded, before: list[Setting], changed: list[str]) -> None:
    """All of it or nothing: where the file cannot be written, the audit says nothing of it either. Raises StoreError."""
    old = {setting.key: setting for setting in before}
    new = {setting.key: setting for key in changed for setting in settings_of(key.rpartition(".")[0] or "general", wanted, os.environ)}
    with context.store() as store, store.transaction():
        for key in changed:
            # text may hold an address or a name; what it was stands in the file
            words = "" if old[key].kind in ("text", "list") else f"{old[key].value or 'none'} → {new[key].value or 'none'}"
            context.audit.done(signed, "settings.change", key, reason=words)
        write_overlay(now.settings.state_dir, dict(wanted.desk))
    context.live.take(wanted.settings)
    context.live.tell_daemon()


def _said(now: Loaded, wanted: Loaded) -> tuple[Kind, str]:
    reload = merge(now.settings, wanted.settings)
    parts = []
    if reload.taken:
        parts.append(f"In force within a second: {', '.join(reload.taken)}.")
    if reload.refused:
        parts.append(f"In force after a restart ({RESTART}): {', '.join(reload.refused)}.")
    return ("warn" if reload.refused else "ok"), " ".join(["Saved.", *parts])
