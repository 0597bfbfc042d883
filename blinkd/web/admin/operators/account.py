"""One's own password."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.crypto.argon import Hasher
from blinkd.crypto.passwords import OPERATOR_STAKES, check_new_password
from blinkd.errors import PasswordRefused, RequestRefused
from blinkd.web.admin.access import Posted, address_of
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.navigation import home_of
from blinkd.web.admin.operators.login import sentence
from blinkd.web.admin.operators.signing_in import Attempt, SigningIn
from blinkd.web.admin.signed import Signed

ACCOUNT = "/admin/account"


def account_router(context: AdminContext, signing_in: SigningIn, hasher: Hasher) -> APIRouter:
    """Whoever is logged in may change their password, with the old one in hand."""
    router = APIRouter(include_in_schema=False)

    def show(request: Request, signed: Signed, errors: dict[str, str]) -> Response:
        return context.render(request, "admin/account.html", signed, 422 if errors else 200, errors=errors)

    @router.get(ACCOUNT)
    def page(request: Request, signed: Annotated[Signed, context.access.requires()]) -> Response:
        return show(request, signed, {})

    @router.post(ACCOUNT)
    def change(request: Request, posted: Annotated[Posted, context.access.posted()]) -> Response:
        signed, form = posted.signed, posted.form
        new = form.raw("password_new")
        try:
            operator = signing_in.sign_in(Attempt(signed.operator.name, form.raw("password_old"), address_of(request)))
        except RequestRefused as error:
            words = "this is not your present password" if error.status == 401 else str(error)
            return show(request, signed, {"password_old": sentence(words)})
        if problem := problem_of(new, form.raw("password_again"), signed.operator.name, context.settings.terminal.id):
            return show(request, signed, problem)
        if new == form.raw("password_old"):
            return show(request, signed, {"password_new": "This is the password that you have; choose another one."})
        hashed = hasher.hash(new)
        with context.store() as store, store.transaction():
            store.operators.set_password(operator.id, hashed, temporary=False)
            context.audit.done(signed, "account.password", f"operator {operator.id}")
            changed = store.operators.named(operator.name)
        answer = context.go(home_of(changed.roles))
        fresh = context.access.begin(request, answer, changed)  # the old session has ended with the old password
        context.notices.say(fresh.session_id, "ok", "Your password is changed. Wherever else you were logged in, you are not any more.")
        return answer

    return router


def problem_of(new: str, again: str, *familiar: str, stakes: str = OPERATOR_STAKES) -> dict[str, str]:
    """What is wrong with a password that was typed twice, by the field `password_new` or `password_again`; nothing for a good one."""
    try:
        check_new_password(new, *familiar, stakes=stakes)
    except PasswordRefused as error:
        return {"password_new": sentence(str(error))}
    return {} if new == again else {"password_again": "This is not the same as above; type both once more."}
