"""The part of the daemon that takes PINs and badges."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

from blinkd.capture.frame import Frame
from blinkd.clock import Clock
from blinkd.crypto.pins import holds
from blinkd.entry.desk import Attendance, EntryDesk, Question
from blinkd.entry.keys import Key
from blinkd.entry.lens import Lens
from blinkd.entry.limits import Limits
from blinkd.entry.reader import KeyReader
from blinkd.entry.typing import CodeRead, PinTyped, Typing
from blinkd.outputs.port import PartHealth
from blinkd.session.events import Event
from blinkd.settings import EntrySettings, Settings
from blinkd.store.database import Store

DEAF_S = 1.0  # after a refusal; people read the answer meanwhile


class Entry:
    """Used by the thread that looks at frames: `see` and `poll` return at once; what takes time is done in threads of its own."""

    def __init__(
        self,
        settings: EntrySettings,
        desk: EntryDesk,
        reader: KeyReader | None,
        lens: Lens | None,
        compare: Callable[[str, str | None], bool] = holds,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """compare: a PIN with a hash; now: monotonic seconds."""
        self._desk = desk
        self._reader = reader
        self._lens = lens
        self._compare = compare
        self._now = now
        self._typing = Typing(settings.timeout_s)
        self._keys: deque[tuple[float, Key]] = deque()
        self._deaf_until = float("-inf")
        self._worker = ThreadPoolExecutor(1, "blinkd-pin")
        self._asked: tuple[Question, Future[bool]] | None = None

    @property
    def asks_for(self) -> Literal["nothing", "number", "pin"]:
        """What the person before the keypad is at, for a display."""
        return self._typing.asks_for

    def renew(self, clerk: Attendance) -> None:
        """From now on attendance goes by other rules."""
        self._desk.renew(clerk)

    def see(self, frame: Frame) -> None:
        """A frame of the camera, on which a badge may be."""
        if self._lens is not None:
            self._lens.see(frame)

    def poll(self) -> list[Event]:
        """What has been decided since the last call; a punch is on the disk. Raises StoreError, KeyMissing; nobody is let in then."""
        events = self._answer()
        now = self._now()
        self._typing.forget_old(now)
        if self._reader is not None:
            self._keys.extend(self._reader.typed())
        while self._keys and self._asked is None:  # one PIN after the other; what is typed meanwhile waits
            came, key = self._keys.popleft()
            if came < self._deaf_until:
                continue
            wanted = self._typing.take(key, came)
            if isinstance(wanted, CodeRead):
                events += self._heed(self._desk.badge(wanted, "reader"))
            elif isinstance(wanted, PinTyped):
                events += self._heed(self._ask(wanted))
        for code in () if self._lens is None else self._lens.codes():
            if now >= self._deaf_until:
                events += self._heed(self._desk.badge(code, "camera"))
        return events

    def part(self) -> PartHealth:
        """Whether the keypad or reader works."""
        failure = "" if self._reader is None else self._reader.failure
        return PartHealth("entry", "failed", failure) if failure else PartHealth("entry", "ok")

    def close(self) -> None:
        """Let go of everything. May be called twice."""
        if self._reader is not None:
            self._reader.close()
        if self._lens is not None:
            self._lens.close()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _ask(self, typed: PinTyped) -> list[Event]:
        asked = self._desk.ask(typed)
        if not isinstance(asked, Question):
            return asked
        self._asked = asked, self._worker.submit(self._compare, asked.pin, asked.hashed)
        return []

    def _heed(self, events: list[Event]) -> list[Event]:
        """After a refusal nothing is taken for a moment: a machine that tries must not fill the scan log."""
        if any(event.kind == "refused" for event in events):
            self._deaf_until = self._now() + DEAF_S
            self._typing.clear()
        return events

    def _answer(self) -> list[Event]:
        if self._asked is None or not self._asked[1].done():
            return []
        (question, future), self._asked = self._asked, None
        return self._heed(self._desk.answered(question, right=future.result()))


def open_entry(settings: Settings, store: Store, clerk: Attendance, clock: Clock) -> Entry | None:
    """As the settings say; None where nothing is to be entered. store, clerk: used by the thread that calls `poll`."""
    wanted = settings.entry
    if not wanted.enabled:
        return None
    desk = EntryDesk(store.credentials, store.tries, store.book.member, store.people.name_of, clerk, clock, Limits(wanted))
    reader = None if wanted.device is None else KeyReader(wanted.device)
    lens = Lens(wanted.camera_every_ms) if wanted.badge and wanted.camera else None
    return Entry(wanted, desk, reader, lens)
