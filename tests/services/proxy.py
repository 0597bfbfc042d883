"""A TCP proxy that is a bad network: it delays, cuts, and swallows."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, cast

PATIENCE_S = 20.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close says RST


class Proxy:
    """Between a client and 127.0.0.1:target. Use it as a context manager; it works in a thread of its own.

    After `cut` every connection, old and new, ends with a reset. In a `black_hole` all stay open, or open, and nothing gets through; what
    was sent meanwhile arrives after `resume`, as TCP would send it again.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.connections = 0  # that were ever made to the target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._server: asyncio.Server | None = None
        self._sides: set[_Side] = set()
        self._held: list[_Side] = []  # clients of a black hole that are not connected on yet
        self._connecting: set[asyncio.Task[None]] = set()
        self._state = "open"
        self._delay_s = 0.0

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE_S)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def delay(self, seconds: float) -> None:
        """Of everything that passes from now on, each way."""
        self._delay_s = seconds

    def cut(self) -> None:
        self._change("cut")

    def black_hole(self) -> None:
        self._change("black hole")

    def resume(self) -> None:
        self._change("open")

    def _change(self, state: str) -> None:
        done = threading.Event()

        def change() -> None:
            self._state = state
            held, self._held = self._held, []
            for side in list(self._sides):
                if state == "cut":
                    side.reset()
                elif state == "black hole":
                    side.pause()
                else:
                    side.go_on()
            if state == "open":
                for side in held:
                    self._connect(side)
            done.set()

        self._loop.call_soon_threadsafe(change)
        assert done.wait(PATIENCE_S)

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: _Side(self, None), "127.0.0.1", 0)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        while self._sides:  # each takes itself out when its transport has ended
            await asyncio.sleep(0)

    def opened(self, side: "_Side") -> None:
        self._sides.add(side)
        if side.other is not None:
            return
        if self._state == "cut":
            side.reset()
        elif self._state == "black hole":
            side.pause()
            self._held.append(side)
        else:
            self._connect(side)

    def closed(self, side: "_Side") -> None:
        self._sides.discard(side)
        if side in self._held:
            self._held.remove(side)

    def passing(self, work: Callable[[], None]) -> None:
        """Now, or after the delay. One delay for all keeps the order; a shorter one than before may overtake, so it is set before."""
        if self._delay_s:
            self._loop.call_later(self._delay_s, work)
        else:
            work()

    def _connect(self, client: "_Side") -> None:
        client.pause()
        task = self._loop.create_task(self._reach(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _reach(self, client: "_Side") -> None:
        try:
            _, server = await self._loop.create_connection(lambda: _Side(self, client), "127.0.0.1", self.target)
        except OSError:
            client.reset()
            return
        client.other = server
        self.connections += 1
        if self._state == "cut" or client not in self._sides:
            client.reset()
            server.reset()
        elif self._state == "open":
            client.go_on()
        else:
            server.pause()


class _Side(asyncio.Protocol):
    """One end of one connection."""

    def __init__(self, proxy: Proxy, other: "_Side | None") -> None:
        self.other = other
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._proxy.opened(self)

    def data_received(self, data: bytes) -> None:
        other = self.other
        if other is not None:
            self._proxy.passing(lambda: other.write(data))

    def eof_received(self) -> bool:
        return False  # closes this end, and `connection_lost` the other

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy.closed(self)
        if (other := self.other) is not None:
            self._proxy.passing(other.close if exc is None else other.reset)

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and self.other is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()
