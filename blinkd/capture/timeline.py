"""Makes the time stamps of a container usable: they are wrong, missing or go backwards more often than one would think."""

import math

JUMP_S = 1.0  # a step back by more is a new time line (joined recordings); by less it is frames that came out of order
LONGEST_GAP_S = 3600.0  # a step ahead by more is a damaged stamp; recordings that pause for minutes while nothing moves are real
TICK_S = 1e-3  # by how much a stamp is pushed on that would not be later than the one before


class Timeline:
    """Turns one stamp per frame into times that strictly increase; stamps that already do are handed on as they are.

    A frame whose stamp says nothing (missing, or not later than the stamp before) comes one frame interval after the last frame. After a
    jump the time goes on from there with the container's own intervals.
    """

    def __init__(self, fps: float) -> None:
        """fps: frames/s, for frames without a usable stamp; above 0."""
        self._interval = 1 / fps
        self._stamp: float | None = None  # last usable stamp, seconds
        self._offset = 0.0  # time minus stamp
        self._t: float | None = None

    def place(self, stamp: float) -> float:
        """Return the time in seconds of the next frame, whose container says `stamp` seconds; NaN and infinities count as missing."""
        known = math.isfinite(stamp) and abs(stamp) < 1e12
        if self._t is None:
            usable = known and 0 <= stamp <= LONGEST_GAP_S
            t = stamp if usable else 0.0
            self._offset = t - stamp if known else 0.0
        else:
            by_rate = self._t + self._interval
            step = stamp - self._stamp if known and self._stamp is not None else None
            if step is None or -JUMP_S <= step <= 0:
                t = by_rate
                if step is None and known:  # the first stamp after frames that had none
                    self._offset = t - stamp
            elif step < -JUMP_S or step > LONGEST_GAP_S:
                t = by_rate
                self._offset = t - stamp
            else:
                t = max(stamp + self._offset, self._t + TICK_S)
        if known:
            self._stamp = stamp
        self._t = t
        return t
