"""First run: the terminal's name and time zone."""

import os
import zoneinfo
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.errors import ConfigError
from blinkd.settings_file import load
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.operators.login import sentence
from blinkd.web.admin.settings.changing import RESTART, change
from blinkd.web.admin.settings.list import settings_of
from blinkd.web.admin.setup.steps import STEPS, after, set_standing
from blinkd.web.admin.signed import Signed

STEP = STEPS[1]
KEYS = {"name": "terminal.id", "zone": "terminal.timezone"}


def terminal_router(context: AdminContext) -> APIRouter:
    """Both are settings, and are changed as the Settings screen changes them."""
    router = APIRouter(include_in_schema=False)
    access = context.access

    def show(request: Request, signed: Signed, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None) -> Response:
        now = {setting.key: setting for setting in settings_of("terminal", load(context.live.config), os.environ)}
        return context.render(
            request,
            "admin/setup/terminal.html",
            signed,
            422 if errors else 200,
            name=now[KEYS["name"]],
            zone=now[KEYS["zone"]],
            zones=sorted(zoneinfo.available_timezones()),
            typed=typed or {},
            errors=errors or {},
            following=after(STEP.name),
        )

    @router.get(STEP.path)
    def page(request: Request, signed: Annotated[Signed, access.requires(*STEP.roles)]) -> Response:
        return show(request, signed)

    @router.post(STEP.path)
    def save(request: Request, posted: Annotated[Posted, access.posted(*STEP.roles)]) -> Response:
        with context.live.changing:
            return take_over(request, posted)

    def take_over(request: Request, posted: Posted) -> Response:
        form, signed, now = posted.form, posted.signed, load(context.live.config)
        settings = {setting.key: setting for setting in settings_of("terminal", now, os.environ)}
        typed = {field: form.text(field) for field in KEYS if field in form.fields}
        wanted = {KEYS[field]: text for field, text in typed.items() if not settings[KEYS[field]].why_not}
        try:
            restart = change(context, signed, now, {key: text for key, text in wanted.items() if text != settings[key].value})
        except ConfigError as error:
            fields = {key: field for field, key in KEYS.items()}
            found = {fields[key]: sentence(words) for key, words in error.at.items() if key in fields}
            return show(request, signed, typed, found or {"name": sentence(str(error))})
        with context.store() as store:
            set_standing(store, STEP.name, "done")
        words = f"Saved. The new name is in force after a restart: {RESTART}" if restart else "Saved."
        return context.go(after(STEP.name), signed, "warn" if restart else "ok", words)

    return router
