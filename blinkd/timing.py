"""How long the stages of the main line take: a port that nobody listens at unless metrics are on."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Literal, Protocol

Stage = Literal[
    "gate", "detect", "landmarks", "crop", "liveness", "texture", "edges", "outline", "pattern", "background", "embed", "search", "frame"
]  # fmt: skip
"""gate: the idle gate, of every frame; detect: looking for faces in the whole picture; landmarks: following one; crop: alignment and quality;
liveness: all that liveness does in one frame, and of that texture, edges, outline, pattern, background: the passive cues that take turns; embed: one
embedding; search: one 1:N comparison; frame: all of a frame in which networks ran.
"""


class Timing(Protocol):
    """Somebody who wants to know. What it measures must not change what is decided."""

    def stage(self, name: Stage) -> AbstractContextManager[None]:
        """Entered before a stage and left after it; stages lie within one another."""


class _Untimed:
    """Nothing is measured."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass


class NoTiming:
    """Nobody listens: the same empty context each time, so that a stage costs a quarter of a microsecond."""

    __slots__ = ("_untimed",)

    def __init__(self) -> None:
        self._untimed = _Untimed()

    def stage(self, name: Stage) -> AbstractContextManager[None]:  # noqa: ARG002  of the port
        """Nothing happens."""
        return self._untimed


NO_TIMING: Final[Timing] = NoTiming()
