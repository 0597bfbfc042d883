"""The door: unlocks for a punch that is on the disk and for the exit button, for nothing else, and says when it is forced or held open."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from blinkd.attendance.punch import Direction
from blinkd.errors import LinesFailed, StoreError
from blinkd.outputs.latch import STALE_S, Alarm, Latch, LatchRules
from blinkd.outputs.lines import Sense, Switch
from blinkd.outputs.port import Health, PartHealth
from blinkd.session.events import Event
from blinkd.settings import DoorSettings

NEEDED = frozenset({"vision", "camera", "store"})  # parts without which nobody is let in: one of them has failed, or lies
LOOK_S = 0.05  # between looks at contact and button; two looks that agree count, so what bounces for less is not seen
LATE_S = 3.0  # a thread that has not looked for so long hangs in the driver: whoever notices locks in its place
RETRY_S = 1.0  # before a line that failed is tried again
CLOSE_WAIT_S = 0.2  # for the thread, at most: one that hangs in the driver must not keep anybody else from locking
MOST_UNTOLD = 100  # alarms that wait for a store that takes nothing; a loose contact must not fill the memory

log = logging.getLogger(__name__)

WORDS = {"forced_open": "forced open", "held_open": "held open", "closed": "closed again"}


@dataclass(frozen=True, slots=True)
class Wiring:
    """The lines of one door; contact and button are None where none is wired."""

    lock: Switch
    contact: Sense | None = None
    button: Sense | None = None


class Door:
    """An Output. A thread of its own looks at the lines; only it, `close` and a watch over it move the lock, and that watch only locks."""

    def __init__(
        self, wiring: Wiring, settings: DoorSettings, note: Callable[[Alarm], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin locked; `start` begins the thread.

        note: writes an alarm into the book, raises StoreError; called by whoever calls `health`, never by the thread. now: monotonic seconds,
        the time line of live frames and so of events.
        """
        self._wiring = wiring
        self._settings = settings
        self._note = note
        self._now = now
        self._latch = Latch(LatchRules(settings.pulse_s, settings.held_open_s))
        self._changed = threading.Condition()
        self._driving = (
            threading.Lock()
        )  # of the lock's line; not held with `_changed`, so that a driver that hangs holds up nobody's frames
        self._asked: float | None = None  # when the punch was decided that waits to unlock
        self._sure = False  # of the parts that it takes to let somebody in; not before they have said so
        self._untold: deque[Alarm] = deque(maxlen=MOST_UNTOLD)
        self._failure = ""
        self._driven: bool | None = None  # what the lock was last told; None: not known
        self._before: tuple[bool | None, bool] = (None, False)  # contact and button at the last look
        self._settled: tuple[bool | None, bool] = (None, False)
        self._looked = now()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="blinkd-door", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def event(self, event: Event) -> None:
        """A punch unlocks, if nothing speaks against it."""
        if event.kind != "punch" or not self._lets_through(event):
            return
        with self._changed:
            if not self._sure:
                log.warning("the door stays locked: a part that it takes to let somebody in does not work")
                return
            self._asked = event.t
            self._changed.notify()

    def health(self, health: Health) -> None:
        """Lock where a part has failed, write what is to be written, and lock in the thread's place if it hangs."""
        states = {part.name: part.state for part in health.parts}
        with self._changed:
            self._sure = all(states.get(name) not in ("failed", None) for name in NEEDED)
            if not self._sure:
                self._asked = None
                self._changed.notify()
            late = self._driven is not False and self._thread.is_alive() and self._now() - self._looked > LATE_S
        if late:
            self._fail("its thread hangs in the driver; locked from outside of it")
            self._lock()
        self._tell()

    def part(self) -> PartHealth:
        """Open by force or for too long, or lines that do not obey."""
        with self._changed:
            failure, alarm = self._failure, self._latch.alarm
        if failure:
            return PartHealth("door", "failed", failure)
        return PartHealth("door", "ok") if alarm is None else PartHealth("door", "degraded", WORDS[alarm])

    def close(self) -> None:
        """Lock, and give the lines back."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._lock()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WAIT_S)
        self._tell()
        for line in (self._wiring.lock, self._wiring.contact, self._wiring.button):
            if line is not None:
                line.close()

    def look(self) -> float:
        """One look at everything, which the thread does again and again; returns seconds until the next."""
        with self._changed:
            asked, self._asked = self._asked, None
            sure, now = self._sure, self._now()
        try:
            told = self._latch.look(now, *self._inputs())
            if asked is not None and sure and not self._latch.unlock(now, asked):
                log.warning("the door stays locked: the punch was decided more than %g s ago", STALE_S)
            self._set(on=self._latch.unlocked)
        except LinesFailed as error:
            self._latch.lock(now)
            self._fail(str(error))
            self._lock()
            told, wait = [], RETRY_S
        else:
            wait = LOOK_S
            self._fail("")
        with self._changed:
            self._looked = self._now()
            self._untold.extend(told)
        for alarm in told:
            log.warning("door %s", WORDS[alarm])
        return wait

    def _run(self) -> None:
        while True:
            wait = self.look()
            with self._changed:
                if self._closing:
                    break
                if self._asked is None:
                    self._changed.wait(wait)
        self._lock()

    def _inputs(self) -> tuple[bool | None, bool]:
        """Whether the door is open and the button pressed, once two looks agree."""
        contact, button = self._wiring.contact, self._wiring.button
        seen = (None if contact is None else not contact.closed(), button is not None and button.closed())
        if seen == self._before:
            self._settled = seen
        self._before = seen
        return self._settled

    def _set(self, *, on: bool) -> None:
        with self._driving:  # nobody's unlocking comes after `close` has locked
            if self._closing or on == self._driven:
                return
            self._driven = None  # until it has obeyed: a driver that hangs in here may have unlocked
            self._wiring.lock.set(on)
            self._driven = on
        log.info("door %s", "unlocked" if on else "locked")

    def _lock(self) -> None:
        """At once, whoever holds the line."""
        held = self._driving.acquire(timeout=CLOSE_WAIT_S)
        try:
            self._wiring.lock.set(False)
            self._driven = False
        except LinesFailed as error:
            self._driven = None
            self._fail(str(error))
        finally:
            if held:
                self._driving.release()

    def _fail(self, words: str) -> None:
        with self._changed:
            news, self._failure = words not in ("", self._failure), words
        if news:
            log.error("door: %s", words)

    def _lets_through(self, event: Event) -> bool:
        if event.details.get("status") != Direction.CHECK_IN and not self._settings.check_out_unlocks:
            return False
        return event.details.get("method", "face") == "face" or self._settings.entry_unlocks

    def _tell(self) -> None:
        """Write what the thread has seen; what the store does not take waits for the next time."""
        while self._untold:
            try:
                self._note(self._untold[0])
            except StoreError as error:
                log.error("door: %s", error)
                return
            self._untold.popleft()
