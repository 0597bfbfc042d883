"""Who may do what: sessions, roles, and the tokens by which a form shows that it is one of ours."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from blinkd.clock import Clock
from blinkd.errors import PasswordDue, RequestRefused, SignInNeeded, StoreError
from blinkd.store.operators import Operator, Role
from blinkd.web.admin.forms import FORM_BYTES, Fields, read_form
from blinkd.web.admin.kept_forms import KeptForms
from blinkd.web.admin.recorder import Recorder
from blinkd.web.admin.signed import Signed
from blinkd.web.shared_store import SharedStore

TOKEN_BYTES = 32
COOKIE, SECURE_COOKIE = "blinkd-session", "__Host-blinkd-session"  # a browser takes the second over TLS only, from nobody but this host
LONGEST_SESSION_S = 12 * 3600.0  # a shift; then one logs in anew, whatever one did
WRITE_SEEN_S = 60.0  # between two notes on the disk of when a session was last seen
KNOWN_S = 24 * 3600.0  # for so long an ended session is known, for the form that was sent too late
CSRF_CONTEXT = b"blinkd csrf 1"
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
BACKGROUND_HEADER = "x-blinkd-background"  # a script asks by itself: that keeps nobody signed in
OWN_PASSWORD = frozenset({"/admin/account", "/admin/logout"})  # what somebody may reach whose password was chosen by somebody else
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Posted:
    """A form of somebody who is logged in and may send it, with the right token in it."""

    signed: Signed
    form: Fields


class Access:
    """Finds out who asks. Its dependencies raise SignInNeeded, or PasswordDue, or RequestRefused (403, 413, 415, 422)."""

    def __init__(self, store: SharedStore, clock: Clock, recorder: Recorder, kept: KeptForms, idle_s: Callable[[], float]) -> None:
        """idle_s: after so many seconds without a request a session ends."""
        self._store = store
        self._clock = clock
        self._recorder = recorder
        self._kept = kept
        self._idle_s = idle_s
        self._seen: dict[bytes, float] = {}  # seconds since boot, newer than what is on the disk

    # --- for routes ------------------------------------------------------------------------------------------------

    def requires(self, *roles: Role) -> Any:  # noqa: ANN401  FastAPI's marker
        """For `signed: Annotated[Signed, access.requires("hr", "supervisor")]`: one of the roles; without any: whoever is logged in.

        An unsafe method (POST …) needs the header X-CSRF-Token: for scripts that send JSON. Forms use `posted`.
        """

        def dependency(request: Request) -> Signed:
            signed = self._signed(request)
            self._demand(request, signed, roles)
            if request.method not in SAFE:
                self._compare(request, signed, request.headers.get(CSRF_HEADER, ""))
            return signed

        return Depends(dependency)

    def posted(self, *roles: Role, most_bytes: int = FORM_BYTES, most_files: int = 0) -> Any:  # noqa: ANN401
        """For `posted: Annotated[Posted, access.posted("supervisor")]`: the same for a form, whose field `csrf` is compared.

        Nothing of the body is read before it is known who sends it. Where the session has just ended, what was typed is kept (`KeptForms`) and
        shown again after log-in.
        """

        async def dependency(request: Request) -> Posted:
            try:
                signed = await run_in_threadpool(self._signed, request)
            except SignInNeeded:
                await self._keep(request)
                raise
            # in threads: what is refused is written down, and the display's pictures go by the same loop
            await run_in_threadpool(self._demand, request, signed, roles)
            form = await read_form(request, most_bytes, most_files)
            await run_in_threadpool(self._compare, request, signed, form.raw(CSRF_FIELD))
            if form.ticked("again"):
                self._kept.drop(bytes.fromhex(signed.session_id))
            return Posted(signed, form)

        return Depends(dependency)

    def looks(self, request: Request) -> Signed | None:
        """Who asks, where somebody is logged in: for pages that anybody may see."""
        try:
            return self._signed(request)
        except SignInNeeded:
            return None

    # --- sessions --------------------------------------------------------------------------------------------------

    def begin(self, request: Request, response: Response, operator: Operator) -> Signed:
        """Somebody has shown who they are: a new session, whose token goes to the browser only. Ends the one that the browser had. Raises StoreError."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock.now()
        signed = _signed_by(token, operator)
        old = _token_of(request)
        with self._store.use() as store, store.transaction():
            if old is not None:
                store.sessions.end(_digest(old))
            store.sessions.end_older(now.boot_s - KNOWN_S, now.boot_s - KNOWN_S)
            store.sessions.begin(_digest(token), operator.id, now)
        if old is not None:
            self._kept.hand_over(_digest(old), _digest(token), operator.id)
        name, secure = _cookie(request)
        response.set_cookie(name, token, path="/", secure=secure, httponly=True, samesite="strict")
        return signed

    def end(self, request: Request, response: Response) -> None:
        """Somebody logs out."""
        if (token := _token_of(request)) is not None:
            digest = _digest(token)
            with self._store.use() as store:
                store.sessions.end(digest)
            self._seen.pop(digest, None)
            self._kept.drop(digest)
        name, secure = _cookie(request)
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")

    def has_kept(self, signed: Signed) -> bool:
        """Whether there is a form that was sent too late."""
        return self._kept.of(bytes.fromhex(signed.session_id), self._clock.now().boot_s) is not None

    # --- inside ----------------------------------------------------------------------------------------------------

    def _signed(self, request: Request) -> Signed:
        """Raises SignInNeeded."""
        token = _token_of(request)
        if token is None:
            raise SignInNeeded
        digest, now = _digest(token), self._clock.now()
        with self._store.use() as store:
            sitting = store.sessions.find(digest, now)
            if sitting is None:
                raise SignInNeeded
            seen_s = max(sitting.seen_s, self._seen.get(digest, 0.0))
            if now.boot_s - sitting.began_s >= LONGEST_SESSION_S or now.boot_s - seen_s >= self._idle_s():
                self._seen.pop(digest, None)
                raise SignInNeeded
            operator = store.operators.by_id(sitting.operator)
            if operator is None or operator.disabled:
                raise SignInNeeded
            if BACKGROUND_HEADER not in request.headers:
                if now.boot_s - sitting.seen_s >= WRITE_SEEN_S:
                    try:
                        store.sessions.seen(digest, now)
                    except StoreError:
                        self._seen[digest] = now.boot_s  # a full disk must not sign anybody out
                    else:
                        self._seen.pop(digest, None)
                else:
                    self._seen[digest] = now.boot_s
        signed = _signed_by(token, operator)
        request.state.signed = signed
        return signed

    def _demand(self, request: Request, signed: Signed, roles: tuple[Role, ...]) -> None:
        if roles and not signed.may(*roles):
            self._recorder.refused(signed, "page", _route(request), "role")
            raise RequestRefused(403, "role", f"this is for the role {' or '.join(roles)}; ask a supervisor")
        if signed.operator.temporary and _route(request) not in OWN_PASSWORD:
            raise PasswordDue("the password was chosen by somebody else; choose one of your own first")

    def _compare(self, request: Request, signed: Signed, given: str) -> None:
        if not hmac.compare_digest(given.encode(errors="replace"), signed.csrf.encode()):
            self._recorder.refused(signed, "form", _route(request), "csrf")
            raise RequestRefused(403, "csrf", "this form is not one of this session's; open the page anew and fill it in again")

    async def _keep(self, request: Request) -> None:
        """Keep a form that came after its session had ended by itself. One that ended by log-out or a change of password has left nothing to go by."""
        token = _token_of(request)
        if token is None:
            return
        sitting = await run_in_threadpool(self._find, token)
        if sitting is None:
            return
        try:
            form = await read_form(request)
        except RequestRefused:
            return  # too long or with files: pages that send those keep what they need by themselves
        csrf = csrf_of(token)
        if hmac.compare_digest(form.raw(CSRF_FIELD).encode(errors="replace"), csrf.encode()):
            self._kept.keep(_digest(token), sitting, request.url.path, form.fields, self._clock.now().boot_s)

    def _find(self, token: str) -> int | None:
        with self._store.use() as store:
            sitting = store.sessions.find(_digest(token), self._clock.now())
        return None if sitting is None else sitting.operator


def csrf_of(token: str) -> str:
    """What shows that a form belongs to a session: only who has the token can make it."""
    return hmac.digest(token.encode(), CSRF_CONTEXT, "sha256").hex()


def address_of(request: Request) -> str:
    """The client's address by which it is counted; `local` for this machine's own, an IPv6 client's /64."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif not address.is_loopback:
            return str(ipaddress.ip_network((address, 64), strict=False))
    return "local" if address.is_loopback else str(address)


def _cookie(request: Request) -> tuple[str, bool]:
    """The cookie's name, and whether it is for TLS only: this machine is served without, the network with it."""
    return (SECURE_COOKIE, True) if request.url.scheme == "https" else (COOKIE, False)


def _token_of(request: Request) -> str | None:
    token = request.cookies.get(_cookie(request)[0])
    return token if token and len(token) <= 2 * TOKEN_BYTES else None


def _signed_by(token: str, operator: Operator) -> Signed:
    return Signed(operator, operator.roles, _digest(token).hex(), csrf_of(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _route(request: Request) -> str:
    route = request.scope.get("route")
    return str(getattr(route, "path", "(no such page)"))
