"""How often something may be tried. By the boot clock: the library `limits` goes by the wall clock, and a Raspberry Pi's leaps by years when it
hears of the time, or is set back, which would lock people out until it has caught up.
"""  # fmt: skip

from collections import OrderedDict, deque

MOST_KEYS = 2_000  # remembered at once; the one that was used longest ago is forgotten first


class Throttle:
    """So many tries of each key within so many seconds. What is refused does not count, so that waiting always ends."""

    def __init__(self, most: int, within_s: float) -> None:
        self._most = most
        self._within_s = within_s
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """Seconds until the key may try again; 0 for now. now_s: seconds since boot."""
        tries = self._tries.get(key)
        if tries is None:
            return 0.0
        while tries and now_s - tries[0] >= self._within_s:
            tries.popleft()
        if not tries:
            del self._tries[key]
            return 0.0
        return 0.0 if len(tries) < self._most else self._within_s - (now_s - tries[0])

    def count(self, key: str, now_s: float) -> None:
        """One more try."""
        self._tries.setdefault(key, deque(maxlen=self._most)).append(now_s)
        self._tries.move_to_end(key)
        if len(self._tries) > MOST_KEYS:
            self._tries.popitem(last=False)

    def forget(self, key: str) -> None:
        """It was right: what went before counts no more."""
        self._tries.pop(key, None)
