"""How long to wait before the next attempt: longer each time, and never all terminals at once."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Exponential, with full jitter: a random time up to the limit, so that a hundred terminals do not come back in one moment.

    first_s, most_s: the limit of the first wait, and the one that is never exceeded; least_s: no wait is shorter.
    """

    first_s: float
    most_s: float
    least_s: float = 0.1
    chance: random.Random = field(default_factory=random.SystemRandom)
    failures: int = 0

    def next_s(self) -> float:
        """Seconds to wait after one more failure."""
        limit = min(self.most_s, self.first_s * 2.0 ** min(self.failures, 62))
        self.failures += 1
        return max(self.least_s, self.chance.uniform(0, limit))

    def reset(self) -> None:
        """It worked: the next failure is the first."""
        self.failures = 0
