"""The kiosk's addresses: for this machine only, and good for nothing but looking and "Not me"."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from blinkd.serving.server import Listen, WebServer
from blinkd.settings import AttendanceSettings, EntrySettings, KioskSettings, Settings, TerminalSettings
from blinkd.web.admin.making import make_desk
from blinkd.web.app import build_app
from blinkd.web.context import WebContext
from blinkd.web.hub import Hub
from blinkd.web.kiosk.page import hello_of
from blinkd.web.kiosk.router import MOST_PAGES, TRY_AGAIN
from blinkd.web.kiosk.router import Live as KioskLive
from blinkd.web.languages import load_language
from blinkd.web.live import Live
from blinkd.web.pages import Pages
from blinkd.web.process import LOCAL
from blinkd.web.shared_store import SharedStore

HERE = "http://127.0.0.1:8480"


class Client:
    """Requests from an address, without a socket in between."""

    def __init__(self, app: Any, address: str, base: str) -> None:
        self._transport = httpx.ASGITransport(app, client=(address, 50_000))
        self._base = base

    def get(self, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._send("GET", path, more))

    def post(self, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._send("POST", path, more))

    async def _send(self, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url=self._base) as client:
            return await client.request(method, path, **more)


@dataclass(frozen=True)
class Door:
    """Where the WebSocket is."""

    port: int

    def open(self, **more: Any) -> ClientConnection:
        wanted = {"origin": f"http://127.0.0.1:{self.port}"} | more
        return connect(f"ws://127.0.0.1:{self.port}/kiosk/live", **wanted)


def heard(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(20))


class Kiosk:
    def __init__(self, state: Path, **more: Any) -> None:
        self.settings = Settings(state_dir=state, terminal=TerminalSettings(timezone="Europe/Madrid"), **more)
        live, self.hub = Live(self.settings), Hub()
        self.parts = live.parts
        self.context = WebContext(live, SharedStore(self.parts), self.hub, Pages())
        self.desk = make_desk(live, self.context.store, self.hub, self.context.clock)
        self.app = build_app(self.context, self.desk)
        self.client = self.of()

    def of(self, address: str = "127.0.0.1", base: str = HERE, *, kiosk: bool = True, tls: bool = False) -> "Client":
        return Client(build_app(self.context, self.desk, kiosk=kiosk, tls=tls), address, base)

    @contextmanager
    def served(self) -> Iterator["Door"]:
        """By a socket, for WebSockets."""
        server = WebServer(self.app, Listen(port=0), LOCAL)
        server.start()
        try:
            yield Door(server.port)
        finally:
            server.stop()

    def punch(self) -> int:
        """By somebody who has just been enrolled."""
        with self.context.store.use() as store:
            if not store.people.all():
                store.people.enrol("E-1", "Sam Sample", [])
            found = self.parts.clerk(store, store, self.context.clock).attend("E-1", 0.9, {})
        return int(found.seq)  # type: ignore[union-attr]

    def not_me(self, seq: object, origin: str = HERE) -> Any:
        return self.client.post("/kiosk/not-me", json={"seq": seq}, headers={"Origin": origin})


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path / "state")
    yield made
    made.context.store.close()


def test_the_page_comes_with_a_policy_that_lets_nothing_in_from_elsewhere(kiosk: Kiosk) -> None:
    answer = kiosk.client.get("/kiosk")
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("path", ["/shared/base.css", "/shared/icon.svg", "/static/kiosk/kiosk.css", "/static/kiosk/kiosk.js"])
def test_what_the_page_loads_is_there_and_asked_for_again_each_time(kiosk: Kiosk, path: str) -> None:
    answer = kiosk.client.get(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")
    assert kiosk.client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/static/kiosk/../../languages/en.toml", "/static/../app.py", "/shared/%2e%2e/server.py"])
def test_nothing_else_of_the_program_is_served(kiosk: Kiosk, path: str) -> None:
    assert kiosk.client.get(path).status_code == 404


def test_the_language_is_that_of_the_settings_or_of_the_address_and_english_where_there_is_none(tmp_path: Path) -> None:
    spanish = Kiosk(tmp_path, kiosk=KioskSettings(language="es")).client
    assert 'lang="es" dir="ltr"' in spanish.get("/kiosk").text
    assert 'lang="ar" dir="rtl"' in spanish.get("/kiosk?language=ar").text
    assert 'lang="es"' in spanish.get("/kiosk?language=../../etc").text


def test_a_language_that_there_is_not_is_said_in_the_log_and_english_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = Kiosk(tmp_path, kiosk=KioskSettings(language="tlh")).client
    assert 'lang="en"' in client.get("/kiosk").text
    assert "kiosk.language is 'tlh'" in caplog.text
    assert "ar, en, es" in caplog.text


@pytest.mark.parametrize(
    ("address", "base", "status"), [("192.0.2.7", HERE, 403), ("127.0.0.1", "http://evil.example", 421), ("2001:db8::1", HERE, 403)]
)
def test_others_and_pages_of_elsewhere_are_refused(kiosk: Kiosk, address: str, base: str, status: int) -> None:
    client = kiosk.of(address, base)
    assert client.get("/kiosk").status_code == status
    assert client.post("/kiosk/not-me", json={"seq": 1}, headers={"Origin": base}).status_code == status


def test_this_machine_by_its_other_names_is_let_in(kiosk: Kiosk) -> None:
    assert kiosk.of("::1", "http://[::1]:8480").get("/kiosk").status_code == 200
    assert kiosk.of("127.0.0.1", "http://localhost:8480").get("/kiosk").status_code == 200


def test_where_the_network_is_served_there_is_no_kiosk(kiosk: Kiosk) -> None:
    client = kiosk.of(kiosk=False, tls=True, base="https://127.0.0.1:8443")
    assert client.get("/kiosk").status_code == 404
    assert client.get("/kiosk").headers["Strict-Transport-Security"]
    assert client.post("/kiosk/not-me", json={"seq": 1}, headers={"Origin": "https://127.0.0.1:8443"}).status_code == 404


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9", "null", None])
def test_a_websocket_of_a_page_of_elsewhere_is_refused(kiosk: Kiosk, origin: str | None) -> None:
    with kiosk.served() as door, pytest.raises(InvalidStatus) as refused:
        door.open(origin=origin)
    assert refused.value.response.status_code == 403


def test_a_display_is_told_first_how_things_are_and_what_has_just_happened(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path, attendance=AttendanceSettings(disown_s=12), entry=EntrySettings(enabled=True, device=Path("/dev/x")))
    now = kiosk.context.clock.monotonic()
    kiosk.hub.heard({"kind": "health", "parts": [["camera", "ok", ""]], "t": now})
    kiosk.hub.heard({"kind": "event", "event": "punch", "name": "Sam Sample", "t": now - 3})
    with kiosk.served() as door, door.open() as socket:
        hello = heard(socket)
        kiosk.hub.heard({"kind": "event", "event": "blink", "t": now})
        assert heard(socket)["event"] == "blink"
    assert (hello["kind"], hello["disown_s"], hello["entry"], hello["timezone"]) == ("hello", 12.0, True, "Europe/Madrid")
    assert hello["health"]["parts"] == [["camera", "ok", ""]]
    assert 3 <= hello["recent"][0]["age_s"] < 60


def test_a_display_is_not_told_who_was_there_long_ago(kiosk: Kiosk) -> None:
    now = kiosk.context.clock.monotonic()
    for name, event, age in (("Ann", "punch", 31), ("Bo", "punch", 3), (None, "registration", 99)):
        kiosk.hub.heard({"kind": "event", "event": event, "name": name, "t": now - age})
    assert [message["name"] for message in hello_of(kiosk.context)["recent"]] == ["Bo", None]


def test_displays_that_come_all_at_once_are_counted_too(kiosk: Kiosk) -> None:
    class Slow:
        closed: int | None = None

        async def accept(self) -> None:
            await asyncio.Event().wait()

        async def close(self, code: int) -> None:
            self.closed = code

    async def crowd() -> list[int | None]:
        live, sockets = KioskLive(kiosk.context), [Slow() for _ in range(MOST_PAGES + 1)]
        tasks = [asyncio.create_task(live.serve(socket)) for socket in sockets]  # type: ignore[arg-type]
        await tasks[-1]
        for task in tasks:
            task.cancel()
        return [socket.closed for socket in sockets]

    assert asyncio.run(asyncio.wait_for(crowd(), 10)) == [*[None] * MOST_PAGES, TRY_AGAIN]


def test_what_a_display_says_by_the_websocket_means_nothing(kiosk: Kiosk) -> None:
    with kiosk.served() as door:
        with door.open() as socket:
            heard(socket)
            socket.send(b"open the door")
            kiosk.hub.heard({"kind": "event", "event": "blink", "t": 0.0})
            assert heard(socket)["event"] == "blink"
            socket.send('{"kind": "event", "event": "punch"}')  # text is not even read
            with pytest.raises(ConnectionClosed):
                heard(socket)
        with door.open() as socket:
            heard(socket)
            with pytest.raises(ConnectionClosed):
                socket.send(b"x" * 100_000)
                heard(socket)
    assert [message["event"] for message in kiosk.hub.recent()] == ["blink"]


def test_only_some_displays_are_served_at_once_and_one_that_goes_makes_room(kiosk: Kiosk) -> None:
    with kiosk.served() as door, ExitStack() as stack:
        sockets = [stack.enter_context(door.open()) for _ in range(MOST_PAGES)]
        assert [heard(socket)["kind"] for socket in sockets] == ["hello"] * MOST_PAGES
        with pytest.raises(InvalidStatus):
            door.open()
        sockets[0].close()
        while True:
            try:
                with door.open() as socket:
                    assert heard(socket)["kind"] == "hello"
                    break
            except InvalidStatus:
                continue


def test_not_me_marks_the_punch_and_leaves_it_in_the_book(kiosk: Kiosk) -> None:
    seq = kiosk.punch()
    answer = kiosk.not_me(seq)
    assert (answer.status_code, answer.json()) == (200, {"done": True, "reason": ""})
    with kiosk.context.store.use() as store:
        assert store.book.punch(seq) is not None
        ((_, content, _),) = store.book.entries("disowned")
    assert content["target"] == seq


def test_not_me_comes_too_late_for_what_lies_long_ago(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path / "state", attendance=AttendanceSettings(disown_s=0))
    assert kiosk.not_me(kiosk.punch()).json() == {"done": False, "reason": "too_late"}


def test_not_me_of_no_punch_is_refused(kiosk: Kiosk) -> None:
    kiosk.punch()
    assert kiosk.not_me(99).json() == {"done": False, "reason": "too_late"}
    for nonsense in (0, -1, "1", 1.5, None, 2**70):
        assert kiosk.not_me(nonsense).status_code == 422


def test_not_me_is_not_read_on_where_it_is_longer_than_it_can_be(kiosk: Kiosk) -> None:
    read = []

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            read.append(1)
            yield b" " * 1024

    answer = kiosk.client.post("/kiosk/not-me", content=endless(), headers={"Origin": HERE, "Content-Type": "application/json"})
    assert answer.status_code == 413
    assert len(read) < 1000


def test_not_me_is_taken_from_the_kiosk_s_own_page_only(kiosk: Kiosk) -> None:
    seq = kiosk.punch()
    for origin in ("http://evil.example", "http://127.0.0.1:9999", "null", ""):
        assert kiosk.not_me(seq, origin).status_code == 403
    assert kiosk.not_me(seq).json()["done"] is True


def test_a_store_that_cannot_be_opened_is_said_and_the_page_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "blinkd.db").write_bytes(b"no database at all" * 1000)
    kiosk = Kiosk(state)
    assert kiosk.not_me(1).json() == {"done": False, "reason": "store"}
    assert "blinkd.db" in caplog.text
    assert kiosk.client.get("/kiosk").status_code == 200


def test_markup_in_a_text_stays_text() -> None:
    text = "<b onclick='x'>\"bold\"</b>"
    texts = defaultdict(lambda: text)
    page = Pages().text("kiosk/kiosk.html", language=load_language("en"), t=texts, texts=text, settings=KioskSettings())
    assert "<b " not in page
    assert '"bold"' not in page
