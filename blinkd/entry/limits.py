"""How long to wait after wrong PINs and badges."""

from dataclasses import dataclass

from blinkd.settings import EntrySettings
from blinkd.store.tries import Tries

FORGIVEN_S = 60.0  # one wrong try at the terminal is forgotten each minute: people mistype, and a door has hundreds of them
TERMINAL_FIRST_S = 5.0  # first wait of the whole terminal, which everybody there shares
TERMINAL_MOST_S = 300.0
MOST_DOUBLINGS = 30  # beyond it every longest wait is reached


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules of one terminal."""

    settings: EntrySettings

    def person_s(self, tries: Tries) -> float:
        """Seconds until a person may try again, 0 for now."""
        return _left(tries.wrong - self.settings.free_tries, self.settings.wait_first_s, self.settings.wait_most_s, tries.since_s)

    def terminal_s(self, tries: Tries) -> float:
        """Seconds until anybody may."""
        over = self.counted(tries) - self.settings.terminal_free_tries
        return _left(over, TERMINAL_FIRST_S, TERMINAL_MOST_S, tries.since_s)

    def counted(self, tries: Tries) -> int:
        """How many of the terminal's wrong tries are not forgiven yet."""
        return max(0, tries.wrong - int(tries.since_s // FORGIVEN_S))


def _left(over: int, first_s: float, most_s: float, since_s: float) -> float:
    if over < 0:
        return 0.0
    return max(0.0, min(most_s, first_s * 2.0 ** min(over, MOST_DOUBLINGS)) - since_s)
