"""Operators: who may log in, and as what. For supervisors."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.crypto.argon import Hasher
from blinkd.errors import OperatorRefused, RequestRefused
from blinkd.store.operators import ROLES, Operator, Role
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.forms import Fields
from blinkd.web.admin.operators.account import problem_of
from blinkd.web.admin.operators.login import sentence
from blinkd.web.admin.signed import Signed

OPERATORS = "/admin/operators"
ROLE_WORDS = {
    "supervisor": "Supervisor: enrols people, corrects the book, says who may log in",
    "hr": "HR: reads the hours, exports them, people's consent and deletion",
    "technician": "Technician: settings and the system, sees no names",
}


def operators_router(context: AdminContext, hasher: Hasher) -> APIRouter:
    """A list, a form for a new one, and a page of each."""
    router = APIRouter(include_in_schema=False)
    access = context.access

    def show(request: Request, signed: Signed, form: Fields | None = None, errors: dict[str, str] | None = None) -> Response:
        with context.store() as store:
            operators = store.operators.all()
        given = form or Fields({}, {})
        values = {"name": given.text("name"), "roles": given.texts("role")}
        status = 422 if errors else 200
        return context.render(
            request, "admin/operators.html", signed, status, operators=operators, roles=ROLE_WORDS, values=values, errors=errors or {}
        )

    def show_one(request: Request, signed: Signed, one: Operator, errors: dict[str, str] | None = None) -> Response:
        return context.render(
            request, "admin/operator.html", signed, 422 if errors else 200, one=one, roles=ROLE_WORDS, errors=errors or {}
        )

    @router.get(OPERATORS)
    def page(request: Request, signed: Annotated[Signed, access.requires("supervisor")]) -> Response:
        return show(request, signed)

    @router.post(OPERATORS)
    def add(request: Request, posted: Annotated[Posted, access.posted("supervisor")]) -> Response:
        form, signed = posted.form, posted.signed
        name = form.text("name")
        errors = problem_of(form.raw("password_new"), form.raw("password_again"), name, context.settings.terminal.id)
        if not name:
            errors["name"] = "Give the name that they log in with."
        if not form.texts("role"):
            errors["role"] = "Tick one role at least."
        if errors:
            return show(request, signed, form, errors)
        hashed = hasher.hash(form.raw("password_new"))
        try:
            with context.store() as store, store.transaction():
                made = store.operators.add(name, _roles(form), hashed, context.clock.now().utc, temporary=True)
                context.audit.done(signed, "operators.add", f"operator {made.id}", reason=" ".join(sorted(made.roles)))
        except OperatorRefused as error:
            return show(request, signed, form, {"name": sentence(str(error))})
        words = f"{made.name} may log in now, with the password that you chose, and is then asked for one of their own."
        return context.go(OPERATORS, signed, "ok", words)

    @router.get(f"{OPERATORS}/{{operator_id}}")
    def one(request: Request, operator_id: int, signed: Annotated[Signed, access.requires("supervisor")]) -> Response:
        return show_one(request, signed, _found(context, operator_id))

    @router.post(f"{OPERATORS}/{{operator_id}}/roles")
    def set_roles(request: Request, operator_id: int, posted: Annotated[Posted, access.posted("supervisor")]) -> Response:
        operator, roles = _found(context, operator_id), _roles(posted.form)
        try:
            with context.store() as store, store.transaction():
                store.operators.set_roles(operator.id, roles)
                context.audit.done(posted.signed, "operators.roles", f"operator {operator.id}", reason=" ".join(sorted(set(roles))))
        except OperatorRefused as error:
            return show_one(request, posted.signed, operator, {"role": sentence(str(error))})
        return context.go(OPERATORS, posted.signed, "ok", f"{operator.name} has other roles now, and must log in anew.")

    @router.post(f"{OPERATORS}/{{operator_id}}/password")
    def reset(request: Request, operator_id: int, posted: Annotated[Posted, access.posted("supervisor")]) -> Response:
        operator, form = _found(context, operator_id), posted.form
        new = form.raw("password_new")
        if errors := problem_of(new, form.raw("password_again"), operator.name, context.settings.terminal.id):
            return show_one(request, posted.signed, operator, errors)
        hashed = hasher.hash(new)
        with context.store() as store, store.transaction():
            store.operators.set_password(operator.id, hashed, temporary=True)
            context.audit.done(posted.signed, "operators.reset", f"operator {operator.id}")
        return context.go(OPERATORS, posted.signed, "ok", f"{operator.name} has a new password, and must choose another one at log-in.")

    @router.post(f"{OPERATORS}/{{operator_id}}/state")
    def set_state(request: Request, operator_id: int, posted: Annotated[Posted, access.posted("supervisor")]) -> Response:
        operator, disabled = _found(context, operator_id), posted.form.text("disabled") == "yes"
        try:
            with context.store() as store, store.transaction():
                store.operators.set_disabled(operator.id, disabled)
                action = "operators.disable" if disabled else "operators.enable"
                context.audit.done(posted.signed, action, f"operator {operator.id}")
        except OperatorRefused as error:
            return show_one(request, posted.signed, operator, {"state": sentence(str(error))})
        words = "may not log in any more" if disabled else "may log in again"
        return context.go(OPERATORS, posted.signed, "ok", f"{operator.name} {words}.")

    return router


def _found(context: AdminContext, operator_id: int) -> Operator:
    with context.store() as store:
        operator = store.operators.by_id(operator_id)
    if operator is None:
        raise RequestRefused(404, "unknown", "there is no such operator")
    return operator


def _roles(form: Fields) -> list[Role]:
    return [role for role in form.texts("role") if role in ROLES]
