"""Portraits in, embeddings out, as the terminal itself would see them; what cannot be used is said and kept."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blinkd.capture.frame import Image
from blinkd.capture.pictures import read_picture
from blinkd.errors import MediaError
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.face import Embedding, Face
from blinkd.vision.reader import FaceReader

COMPARABLE_SHARE = 0.5  # faces at least so large as the largest may be the picture's subject; the one nearest the centre is
DIGEST_BYTES = 16  # 128 bits: two different pictures do not meet by chance
NO_FACE = "no face found; use a picture of one person looking into the camera"


@dataclass(frozen=True, slots=True)
class Refused:
    """A picture that could not be used, and why; the reason begins with the path."""

    path: Path
    reason: str

    def as_json(self) -> dict[str, str]:
        """Members path and reason."""
        return {"path": str(self.path), "reason": self.reason}


class Portraits:
    """Embeds the subject of one picture after the other, and remembers what was refused."""

    def __init__(self, analyser: FaceAnalyser, reader: FaceReader) -> None:
        self._analyser = analyser
        self._reader = reader
        self.refused: list[Refused] = []

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self._reader.embedder.dimension

    def embed(self, path: Path) -> Embedding | None:
        """float32 (D,), unit length; None for a picture that is missing, broken or shows no face, which is then among `refused`."""
        try:
            image = read_picture(path)
        except MediaError as error:
            self.refused.append(Refused(path, str(error)))
            return None
        faces = self._analyser.faces(image)
        if not faces:
            self.refused.append(Refused(path, f"{path}: {NO_FACE}"))
            return None
        return self._reader.embed(self._reader.look(image, subject(faces, image)))


def subject(faces: list[Face], image: Image) -> Face:
    """The face that a portrait is about: of those of comparable size the one nearest the centre. `faces` is not empty, largest first."""
    height, width = image.shape[:2]

    def from_centre(face: Face) -> float:
        x, y, w, h = face.bbox
        return float(np.hypot(x + w / 2 - width / 2, y + h / 2 - height / 2))

    return min((face for face in faces if face.size >= COMPARABLE_SHARE * faces[0].size), key=from_centre)


def digest(path: Path) -> bytes | None:
    """A fingerprint of the file's bytes, None where it cannot be read (whoever opens it next says why)."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).digest()
    except OSError:
        return None


def equal_files(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Groups of two or more paths whose files are byte for byte the same and not empty, in the order given."""
    groups: dict[bytes, list[Path]] = {}
    empty = hashlib.blake2b(digest_size=DIGEST_BYTES).digest()
    for path in paths:
        found = digest(path)
        if found is not None and found != empty:
            groups.setdefault(found, []).append(path)
    return [tuple(group) for group in groups.values() if len(group) > 1]
