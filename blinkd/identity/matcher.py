"""The fourth value of the flow: whom a probe embedding belongs to, by the bands of the model."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from blinkd.identity.gallery import Gallery
from blinkd.vision.face import Embedding

Verdict = Literal["match", "uncertain", "unknown"]


@dataclass(frozen=True, slots=True)
class Bands:
    """Cosine similarities: at or above `match` the same person, at or above `uncertain` look again, below it unknown."""

    match: float
    uncertain: float

    def verdict(self, similarity: float) -> Verdict:
        """Judge one similarity, -1..1."""
        if similarity >= self.match:
            return "match"
        return "uncertain" if similarity >= self.uncertain else "unknown"


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer of a 1:N search. person_id is set for `match` and `uncertain` (the nearest person), None for `unknown`."""

    verdict: Verdict
    person_id: str | None
    similarity: float
    threshold: float


def identify(probe: Embedding, gallery: Gallery, bands: Bands) -> Identity:
    """Search the gallery for a probe, float32 (D,), unit length; an empty gallery knows nobody (similarity 0)."""
    best, _ = gallery.search(probe)
    if best is None:
        return Identity("unknown", None, 0.0, bands.match)
    verdict = bands.verdict(best.similarity)
    return Identity(verdict, None if verdict == "unknown" else best.person_id, best.similarity, bands.match)


def fuse(embeddings: list[Embedding]) -> Embedding:
    """Mean direction of several embeddings of one face: float32 (D,), unit length; the list is not empty."""
    mean = np.mean(np.stack(embeddings), axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)
