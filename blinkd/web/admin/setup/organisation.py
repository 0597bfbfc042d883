"""First run: the organisation's keyring. A new one is made, another terminal's is joined, or the terminal stands alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from blinkd.crypto.keyring import MOST_BYTES, KeyringFile
from blinkd.crypto.passwords import KEYRING_STAKES
from blinkd.crypto.unlocked import PORTABLE_FILE, load_file
from blinkd.errors import KeyringRefused, WrongPassword
from blinkd.store.registry import Registry
from blinkd.sync import founding
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.forms import FORM_BYTES, Fields
from blinkd.web.admin.operators.account import problem_of
from blinkd.web.admin.operators.login import sentence
from blinkd.web.admin.setup.steps import STEPS, after, set_standing
from blinkd.web.admin.signed import Signed

STEP = STEPS[0]


def organisation_router(context: AdminContext) -> APIRouter:
    """The same calls as `blinkd keys init` and `blinkd keys join`."""
    router = APIRouter(include_in_schema=False)
    access = context.access

    def show(request: Request, signed: Signed, form: Fields | None = None, errors: dict[str, str] | None = None) -> Response:
        path = context.settings.state_dir / PORTABLE_FILE
        file = load_file(path) if path.exists() else None
        return context.render(
            request,
            "admin/setup/organisation.html",
            signed,
            422 if errors else 200,
            organisation=None if file is None else file.organisation,
            fingerprint="" if file is None else founding.grouped(file),
            name=(form or Fields({}, {})).text("organisation"),
            errors=errors or {},
            following=after(STEP.name),
        )

    @contextmanager
    def registry() -> Iterator[Registry]:
        with context.store() as store:
            yield store.registry

    def done(signed: Signed, action: str, words: str) -> Response:
        with context.store() as store, store.transaction():
            set_standing(store, STEP.name, "skipped" if action == "setup.alone" else "done")
            context.audit.done(signed, action)
        return context.go(after(STEP.name), signed, "ok", words)

    @router.get(STEP.path)
    def page(request: Request, signed: Annotated[Signed, access.requires(*STEP.roles)]) -> Response:
        return show(request, signed)

    @router.post(f"{STEP.path}/new")
    def new(request: Request, posted: Annotated[Posted, access.posted(*STEP.roles)]) -> Response:
        form, name, password = posted.form, posted.form.text("organisation"), posted.form.raw("password_new")
        errors = problem_of(password, form.raw("password_again"), name, context.settings.terminal.id, stakes=KEYRING_STAKES)
        if not form.ticked("written"):
            errors["written"] = "Nobody can tell you the password again: write it down first."
        if errors:
            return show(request, posted.signed, form, errors)
        try:
            founding.found(context.settings.state_dir, registry, name, password, context.clock.now().utc.date())
        except KeyringRefused as error:
            return show(request, posted.signed, form, {"organisation": sentence(str(error))})
        return done(posted.signed, "setup.organisation", f"The keyring of {name} is made.")

    @router.post(f"{STEP.path}/join")
    def join(
        request: Request, posted: Annotated[Posted, access.posted(*STEP.roles, most_bytes=FORM_BYTES + MOST_BYTES, most_files=1)]
    ) -> Response:
        uploads = posted.form.files.get("keyring", ())
        if not uploads:
            return show(request, posted.signed, errors={"keyring": "Choose the file that `blinkd keys export` wrote at another terminal."})
        try:
            file = KeyringFile.parse(uploads[0].content)
            founding.join(context.settings.state_dir, file, posted.form.raw("password"))
        except KeyringRefused as error:
            return show(request, posted.signed, errors={"keyring": sentence(str(error))})
        except WrongPassword as error:
            context.audit.refused(posted.signed, "setup.join", reason="password")
            return show(request, posted.signed, errors={"password": sentence(str(error))})
        return done(posted.signed, "setup.join", f"This terminal has the keyring of {file.organisation}.")

    @router.post(f"{STEP.path}/alone")
    def alone(posted: Annotated[Posted, access.posted(*STEP.roles)]) -> Response:
        return done(posted.signed, "setup.alone", "This terminal stands alone; it can join an organisation later.")

    return router
