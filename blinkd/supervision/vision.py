"""The main line under a restart policy: what throws in it is built anew, and opens no door meanwhile."""

import logging
import time
from collections.abc import Callable

from blinkd.capture.frame import Frame
from blinkd.errors import BlinkdError, KeyMissing, StoreError, VisionFailed
from blinkd.session.events import Event
from blinkd.session.machine import State
from blinkd.session.terminal import Terminal
from blinkd.supervision.restarts import RestartPolicy, Restarts
from blinkd.vision.face import Face

# A few tries at once, for what a single odd frame did; then the process is given up, which systemd begins anew: a network's runtime
# that is broken in memory is mended by nothing less
POLICY = RestartPolicy(first_wait_s=0.5, most_wait_s=4.0, least_wait_s=0.2, good_s=60.0, most=6)

log = logging.getLogger(__name__)


class Vision:
    """Holds the terminal's main line, and is the one place where any exception is caught."""

    def __init__(
        self,
        build: Callable[[], Terminal],
        forget: Callable[[], None],
        policy: RestartPolicy = POLICY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """build: makes a main line, and is called now; forget: of what a broken one may have damaged, before. Raises what `build` raises."""
        self._build = build
        self._forget = forget
        self._restarts = Restarts(policy, clock)
        self._terminal: Terminal | None = build()
        self._restarts.began()
        self._why = ""

    @property
    def works(self) -> bool:
        """Whether frames are looked at."""
        return self._terminal is not None

    @property
    def why(self) -> str:
        """Why not, in words."""
        return self._why

    @property
    def idle(self) -> bool:
        """Whether nobody is being looked at."""
        return self._terminal is None or self._terminal.idle

    @property
    def face(self) -> Face | None:
        """Of the last frame, for displays."""
        return None if self._terminal is None else self._terminal.face

    @property
    def state(self) -> State:
        """Of the session, for displays."""
        return "idle" if self._terminal is None else self._terminal.state

    def process(self, frame: Frame) -> list[Event]:
        """As `Terminal.process`; nothing while it is broken. Raises StoreError, KeyMissing: the same frame may be given again later; and
        VisionFailed when it has failed too often.
        """  # fmt: skip
        if self._terminal is None:
            if not self._restarts.due:
                return []
            self._guarded(self._begin)
        terminal = self._terminal
        return [] if terminal is None else self._guarded(lambda: terminal.process(frame))

    def stand_aside(self, t: float) -> list[Event]:
        """As `Terminal.stand_aside`."""
        terminal = self._terminal
        return [] if terminal is None else self._guarded(lambda: terminal.stand_aside(t))

    def interrupt(self, t: float) -> list[Event]:
        """As `Terminal.interrupt`."""
        terminal = self._terminal
        return [] if terminal is None else self._guarded(lambda: terminal.interrupt(t))

    def renew(self) -> None:
        """Another main line by settings that have changed; between visits."""
        if self._terminal is not None:
            self._guarded(self._begin)

    def _begin(self) -> list[Event]:
        self._terminal = self._build()
        self._restarts.began()
        self._why = ""
        return []

    def _guarded(self, work: Callable[[], list[Event]]) -> list[Event]:
        try:
            return work()
        except (StoreError, KeyMissing):
            raise
        except Exception as error:
            self._terminal = None
            self._forget()
            wait = self._restarts.failed()
            self._why = f"{type(error).__name__}; failure {self._restarts.failures}"
            if isinstance(error, BlinkdError):
                log.error("vision has failed: %s", error)
            else:
                log.exception("vision has failed")
            if self._restarts.given_up:
                raise VisionFailed(
                    f"vision has failed {self._restarts.failures} times in a row, the last time by {type(error).__name__}; the log has the "
                    "reasons, `blinkd doctor` looks at the models"
                ) from error
            log.warning("vision is begun anew in %.1f s", wait)
            return []
