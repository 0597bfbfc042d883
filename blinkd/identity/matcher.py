"""The fourth value of the flow: whom a probe embedding belongs to, by the threshold that the model and the gallery's size ask for."""

from dataclasses import dataclass

import numpy as np

from blinkd.identity.gallery import Gallery
from blinkd.identity.thresholds import Bands, OperatingPoint, ThresholdRule, Verdict
from blinkd.vision.face import Embedding

__all__ = ["Bands", "Identity", "Matcher", "Verdict", "fuse", "identify"]


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer of a 1:N search. person_id is set for `match` and `uncertain` (the nearest person), None for `unknown`.

    similarity: of the nearest person; threshold and uncertain: the bands that it was judged by.
    """

    verdict: Verdict
    person_id: str | None
    similarity: float
    threshold: float
    uncertain: float


class Matcher:
    """Recognises faces in one gallery; its thresholds follow the number of templates that the gallery holds at the moment."""

    def __init__(self, gallery: Gallery, rule: ThresholdRule) -> None:
        self._gallery = gallery
        self._rule = rule

    @property
    def point(self) -> OperatingPoint:
        """The thresholds in force and what they stand for."""
        return self._rule.at(len(self._gallery))

    @property
    def bands(self) -> Bands:
        """The bands in force."""
        return self.point.bands

    def identify(self, probe: Embedding) -> Identity:
        """Search the gallery for a probe, float32 (D,), unit length; an empty gallery knows nobody (similarity 0)."""
        point = self.point
        return identify(probe, self._gallery, point.bands, point.margin)


def identify(probe: Embedding, gallery: Gallery, bands: Bands, margin: float = 0.0) -> Identity:
    """Search a gallery for a probe, float32 (D,), unit length, by given bands.

    margin: a match that leads the next person by less than this cosine is only `uncertain`: who of the two it is has not been shown.
    """
    best, other = gallery.search(probe)
    if best is None:
        return Identity("unknown", None, 0.0, bands.match, bands.uncertain)
    verdict = bands.verdict(best.similarity)
    if verdict == "match" and other is not None and best.similarity - other.similarity < margin:
        verdict = "uncertain"
    return Identity(verdict, None if verdict == "unknown" else best.person_id, best.similarity, bands.match, bands.uncertain)


def fuse(embeddings: list[Embedding]) -> Embedding:
    """Mean direction of several embeddings of one face: float32 (D,), unit length; the list is not empty."""
    mean = np.mean(np.stack(embeddings), axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)
