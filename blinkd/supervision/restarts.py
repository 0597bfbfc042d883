"""How often, and how soon, a part that has failed is tried again."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from blinkd.sync.backoff import Backoff


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """first_wait_s, most_wait_s, least_wait_s: as in Backoff; good_s: a life of this length makes the next failure the first one again;
    most: failures in a row after which the part is given up, None for never.
    """  # fmt: skip

    first_wait_s: float
    most_wait_s: float
    least_wait_s: float
    good_s: float
    most: int | None = None


class Restarts:
    """Counts the lives of one part. Nothing here waits."""

    def __init__(self, policy: RestartPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._backoff = Backoff(policy.first_wait_s, policy.most_wait_s, policy.least_wait_s)
        self._began = self._next = -math.inf

    @property
    def due(self) -> bool:
        """Whether the wait is over."""
        return self._clock() >= self._next

    @property
    def failures(self) -> int:
        """In a row."""
        return self._backoff.failures

    @property
    def given_up(self) -> bool:
        """Whether it has failed as often as the policy bears."""
        return self._policy.most is not None and self.failures >= self._policy.most

    def began(self) -> None:
        """A life has begun."""
        self._began = self._clock()

    def failed(self) -> float:
        """It has ended; seconds until the next try."""
        now = self._clock()
        if now - self._began >= self._policy.good_s:
            self._backoff.reset()
        wait = self._backoff.next_s()
        self._next = now + wait
        return wait
