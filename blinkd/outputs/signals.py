"""Lights and buzzer: an Output that shows, in rhythms, what the display says in words."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from blinkd.errors import LinesFailed
from blinkd.outputs.lines import NoSwitch, Switch
from blinkd.outputs.port import Health, PartHealth
from blinkd.outputs.rhythms import Beat, Meaning, Player
from blinkd.session.events import Event

SHOWN_ONCE: dict[str, Meaning] = {"punch": "granted", "refused": "refused", "challenge": "move"}
QUIET = frozenset({"clock", "sync", "signals", "web"})  # parts whose trouble nobody at the door can see or mend
RETRY_S = 1.0
CLOSE_WAIT_S = 0.3

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lamps:
    """What is wired; the rest goes nowhere."""

    green: Switch = field(default_factory=NoSwitch)
    red: Switch = field(default_factory=NoSwitch)
    buzzer: Switch = field(default_factory=NoSwitch)

    def show(self, beat: Beat) -> None:
        """Raises LinesFailed."""
        for switch, on in ((self.green, beat.green), (self.red, beat.red), (self.buzzer, beat.buzzer)):
            switch.set(on)

    def close(self) -> None:
        """Everything is off."""
        for switch in (self.green, self.red, self.buzzer):
            switch.close()


class Signals:
    """An Output; its thread moves the lamps."""

    def __init__(self, lamps: Lamps, now: Callable[[], float] = time.monotonic) -> None:
        """Dark; `start` begins the thread. now: monotonic seconds."""
        self._lamps = lamps
        self._now = now
        self._player = Player()
        self._changed = threading.Condition()
        self._troubled = False
        self._visited = False
        self._failure = ""
        self._closing = self._news = False
        self._thread = threading.Thread(target=self._run, name="blinkd-signals", daemon=True)

    def start(self) -> None:
        """Begin to show."""
        self._thread.start()

    def event(self, event: Event) -> None:
        """Show it."""
        with self._changed:
            if event.kind in ("session_started", "session_ended"):
                self._visited = event.kind == "session_started"
                self._rest()
            elif event.kind in SHOWN_ONCE:
                self._player.once(SHOWN_ONCE[event.kind], self._now())
            self._wake()

    def health(self, health: Health) -> None:
        """Show trouble while something fails that people at the door notice."""
        with self._changed:
            self._troubled = any(part.state == "failed" and part.name not in QUIET for part in health.parts)
            self._rest()
            self._wake()

    def part(self) -> PartHealth:
        """Whether the lines obey."""
        with self._changed:
            return PartHealth("signals", "failed", self._failure) if self._failure else PartHealth("signals", "ok")

    def close(self) -> None:
        """Dark and silent."""
        with self._changed:
            self._closing = True
            self._wake()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WAIT_S)
        self._lamps.close()

    def look(self) -> float:
        """Set the lamps as they are to be now; returns for how many seconds."""
        with self._changed:
            beat, seconds = self._player.beat(self._now())
        try:
            self._lamps.show(beat)
        except LinesFailed as error:
            if str(error) != self._failure:
                log.error("signals: %s", error)
            failure, seconds = str(error), RETRY_S
        else:
            failure = ""
        with self._changed:
            self._failure = failure
        return seconds

    def _run(self) -> None:
        while True:
            seconds = self.look()
            with self._changed:
                if self._closing:
                    return
                if not self._news:
                    self._changed.wait(seconds)
                self._news = False

    def _wake(self) -> None:
        self._news = True
        self._changed.notify()

    def _rest(self) -> None:
        self._player.last("look" if self._visited else "trouble" if self._troubled else "dark", self._now())
