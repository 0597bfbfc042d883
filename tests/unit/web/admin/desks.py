"""The admin's pages in this process, over a real store, as a browser would ask for them."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import APIRouter, FastAPI

from blinkd.crypto.argon import Hasher
from blinkd.settings import Settings
from blinkd.store.operators import Operator, Role
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.making import Desk, make_desk
from blinkd.web.admin.operators.login import login_router
from blinkd.web.admin.routers import admin_routers
from blinkd.web.admin.wiring import add_admin
from blinkd.web.app import build_app
from blinkd.web.context import WebContext
from blinkd.web.gate import Gate
from blinkd.web.hub import Hub
from blinkd.web.live import Live
from blinkd.web.pages import Pages
from blinkd.web.shared_store import SharedStore
from tests.unit.attendance.clocks import SetClock

PASSWORD = "seven unlikely purple lamps"
BASE = "http://127.0.0.1:8480"
TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


def quick_hasher() -> Hasher:
    """Argon2id that costs next to nothing."""
    return Hasher(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass
class Office:
    """The application and what stands behind it. `browser` is one that keeps cookies; `another` opens one more."""

    desk: Desk
    hub: Hub
    clock: SetClock
    app: FastAPI
    browser: "Browser" = field(init=False)

    def __post_init__(self) -> None:
        self.browser = self.another()

    @property
    def context(self) -> AdminContext:
        return self.desk.context

    def another(self, address: str = "127.0.0.1", *, tls: bool = False) -> "Browser":
        return Browser(self.app, address, BASE.replace("http:", "https:") if tls else BASE)

    def operator(self, name: str = "Ada", *roles: Role, password: str = PASSWORD, temporary: bool = False) -> Operator:
        hashed = self.desk.hasher.hash(password)
        with self.context.store() as store:
            return store.operators.add(name, roles or ("supervisor",), hashed, self.clock.now().utc, temporary=temporary)

    def signed_in(self, *roles: Role, name: str = "Ada", address: str = "127.0.0.1") -> "Browser":
        """A browser in which a new operator of these roles has logged in."""
        self.operator(name, *roles)
        browser = self.another(address)
        assert browser.log_in(name).status_code == 303
        return browser

    def acts(self) -> list[tuple[str, str, str, str]]:
        """Action, target, outcome and reason of the audit, oldest first."""
        with self.context.store() as store:
            return [(act.action, act.target, act.outcome, act.reason) for act in reversed(store.audit.newest(1000))]


class Browser:
    """Follows no redirect by itself, and says of a form where it comes from, as browsers do."""

    def __init__(self, app: FastAPI, address: str, base: str = BASE) -> None:
        self.app, self.address, self.base = app, address, base
        self.cookies = httpx.Cookies()
        self.csrf = ""

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(self.address, 4711))
            async with httpx.AsyncClient(transport=transport, base_url=self.base, cookies=self.cookies) as client:
                answer = await client.request(method, path, **options)
                self.cookies = client.cookies
                return answer

        return asyncio.run(call())

    def get(self, path: str, **options: Any) -> httpx.Response:
        answer = self.request("GET", path, **options)
        if found := TOKEN.search(answer.text):
            self.csrf = found[1]
        return answer

    def post(self, path: str, data: dict[str, Any] | None = None, *, csrf: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Origin": self.base, "Sec-Fetch-Site": "same-origin"} | options.pop("headers", {})
        fields = {"csrf": self.csrf if csrf is None else csrf} | (data or {})
        return self.request("POST", path, data=fields, headers=headers, **options)

    def post_raw(self, path: str, content: bytes, kind: str) -> httpx.Response:
        return self.request("POST", path, content=content, headers={"Origin": self.base, "Content-Type": kind})

    def log_in(self, name: str = "Ada", password: str = PASSWORD, **fields: str) -> httpx.Response:
        answer = self.post("/admin/login", {"name": name, "password": password, **fields})
        if answer.status_code == 303:
            self.get("/admin/account")
        return answer


@contextmanager
def office(
    folder: Path, routers: Callable[[Desk], list[APIRouter]] = admin_routers, settings: Settings | None = None, *, tls: bool = False
) -> Iterator[Office]:
    """The whole application, or only log-in and the given routers."""
    live = Live((settings or Settings()).model_copy(update={"state_dir": folder}))
    clock, hub, shared = SetClock(), Hub(), SharedStore(live.parts)
    desk = make_desk(live, shared, hub, clock, hasher=quick_hasher())
    if routers is admin_routers:
        app = build_app(WebContext(live, shared, hub, Pages()), desk, tls=tls)
    else:
        app = FastAPI(openapi_url=None)
        app.add_middleware(Gate, names=lambda: ())
        add_admin(app, desk.context, [login_router(desk.context, desk.signing_in, desk.kept), *routers(desk)])
    try:
        yield Office(desk, hub, clock, app)
    finally:
        shared.close()
