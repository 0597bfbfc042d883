"""When the lock is open, and what is wrong with the door: rules without wires, threads and clocks."""

from dataclasses import dataclass
from typing import Literal

STALE_S = 2.0  # an unlock that was decided longer ago is dropped: whoever it was for may have gone, and somebody else stand there
SETTLE_S = 1.0  # the bolt and the contact lag behind the relay: a door that opens so soon after locking was still let go
AGAIN_S = 60.0  # between two tellings of force: a loose contact must not fill the book

Alarm = Literal["forced_open", "held_open", "closed"]  # closed: the end of either


@dataclass(frozen=True, slots=True)
class LatchRules:
    """pulse_s: how long a pulse unlocks; held_open_s: open for longer is an alarm, 0 for never."""

    pulse_s: float
    held_open_s: float


class Latch:
    """One door. All times are monotonic seconds; the lock is open while `unlocked` says so at the last `look`."""

    def __init__(self, rules: LatchRules) -> None:
        """Locked, and nothing is known of the door."""
        self._rules = rules
        self._until: float | None = None  # end of the pulse; None: locked
        self._let_go = float("-inf")  # until when an opening is no force
        self._open = False
        self._open_since: float | None = None
        self._knows = False  # whether the door has been seen at all
        self._pressed = False
        self._told: float | None = None  # when force was told last
        self._to_close = False  # its end will be told
        self.alarm: Literal["forced_open", "held_open"] | None = None

    @property
    def unlocked(self) -> bool:
        """Whether the lock is open."""
        return self._until is not None

    def unlock(self, now: float, decided: float) -> bool:
        """Open for one pulse; False, and nothing happens, for what was decided too long ago, or in the future."""
        if not 0 <= now - decided <= STALE_S:
            return False
        self._pulse(now)
        return True

    def lock(self, now: float) -> None:
        """Lock at once."""
        if self._until is not None:
            self._until = None
            self._let_go = now + SETTLE_S

    def look(self, now: float, door_open: bool | None, exit_pressed: bool) -> list[Alarm]:
        """Take the inputs as they are now; door_open: None where no contact is wired. Returns what is to be told of."""
        if exit_pressed and not self._pressed:  # a button that sticks opens once, not for ever
            self._pulse(now)
        self._pressed = exit_pressed
        if self._until is not None and now >= self._until:
            self.lock(now)
        return [] if door_open is None else self._watch(now, door_open)

    def _pulse(self, now: float) -> None:
        self._until = now + self._rules.pulse_s

    def _watch(self, now: float, door_open: bool) -> list[Alarm]:
        was_open, self._open = self._open, door_open
        told: list[Alarm] = []
        if door_open and not was_open:
            self._open_since = now
            # a door that stands open when the program starts was opened before anybody could know
            if self._knows and not self.unlocked and now > self._let_go:
                self.alarm = "forced_open"
                if self._told is None or now - self._told >= AGAIN_S:
                    self._told, self._to_close = now, True
                    told.append("forced_open")
        elif was_open and not door_open:
            self.lock(now)  # whoever was let in is in: nobody else slips through what is left of the pulse
            if self._to_close:
                told.append("closed")
            self.alarm = self._open_since = None
            self._to_close = False
        self._knows = True
        limit = self._rules.held_open_s
        if limit and self._open_since is not None and self.alarm is None and now - self._open_since >= limit:
            self.alarm, self._to_close = "held_open", True
            told.append("held_open")
        return told
