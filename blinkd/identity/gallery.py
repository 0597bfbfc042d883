"""All templates in memory, as one contiguous float32 matrix, so that 1:N search is one matrix product."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blinkd.vision.face import Embedding

FIRST_ROWS = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person and the highest cosine similarity, -1..1, of any of their templates with the probe."""

    person_id: str
    similarity: float


class Gallery:
    """Templates of many people, several each. Adding and removing touch single rows; the matrix is never rebuilt for them."""

    def __init__(self, dimension: int, templates: Iterable[tuple[str, Embedding]] = ()) -> None:
        self._matrix = np.zeros((FIRST_ROWS, dimension), np.float32)
        self._owners: list[str] = []
        for person_id, embedding in templates:
            self.add(person_id, embedding)

    def __len__(self) -> int:
        """Number of templates."""
        return len(self._owners)

    @property
    def people(self) -> int:
        """Number of people with at least one template."""
        return len(set(self._owners))

    @property
    def dimension(self) -> int:
        """D of the embeddings."""
        return int(self._matrix.shape[1])

    def replace(self, templates: Iterable[tuple[str, Embedding]]) -> None:
        """Hold these templates and no others; if reading them fails, what was held stays."""
        fresh = Gallery(self.dimension, templates)
        self._matrix, self._owners = fresh._matrix, fresh._owners

    def add(self, person_id: str, embedding: Embedding) -> None:
        """Add one template, float32 (D,). Raises ValueError when its shape is another or it is not of unit length."""
        if embedding.shape != (self.dimension,):
            raise ValueError(f"embedding of shape {embedding.shape} in a gallery of dimension {self.dimension}")
        if not abs(float(np.linalg.norm(embedding)) - 1) < 1e-3:
            raise ValueError("embedding is not L2-normalised")
        count = len(self._owners)
        if count == len(self._matrix):
            # grown by an eighth: appending stays cheap on average and no more than that is ever unused
            grown = np.zeros((count + max(FIRST_ROWS, count // 8), self.dimension), np.float32)
            grown[:count] = self._matrix
            self._matrix = grown
        self._matrix[count] = embedding
        self._owners.append(person_id)

    def remove(self, person_id: str) -> int:
        """Remove all templates of a person; returns how many there were."""
        removed = 0
        for row in range(len(self._owners) - 1, -1, -1):
            if self._owners[row] == person_id:
                last = len(self._owners) - 1
                self._matrix[row] = self._matrix[last]
                self._matrix[last] = 0  # nothing biometric stays behind in memory
                self._owners[row] = self._owners[last]
                self._owners.pop()
                removed += 1
        return removed

    def similarity(self, person_id: str, probe: Embedding) -> float | None:
        """Highest cosine similarity of a probe, float32 (D,), with a person's own templates; None when there are none."""
        own = [row for row, owner in enumerate(self._owners) if owner == person_id]
        return float((self._matrix[own] @ probe).max()) if own else None

    def search(self, probe: Embedding) -> tuple[Candidate | None, Candidate | None]:
        """Return the best person and the best other person, or None where there is none; probe is float32 (D,), unit length."""
        count = len(self._owners)
        if count == 0:
            return None, None
        scores = self._matrix[:count] @ probe
        best = int(np.argmax(scores))
        first = Candidate(self._owners[best], float(scores[best]))
        # the runner-up must be another person: walk down the few best rows instead of sorting all
        wanted = 8
        while True:
            top = np.argpartition(scores, -min(wanted, count))[-min(wanted, count) :]
            others = [row for row in top if self._owners[row] != first.person_id]
            if others:
                second = max(others, key=lambda row: float(scores[row]))
                return first, Candidate(self._owners[second], float(scores[second]))
            if wanted >= count:
                return first, None
            wanted *= 8
