"""The daemon's side of the display channel: an Output that tells the terminal's own pages, and hears nothing from them."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from blinkd.capture.frame import Frame
from blinkd.clock import Clock
from blinkd.outputs.channel import line_of
from blinkd.outputs.mirror import Mirror, Shot, small_pipe
from blinkd.outputs.port import Health
from blinkd.session.events import Event
from blinkd.settings import KioskSettings
from blinkd.vision.face import Face

# What the pages are told of each event: what a display can show. Similarities, frames and evidence stay here
SHOWN: Final = frozenset(
    {
        "person_id",
        "name",
        "status",
        "punctuality",
        "minutes",
        "seq",
        "method",
        "reason",
        "step",
        "number",
        "of",
        "seconds",
        "live",
        "outcome",
        "elapsed_s",
        "direction",
        "on",
    }
)

log = logging.getLogger(__name__)


class Screen:
    """An Output. Its pipes belong to one life of the web process; without one it says everything to nobody."""

    def __init__(self, settings: KioskSettings, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        """clock: asked when something happens, for what the display calls the time."""
        self._clock = clock
        self._monotonic = monotonic
        self._mirror = Mirror(settings)
        self._events: int | None = None
        self._full_since: float | None = None
        self._newest_health: dict[str, Any] | None = None
        self._count = 0
        self.dropped = 0  # messages that the pipe had no room for

    @contextmanager
    def channel(self) -> Iterator[tuple[int, int]]:
        """The reading ends (events, pictures) of new pipes, for a process that is begun within; afterwards it alone has them."""
        events_read, events = os.pipe()
        pictures_read, pictures = os.pipe()
        try:
            os.set_blocking(events, False)
            os.set_blocking(pictures, False)
            small_pipe(pictures)
            yield events_read, pictures_read
        except BaseException:
            os.close(events)
            os.close(pictures)
            raise
        else:
            self._attach(events, pictures)
        finally:
            os.close(events_read)
            os.close(pictures_read)

    @property
    def full_s(self) -> float:
        """For how many seconds nobody has read; 0 while somebody does, or where nobody is."""
        return 0.0 if self._full_since is None else self._monotonic() - self._full_since

    def renew(self, settings: KioskSettings) -> None:
        """By other settings from now on."""
        self._mirror.renew(settings)

    def event(self, event: Event) -> None:
        """Tell it at once: somebody looks at the display."""
        shown = {key: value for key, value in event.details.items() if key in SHOWN}
        self._send({"kind": "event", "event": event.kind, "session": event.session, **shown})

    def health(self, health: Health) -> None:
        """Tell it; it is also the sign that the terminal works."""
        self._newest_health = {
            "kind": "health",
            "parts": [[part.name, part.state, part.words] for part in health.parts],
            "fps": round(health.fps, 1),
            "people": health.people,
            "templates": health.templates,
            "pending": health.pending,
            "failed": health.failed,
            "temperature_c": health.temperature_c,
        }
        self._send(self._newest_health)

    def part(self) -> None:
        """Whoever keeps the process says how it is."""

    def picture(self, frame: Frame, face: Face | None, state: str, hint: str, *, mirrored: bool, fine: bool = False) -> None:
        """Show a frame that was looked at. face: that is tracked in it; state: of the session; mirrored: whether the frame is;
        fine: somebody is registered by it, so that small and coarse will not do.
        """  # fmt: skip
        box = None
        if face is not None:
            height, width = frame.image.shape[:2]
            x, y, w, h = face.bbox
            box = (round(x / width, 4), round(y / height, 4), round(w / width, 4), round(h / height, 4))
        self._mirror.show(Shot(frame, box, state, hint, mirrored, fine))

    def close(self) -> None:
        """The process reads the end of its pipes, and ends."""
        self._detach()
        self._mirror.close()

    def _attach(self, events: int, pictures: int) -> None:
        self._detach()
        self._events = events
        self._mirror.attach(pictures)
        if self._newest_health is not None:
            self._send(self._newest_health)

    def _detach(self) -> None:
        if self._events is not None:
            os.close(self._events)
            self._mirror.attach(None)
        self._events = self._full_since = None

    def _send(self, values: Mapping[str, Any]) -> None:
        if self._events is None:
            return
        now = self._clock.now()
        self._count += 1
        times = {"n": self._count, "t": round(self._monotonic(), 4), "utc": now.utc.isoformat(), "clock": now.confidence}
        try:
            os.write(self._events, line_of({**values, **times}))
        except BlockingIOError:
            self.dropped += 1
            self._full_since = self._monotonic() if self._full_since is None else self._full_since
        except OSError:  # it has ended; another is begun in its place
            self._detach()
        else:
            self._full_since = None
