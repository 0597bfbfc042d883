"""All of the admin's pages."""

from fastapi import APIRouter

from blinkd.doctor import examine
from blinkd.web.admin.dashboard import dashboard_router
from blinkd.web.admin.logs.corrections import corrections_router
from blinkd.web.admin.logs.exports import exports_router
from blinkd.web.admin.logs.logs import logs_router
from blinkd.web.admin.making import Desk
from blinkd.web.admin.operators.account import account_router
from blinkd.web.admin.operators.audit import audit_router
from blinkd.web.admin.operators.login import login_router
from blinkd.web.admin.operators.page import operators_router
from blinkd.web.admin.people.people import people_router
from blinkd.web.admin.people.register import register_router
from blinkd.web.admin.settings.page import settings_router
from blinkd.web.admin.setup.camera import camera_router
from blinkd.web.admin.setup.first import first_router
from blinkd.web.admin.setup.organisation import organisation_router
from blinkd.web.admin.setup.punch import punch_router
from blinkd.web.admin.setup.terminal import terminal_router
from blinkd.web.admin.system.examining import Examining
from blinkd.web.admin.system.page import system_router


def admin_routers(desk: Desk) -> list[APIRouter]:
    """One for each screen."""
    context, live = desk.context, desk.context.live
    return [
        login_router(context, desk.signing_in, desk.kept),
        account_router(context, desk.signing_in, desk.hasher),
        first_router(context, desk.signing_in, desk.hasher),
        organisation_router(context),
        terminal_router(context),
        camera_router(context),
        punch_router(context),
        operators_router(context, desk.hasher),
        audit_router(context),
        settings_router(context),
        dashboard_router(context),
        logs_router(context),
        exports_router(context),
        corrections_router(context),
        people_router(context, desk.receipts),
        register_router(context, desk.studio),
        system_router(context, Examining(lambda: examine(live.settings, live.config_file), context.clock)),
    ]
