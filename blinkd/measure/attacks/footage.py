"""What a maker of one species hands back: the frames of one clip, and what is needed to say how it was made."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from blinkd.capture.frame import Image
from blinkd.errors import MediaError
from blinkd.measure.attacks.motion import Chance
from blinkd.measure.attacks.sources import LiveClip, Portrait, Stock, same_person

Detail = str | int | float | bool
T = TypeVar("T")
SPACIOUS = 0.65  # of the picture's height that a face takes at most where there is room around it
CAMERA_FPS = (15, 20, 24, 25, 30)


@dataclass(frozen=True, slots=True)
class Order:
    """What to make. variant counts from 0 within a species and picks its kind; chance is the clip's own, so no clip depends on another."""

    stock: Stock
    chance: Chance
    variant: int
    seconds: float

    def kind(self, kinds: Sequence[T]) -> T:
        """The kind that this variant is; variants go round the kinds."""
        return kinds[self.variant % len(kinds)]

    def portrait(self, unlike: LiveClip | None = None) -> Portrait:
        """A portrait by chance, of another person than the clip's when one is given. Raises MediaError when there is none."""
        fitting = [one for one in self.stock.portraits if unlike is None or not same_person(one.embedding, unlike.embedding)]
        if not fitting:
            of = " of another person" if unlike else ""
            raise MediaError(f"no usable portrait{of} among the sources; add a picture of a person looking into the camera with --from")
        return fitting[int(self.chance.integers(len(fitting)))]

    def clip(self, spacious: bool = False) -> LiveClip:
        """A clip of a person who blinks, by chance; spacious: one that shows more than a face, if there is one. Raises MediaError."""
        fitting = [one for one in self.stock.clips if one.blinks]
        if spacious:
            fitting = [one for one in fitting if one.face_share < SPACIOUS] or fitting
        if not fitting:
            raise MediaError("no usable clip of a person who blinks among the sources; add a recording of some seconds with --from")
        return fitting[int(self.chance.integers(len(fitting)))]

    def fps(self) -> int:
        """The terminal camera's rate."""
        return int(self.chance.choice(CAMERA_FPS))


@dataclass(frozen=True, slots=True)
class Footage:
    """frames: uint8 (480, 640, 3) BGR, made while they are taken; fps: whole frames/s; kind: in a word; sources: files shown;
    details: parameters for the kit's list.
    """

    frames: Iterator[Image]
    fps: int
    kind: str
    sources: tuple[Path, ...]
    details: dict[str, Detail]


Maker = Callable[[Order], Footage]
