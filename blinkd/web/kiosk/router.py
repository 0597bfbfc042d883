"""The kiosk's addresses: the page, the WebSocket that feeds it, and "Not me". This machine only."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field

from blinkd.errors import ConfigError, KeyMissing, NotAllowed, StoreError
from blinkd.outputs.channel import Picture
from blinkd.web.context import WebContext
from blinkd.web.kiosk.page import hello_of, texts_of
from blinkd.web.languages import FALLBACK, Language, codes, load_language
from blinkd.web.local import is_local, is_same_origin

MOST_PAGES: Final = 4  # displays at once: the terminal's own, and a technician's beside it
IDLE_S: Final = 0.5  # between pictures while nobody is there: often enough to see who comes near
TRY_AGAIN: Final = 1013  # WebSocket close codes (RFC 6455 and IANA)
REFUSED: Final = 1008
MOST_SAID: Final = 1024  # bytes of what a page says by "Not me"
WATCHED: Final = ("tracking", "challenged", "registration")  # states in which somebody looks at the mirror

log = logging.getLogger(__name__)


class NotMe(BaseModel):
    """seq: of the punch that the person says is not theirs."""

    model_config = ConfigDict(extra="forbid", strict=True)

    seq: int = Field(ge=1, le=2**53)


def kiosk_router(context: WebContext) -> APIRouter:
    """Of one process."""
    router = APIRouter(prefix="/kiosk")
    language = _language(context.settings.kiosk.language)
    live = Live(context)

    @router.get("", dependencies=[Depends(_here)])
    def page(request: Request) -> Response:
        shown = language
        if (wanted := request.query_params.get("language")) in codes():
            shown = load_language(str(wanted))
        return context.pages.answer(
            "kiosk/kiosk.html", language=shown, t=shown.texts["kiosk"], texts=texts_of(shown), settings=context.settings.kiosk
        )

    @router.websocket("/live")
    async def socket(socket: WebSocket) -> None:
        if not (is_local(socket.scope) and is_same_origin(socket.scope)):
            await socket.close(REFUSED)
            return
        await live.serve(socket)

    @router.post("/not-me", dependencies=[Depends(_here)], max_body_size=MOST_SAID)
    def not_me(request: Request, said: NotMe) -> dict[str, Any]:
        """The answer: {"done": bool, "reason": "" | "too_late" | "store"}."""
        if not is_same_origin(request.scope):
            raise HTTPException(403, "ask from the kiosk's own page")
        try:
            with context.store.use() as store:
                context.parts.clerk(store, store, context.clock).disown(said.seq)
        except NotAllowed as error:
            log.warning("not me: %s", error)
            return {"done": False, "reason": "too_late"}
        except (StoreError, KeyMissing, ConfigError) as error:
            log.error("not me: %s", error)
            return {"done": False, "reason": "store"}
        log.info("not me: punch %d", said.seq)
        return {"done": True, "reason": ""}

    return router


class Live:
    """The WebSockets of the displays."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._pages = 0

    async def serve(self, socket: WebSocket) -> None:
        """Until it is closed. Nothing that the page sends means anything."""
        if self._pages >= MOST_PAGES:
            await socket.close(TRY_AGAIN)
            return
        self._pages += 1  # before anything is waited for, so that many at once are counted too
        try:
            await socket.accept()
            await self._serve(socket)
        finally:
            self._pages -= 1

    async def _serve(self, socket: WebSocket) -> None:
        lock = asyncio.Lock()  # one message at a time
        stirred = asyncio.Event()  # something has happened in a session
        work = [asyncio.create_task(one) for one in (self._tell(socket, lock, stirred), self._show(socket, lock, stirred), _deaf(socket))]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _tell(self, socket: WebSocket, lock: asyncio.Lock, stirred: asyncio.Event) -> None:
        hub = self._context.hub
        with hub.listen() as listener:
            message: Mapping[str, Any] | None = hello_of(self._context)
            while message is not None:
                async with lock:
                    await socket.send_text(json.dumps(message, ensure_ascii=False))
                message = await listener.next()
                if message is not None and message.get("kind") == "event":
                    stirred.set()
        async with lock:
            await socket.close(TRY_AGAIN)  # it has not kept up: it begins anew, with what is true then

    async def _show(self, socket: WebSocket, lock: asyncio.Lock, stirred: asyncio.Event) -> None:
        """Pictures, as fast as the page takes them: the next is asked for when the last has gone."""
        while True:
            picture: Picture = await asyncio.wrap_future(self._context.hub.picture())
            async with lock:
                await socket.send_bytes(_framed(picture))
            if picture.info.box is None and picture.info.state not in WATCHED:
                stirred.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stirred.wait(), IDLE_S)


async def _deaf(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_bytes()
    except (WebSocketDisconnect, KeyError, RuntimeError):  # KeyError: it was text
        return


def _framed(picture: Picture) -> bytes:
    """Two bytes (big-endian) with the length of the JSON that follows, then the JPEG."""
    info = picture.info
    text = json.dumps({"t": info.t, "box": info.box, "state": info.state, "hint": info.hint, "mirrored": info.mirrored}).encode()
    return len(text).to_bytes(2, "big") + text + picture.jpeg


def _here(request: Request) -> None:
    if not is_local(request.scope):
        raise HTTPException(403, "the kiosk is for this machine's own display; open http://127.0.0.1:8480/kiosk there")


def _language(code: str) -> Language:
    try:
        return load_language(code)
    except ConfigError as error:
        log.error("%s; shown in %s meanwhile", error, FALLBACK)
        return load_language(FALLBACK)
