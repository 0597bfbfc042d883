"""The first operator, by the one-time code; and how far the first run has come."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from blinkd.crypto.argon import Hasher
from blinkd.errors import OperatorRefused, RequestRefused, SignInNeeded
from blinkd.store.operators import ROLES
from blinkd.web.admin.access import address_of
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.forms import Fields, read_form
from blinkd.web.admin.operators.account import problem_of
from blinkd.web.admin.operators.login import sentence
from blinkd.web.admin.operators.signing_in import SigningIn
from blinkd.web.admin.setup.code import check_setup_code, spend_setup_code
from blinkd.web.admin.setup.steps import SETUP, STEPS, standings

GUESSES = "setup code"  # as the name of whose tries are counted


def first_router(context: AdminContext, signing_in: SigningIn, hasher: Hasher) -> APIRouter:
    """`/admin/setup`: without a log-in only while there is nobody who could log in."""
    router = APIRouter(include_in_schema=False)

    def show(request: Request, form: Fields | None = None, errors: dict[str, str] | None = None, status: int = 200) -> Response:
        given = form or Fields({}, {})
        values = {"code": given.text("code"), "name": given.text("name")}
        return context.render(request, "admin/setup/first.html", None, status, values=values, errors=errors or {})

    @router.get(SETUP)
    def page(request: Request) -> Response:
        with context.store() as store:
            if not store.operators.any():
                return show(request)
            found = standings(store)
        signed = context.access.looks(request)
        if signed is None:
            raise SignInNeeded
        return context.render(request, "admin/setup/overview.html", signed, steps=STEPS, standings=found)

    @router.post(SETUP)
    async def begin(request: Request) -> Response:
        return await run_in_threadpool(make, request, await read_form(request))

    def make(request: Request, form: Fields) -> Response:
        try:
            signing_in.take_turn(GUESSES, address_of(request))
        except RequestRefused as error:
            return show(request, form, {"code": sentence(str(error))}, error.status)
        now, name = context.clock.now(), form.text("name")
        errors: dict[str, str] = {}
        try:
            with context.store() as store:
                check_setup_code(store, form.text("code"), now)
        except OperatorRefused as error:
            context.audit.refused(None, "setup.first", reason=f"code, from {address_of(request)}")
            return show(request, form, {"code": sentence(str(error))}, 422)
        if not name:
            errors["name"] = "Give the name that you log in with."
        errors |= problem_of(form.raw("password_new"), form.raw("password_again"), name, context.settings.terminal.id)
        if errors:
            return show(request, form, errors, 422)
        hashed = hasher.hash(form.raw("password_new"))
        try:
            with context.store() as store, store.transaction():
                check_setup_code(store, form.text("code"), now)  # again, alone: it is good once
                made = store.operators.add(name, ROLES, hashed, now.utc, temporary=False, first=True)
                spend_setup_code(store)
                store.audit.append(now, made.id, made.roles, "setup.first", f"operator {made.id}")
        except OperatorRefused as error:
            return show(request, form, {"name": sentence(str(error))}, 422)
        answer = RedirectResponse(STEPS[0].path, 303)
        context.access.begin(request, answer, made)
        return answer

    return router
