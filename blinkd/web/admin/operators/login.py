"""Log-in, log-out, and the form that was sent when the session had just ended."""

from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from blinkd.errors import RequestRefused
from blinkd.web.admin.access import Posted, address_of
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.forms import read_form
from blinkd.web.admin.kept_forms import SECRETS_LEFT_OUT, KeptForms
from blinkd.web.admin.navigation import home_of
from blinkd.web.admin.operators.signing_in import Attempt, SigningIn
from blinkd.web.admin.signed import Signed

LOGIN, AGAIN, SETUP = "/admin/login", "/admin/again", "/admin/setup"
LONGEST_PATH = 500


def login_router(context: AdminContext, signing_in: SigningIn, kept: KeptForms) -> APIRouter:
    """The only pages that nobody need be logged in for, besides the first run's first."""
    router = APIRouter(include_in_schema=False)
    access = context.access

    @router.get("/admin")
    @router.get("/admin/")
    def begin(request: Request) -> Response:
        signed = access.looks(request)
        return RedirectResponse(LOGIN if signed is None else home_of(signed.roles), 303)

    @router.get(LOGIN)
    def page(request: Request, next: str = "") -> Response:
        with context.store() as store:
            if not store.operators.any():
                return RedirectResponse(SETUP, 303)
        if (signed := access.looks(request)) is not None:
            return RedirectResponse(own_path(next) or home_of(signed.roles), 303)
        return context.render(request, "admin/login.html", None, next=own_path(next), name="", problem="")

    @router.post(LOGIN)
    async def sign_in(request: Request) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(_sign_in, context, signing_in, request, form.text("name"), form.raw("password"), form.text("next"))

    @router.post("/admin/logout")
    def sign_out(request: Request, posted: Annotated[Posted, access.posted()]) -> Response:
        context.audit.done(posted.signed, "logout")
        answer = RedirectResponse(LOGIN, 303)
        access.end(request, answer)
        return answer

    @router.get(AGAIN)
    def again(request: Request, signed: Annotated[Signed, access.requires()]) -> Response:
        form = kept.of(bytes.fromhex(signed.session_id), context.clock.now().boot_s)
        if form is None:
            return RedirectResponse(home_of(signed.roles), 303)
        fields = [(name, values) for name, values in form.fields.items() if name not in (SECRETS_LEFT_OUT, "again")]
        return context.render(request, "admin/again.html", signed, target=form.path, fields=fields, lacks_secrets=form.lacks_secrets)

    @router.post("/admin/again/discard")
    def discard(posted: Annotated[Posted, access.posted()]) -> Response:
        kept.drop(bytes.fromhex(posted.signed.session_id))
        return context.go(home_of(posted.signed.roles), posted.signed, "ok", "What you had typed was discarded.")

    return router


def login_address(request: Request) -> str:
    """Where to log in, and come back to this page then; a form does not come back to its own address, but by `AGAIN`."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "") if request.method == "GET" else ""
    return f"{LOGIN}?{urlencode({'next': wanted})}" if own_path(wanted) else LOGIN


def own_path(path: str) -> str:
    """A path of the admin's pages as it is, anything else as nothing: a link to the log-in must not lead elsewhere afterwards."""
    if not path.startswith("/admin/") or len(path) > LONGEST_PATH or "\\" in path or not path.isprintable():
        return ""
    parts = urlsplit(path)
    return "" if parts.scheme or parts.netloc or parts.path.startswith(LOGIN) else path


def sentence(words: str) -> str:
    """The words of an error as a sentence."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}"


def _sign_in(context: AdminContext, signing_in: SigningIn, request: Request, name: str, password: str, wanted: str) -> Response:
    try:
        operator = signing_in.sign_in(Attempt(name, password, address_of(request)))
    except RequestRefused as error:
        page = context.render(
            request, "admin/login.html", None, error.status, next=own_path(wanted), name=name[:100], problem=sentence(str(error))
        )
        if error.retry_after_s is not None:
            page.headers["Retry-After"] = str(error.retry_after_s)
        return page
    answer = RedirectResponse(own_path(wanted) or home_of(operator.roles), 303)
    signed = context.access.begin(request, answer, operator)
    context.audit.done(signed, "login")
    if context.access.has_kept(signed):
        answer.headers["location"] = AGAIN
    return answer
