"""Stands aside while somebody is registered before the terminal, and for no longer than that can take."""

import time
from collections.abc import Callable

MOST_S = 600.0  # however often the lease is renewed: then the door works again, until the lease has been given back once


class StandAside:
    """Looks at the lease; whoever decides about people asks `now`."""

    def __init__(self, held: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        """held: whether somebody holds the lease; may raise StoreError."""
        self._held = held
        self._clock = clock
        self._since: float | None = None  # when the lease was first seen
        self.now = False  # whether nobody is to be decided about

    def look(self) -> bool:
        """Ask the lease; returns whether `now` has changed. Raises StoreError; what was stays then."""
        before = self.now
        if not self._held():
            self._since = None
        elif self._since is None:
            self._since = self._clock()
        self.now = self._since is not None and self._clock() - self._since < MOST_S
        return self.now != before
