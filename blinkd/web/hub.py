"""The web process's side of the display channel: reads what the daemon tells, and hands it to whoever watches."""

import asyncio
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, Final

from blinkd.outputs.channel import HEAD, MAGIC, MOST_INFO_BYTES, MOST_PICTURE_BYTES, Picture, info_of

Message = Mapping[str, Any]

RECENT: Final = 16  # events that whoever comes later is told
WAITING: Final = 64  # messages for one who listens; more, and it is begun anew
STALE_S: Final = 1.0  # a picture older than that was made before anybody watched

log = logging.getLogger(__name__)


class Listener:
    """Messages for one WebSocket, in its own event loop."""

    def __init__(self) -> None:
        """Within a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Message] = asyncio.Queue(WAITING)
        self._overrun = asyncio.Event()

    async def next(self) -> Message | None:
        """The next message; None when it has not kept up and must begin anew."""
        return None if self._overrun.is_set() else await self._queue.get()

    def tell(self, message: Message) -> None:
        """By any thread."""
        with suppress(RuntimeError):  # its loop has ended
            self._loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: Message) -> None:
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self._overrun.set()


class Hub:
    """Messages and pictures of the daemon. May be used by any thread."""

    def __init__(self, events: int | None = None, pictures: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """events, pictures: reading ends of the daemon's pipes, ours from now on; None where there is no daemon. clock: monotonic seconds."""
        self._events = events
        self._pictures = pictures
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted = threading.Condition()
        self._askers: list[Future[Picture]] = []
        self._listeners: list[Listener] = []
        self._recent: deque[Message] = deque(maxlen=RECENT)
        self._health: Message | None = None
        self._heard = float("-inf")
        self._number = 0  # of the daemon's newest message

    @property
    def health(self) -> Message | None:
        """How the terminal was when it last said so: {"parts": [[name, state, words]], "fps", "people", "templates", "pending", "failed",
        "temperature_c", "t", "utc", "clock"}; None before it has.
        """  # fmt: skip
        return self._health

    @property
    def silent_s(self) -> float:
        """Seconds since the daemon was heard; it says something each second."""
        return self._clock() - self._heard

    def recent(self) -> list[Message]:
        """The last events, oldest first."""
        with self._lock:
            return list(self._recent)

    def start(self, ended: Callable[[], None]) -> None:
        """Begin to read, in threads of its own; ended: called when the daemon has."""
        if self._events is not None:
            threading.Thread(target=self._read_events, args=(self._events, ended), name="blinkd-events", daemon=True).start()
        if self._pictures is not None:
            threading.Thread(target=self._read_pictures, args=(self._pictures,), name="blinkd-pictures", daemon=True).start()

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Everything that is said from now on; within a running event loop."""
        listener = Listener()
        with self._lock:
            self._listeners.append(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def picture(self) -> Future[Picture]:
        """The next picture, taken after this call: `.result(timeout)` in a thread, `await asyncio.wrap_future(…)` in an event loop.

        While nobody asks, none is made. Where no camera works none comes; cancel it then.
        """
        asked: Future[Picture] = Future()
        with self._wanted:
            self._askers = [one for one in self._askers if not one.done()]
            self._askers.append(asked)
            self._wanted.notify()
        return asked

    def heard(self, message: Message) -> None:
        """Take a message of the daemon, in whatever thread reads it."""
        with self._lock:
            self._heard = self._clock()
            self._number = int(message.get("n") or self._number)
            if message.get("kind") == "health":
                self._health = message
            elif message.get("kind") == "event":
                self._recent.append(message)
            listeners = list(self._listeners)
        for listener in listeners:
            listener.tell(message)

    def announce(self, message: Message) -> None:
        """Say something of this process's own to whoever listens now: it is no sign of life of the daemon, and whoever comes later is not told.

        It is numbered between the daemon's messages, by which displays know what they have seen.
        """
        with self._lock:
            numbered, listeners = {**message, "n": self._number + 0.5}, list(self._listeners)
        for listener in listeners:
            listener.tell(numbered)

    # --- its threads -----------------------------------------------------------------------------------------------

    def _read_events(self, descriptor: int, ended: Callable[[], None]) -> None:
        with os.fdopen(descriptor, "rb") as lines:
            for line in lines:
                try:
                    message = json.loads(line)
                except ValueError:
                    log.error("the daemon has said something that is no JSON; is it of another version?")
                    continue
                if isinstance(message, dict):
                    self.heard(message)
        ended()

    def _read_pictures(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while True:
                with self._wanted:
                    self._wanted.wait_for(lambda: any(not one.done() for one in self._askers))
                try:
                    picture = _read_picture(pipe.read)
                except ValueError as error:
                    log.error("no pictures any more: %s; is the daemon of another version?", error)
                    return
                if picture is None:
                    return
                if self._clock() - picture.info.t <= STALE_S:
                    self._hand_out(picture)

    def _hand_out(self, picture: Picture) -> None:
        with self._wanted:
            askers, self._askers = self._askers, []
        for asked in askers:
            if asked.set_running_or_notify_cancel():
                asked.set_result(picture)


def _read_picture(read: Callable[[int], bytes]) -> Picture | None:
    """The next of the pipe; None at its end. Raises ValueError."""
    head = _exactly(read, HEAD.size)
    if head is None:
        return None
    magic, info_bytes, jpeg_bytes = HEAD.unpack(head)
    if magic != MAGIC or info_bytes > MOST_INFO_BYTES or jpeg_bytes > MOST_PICTURE_BYTES:
        raise ValueError("what comes is no picture")
    info, jpeg = _exactly(read, info_bytes), _exactly(read, jpeg_bytes)
    return None if info is None or jpeg is None else Picture(info_of(info), jpeg)


def _exactly(read: Callable[[int], bytes], count: int) -> bytes | None:
    found = bytearray()
    while len(found) < count:
        if not (more := read(count - len(found))):
            return None
        found += more
    return bytes(found)
