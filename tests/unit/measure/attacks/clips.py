"""Attack clips in memory, and what the terminal's own networks see in them."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Frame, Image
from blinkd.measure.attacks.footage import Footage, Order
from blinkd.measure.attacks.kit import MAKERS
from blinkd.measure.attacks.sources import Stock
from blinkd.parts import Parts
from blinkd.vision.face import Embedding, Face


@dataclass(frozen=True, slots=True)
class Clip:
    """A made clip, its frames taken."""

    frames: list[Image]
    fps: int
    kind: str


def footage(stock: Stock, species: str, variant: int = 0, seconds: float = 3.0, seed: int = 7) -> Footage:
    """A clip that is about to be made."""
    chance = np.random.default_rng([seed, zlib.crc32(species.encode()), variant])
    return MAKERS[species](Order(stock, chance, variant, seconds))


def made(stock: Stock, species: str, variant: int = 0, seconds: float = 3.0, most: int | None = None, seed: int = 7) -> Clip:
    """A clip, or its first `most` frames."""
    clip = footage(stock, species, variant, seconds, seed)
    return Clip(list(islice(clip.frames, most)), clip.fps, clip.kind)


def seen(networks: Parts, clip: Clip) -> list[Face | None]:
    """The face that the terminal's tracker sees in each frame."""
    tracker = networks.analyser.tracker()
    return [tracker.update(Frame(image, number / clip.fps, number)).face for number, image in enumerate(clip.frames)]


def ratios(faces: Iterable[Face | None]) -> npt.NDArray[np.float64]:
    """Eye aspect ratio in each frame, NaN where no face was seen."""
    return np.array([np.nan if face is None else face.eye_aspect_ratio for face in faces])


def who(networks: Parts, image: Image) -> Embedding:
    """Embedding of the largest face."""
    return networks.reader.embed(networks.reader.look(image, networks.analyser.faces(image)[0]))
