"""What the daemon tells its outputs: the events of sessions, and how the terminal is."""

from dataclasses import dataclass
from typing import Literal, Protocol

from blinkd.session.events import Event

PartState = Literal["starting", "ok", "degraded", "failed", "off"]


@dataclass(frozen=True, slots=True)
class PartHealth:
    """One part of the daemon. name: camera, vision, store, sync, door, web …; words: why, short, without a name, a secret or a time of day."""

    name: str
    state: PartState
    words: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The terminal at one moment. fps: frames/s of the camera, 0 where none come; people, templates: in the gallery; pending, failed: entries
    and changes that wait for the relay, or that it does not take; temperature_c: of the processor, None where it cannot be read.
    """  # fmt: skip

    parts: tuple[PartHealth, ...]
    fps: float
    people: int
    templates: int
    pending: int
    failed: int
    temperature_c: float | None

    @property
    def problems(self) -> tuple[PartHealth, ...]:
        """The parts that do not work as they should."""
        return tuple(part for part in self.parts if part.state in ("degraded", "failed"))


class Output(Protocol):
    """Somebody who is told. Called by the thread that looks at frames: what takes time is done in a thread of its own, and nothing is raised."""

    def event(self, event: Event) -> None:
        """Something happened in a session. A `punch` is on the disk when this is called."""

    def health(self, health: Health) -> None:
        """How the terminal is: about once a second, and at once when a part's state changes."""

    def part(self) -> PartHealth | None:
        """How it is itself, for the health that everybody is told; None where nothing is to be said of it."""

    def close(self) -> None:
        """The daemon ends: let go of everything, within half a second. May be called twice."""
