"""From a tracked face to what recognition needs: its crop, its quality, its embedding."""

from dataclasses import dataclass

from blinkd.capture.frame import Image
from blinkd.settings import VisionSettings
from blinkd.vision.align import align
from blinkd.vision.embedder import Embedder
from blinkd.vision.face import Embedding, Face
from blinkd.vision.quality import Quality, assess


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One look at a face: crop uint8 (112, 112, 3) BGR, aligned, and how good it is."""

    crop: Image
    quality: Quality


class FaceReader:
    """Reads faces for sessions, enrolment and single pictures alike, so that all of them see a face the same way."""

    def __init__(self, embedder: Embedder, settings: VisionSettings) -> None:
        self.embedder = embedder
        self._settings = settings

    def look(self, image: Image, face: Face) -> Sample:
        """Align and judge; about half a millisecond."""
        crop = align(image, face.points5)
        return Sample(crop, assess(face, crop, image.shape, self._settings))

    def embed(self, sample: Sample) -> Embedding:
        """Return the embedding, float32 (D,), unit length; the one expensive step."""
        embedding: Embedding = self.embedder.embed([sample.crop])[0]
        return embedding
